"""An HTTP endpoint as a classifier: the protocol of docs/how-to/black-box.md over the standard library.

No redirect is followed, so that a token goes nowhere but where the user sends it.
"""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, RemoteDisconnected
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from PIL import Image

from pgn_studio import __version__
from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.classifiers.blackbox.access import Access
from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.errors import BlackBoxError, ConfigError
from pgn_studio.core.protocols import UInt8Images

TRIES = 6
FIRST_WAIT_S = 0.5  # then twice as long each time
LONGEST_WAIT_S = 8.0
LONGEST_RETRY_AFTER_S = 120.0
LARGEST_ANSWER = 4 * 2**20  # bytes
LARGEST_BATCH = 1024
_CHUNK = 65536
_TOO_MANY, _UNAUTHORISED, _FORBIDDEN, _TIMED_OUT = 429, 401, 403, 408
_SECRET_WORDS = ("key", "token", "secret", "password", "signature", "sig", "auth")


@dataclass(frozen=True)
class _Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class _NotReachedError(Exception):
    """No connection: nothing was sent."""


class HttpOracle:
    """Posts PNG images, one by one, or in batches once the endpoint has said that it takes them."""

    def __init__(self, address: str, access: Access) -> None:
        """Connects with the first question. Raises ConfigError for an address that cannot be used."""
        self._parts = urlsplit(_checked(address))
        self.name = address
        self.largest_batch = 1
        self._timeout_s = access.timeout_s
        self._headers = {
            "User-Agent": f"pgn-studio/{__version__}",
            "Accept": "application/json",
            **dict(access.headers),
        }
        self._secrets = sorted(_secrets(access), key=len, reverse=True)
        self._connection: HTTPConnection | None = None

    def ask(self, images: UInt8Images, meter: QueryMeter) -> Any:
        if len(images) == 1:
            return [self._single(self._post(_png(images[0]), "image/png", 1, meter))]
        encoded = [base64.b64encode(_png(image)).decode("ascii") for image in images]
        body = json.dumps({"images": encoded}).encode("ascii")
        return self._several(self._post(body, "application/json", len(images), meter))

    # ------------------------------------------------------------------ what was answered

    def _single(self, answer: dict[str, Any]) -> Any:
        most = answer.get("max_batch", 1)
        if isinstance(most, int) and most > 1:
            self.largest_batch = min(most, LARGEST_BATCH)
        value = answer["label"] if "label" in answer else answer.get("scores")
        right = isinstance(value, (str, list) if "label" not in answer else (str, int))
        if value is None or isinstance(value, bool) or not right:
            raise self._wrong(answer, '{"label": 3}, {"label": "cat"} or {"scores": [0.1, 0.9]}')
        return value

    def _several(self, answer: dict[str, Any]) -> Any:
        value = answer.get("labels", answer.get("scores"))
        if not isinstance(value, list) or any(isinstance(item, bool) for item in value):
            raise self._wrong(answer, '{"labels": [3, 7]} or {"scores": [[0.1, 0.9], [0.8, 0.2]]}')
        return value

    def _wrong(self, answer: Any, expected: str) -> BlackBoxError:
        came = self._clean(json.dumps(answer))[:80]
        return BlackBoxError(f"{self.name} answered {came}.", hint=f"Expected {expected}.")

    # ------------------------------------------------------------------ asking, again and again

    def _post(self, body: bytes, kind: str, count: int, meter: QueryMeter) -> dict[str, Any]:
        """The JSON object that was answered. Raises BlackBoxError once there is no hope."""
        problem, wait = "", FIRST_WAIT_S
        for number in range(1, TRIES + 1):
            meter.send(count)
            pause = wait
            try:
                reply = self._exchange(body, kind)
            except _NotReachedError as error:
                meter.take_back(count)
                problem = str(error)
            except (OSError, HTTPException) as error:
                problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            else:
                if 200 <= reply.status < 300:
                    return self._parsed(reply)
                problem = self._refusal(reply)  # raises unless it is worth another try
                if reply.status == _TOO_MANY:
                    meter.take_back(count)
                pause = max(wait, self._retry_after(reply, problem))
            if number < TRIES:
                time.sleep(pause)
                wait = min(2 * wait, LONGEST_WAIT_S)
        raise BlackBoxError(
            f"{self.name} does not answer after {TRIES} tries ({self._clean(problem)}).",
            hint=Advice(
                "Start it again, or lower {}; a run goes on with {}.",
                Argument("queries_per_second"),
                Argument("resume"),
            ),
        )

    def _exchange(self, body: bytes, kind: str) -> _Reply:
        """One request and its answer; opens a connection where there is none, closes it where one fails."""
        reused = self._connection is not None and self._connection.sock is not None
        connection = self._connected()
        try:
            try:
                return self._sent(connection, body, kind)
            except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                if not reused:
                    raise
            self.close()  # kept open, and closed by the server meanwhile
            return self._sent(self._connected(), body, kind)
        except BaseException:
            self.close()
            raise

    def _connected(self) -> HTTPConnection:
        if self._connection is None:
            secure = self._parts.scheme == "https"
            make = HTTPSConnection if secure else HTTPConnection
            self._connection = make(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except (OSError, UnicodeError) as error:
                self.close()
                raise _NotReachedError(str(error) or type(error).__name__) from error
        return self._connection

    def _sent(self, connection: HTTPConnection, body: bytes, kind: str) -> _Reply:
        deadline = time.monotonic() + self._timeout_s
        target = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        connection.request("POST", target, body, {**self._headers, "Content-Type": kind})
        with connection.getresponse() as response:  # closed, or the connection takes no other request
            headers = {name.lower(): value for name, value in response.getheaders()}
            return _Reply(response.status, headers, self._body(response, deadline))

    def _body(self, response: HTTPResponse, deadline: float) -> bytes:
        """Read to its end, which must come in time and before LARGEST_ANSWER."""
        read = bytearray()
        while part := response.read1(_CHUNK):
            read += part
            if len(read) > LARGEST_ANSWER:
                raise BlackBoxError(
                    f"{self.name} answered more than {LARGEST_ANSWER // 2**20} MiB.",
                    hint="Expected a short JSON object; is this the classifier's address?",
                )
            if time.monotonic() > deadline:
                raise TimeoutError(f"no whole answer in {self._timeout_s:g} s")
        if response.length:  # what Content-Length promised and did not come
            raise HTTPException("the answer broke off")
        return bytes(read)

    def __del__(self) -> None:
        if hasattr(self, "_connection"):  # not where the address was refused
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    # ------------------------------------------------------------------ judging replies

    def _parsed(self, reply: _Reply) -> dict[str, Any]:
        try:
            answer = json.loads(reply.body)
        except (ValueError, RecursionError):
            answer = reply.body[:80].decode("utf-8", "replace")
        if not isinstance(answer, dict):
            raise self._wrong(answer, "a JSON object")
        return answer

    def _refusal(self, reply: _Reply) -> str:
        """Why it refused, where another try may help; else raises BlackBoxError."""
        status = reply.status
        said = self._clean(reply.body[:200].decode("utf-8", "replace")).strip()
        if status in (_TOO_MANY, _TIMED_OUT) or status >= 500:
            return f"HTTP {status}"
        hint = "Check the address."
        if status in (_UNAUTHORISED, _FORBIDDEN):
            hint = Advice("Give its token: {}.", Argument("header", "Authorization: Bearer …"))
        elif 300 <= status < 400:
            hint = "Redirects are not followed: give the address that it leads to."
        raise BlackBoxError(f"{self.name} refused with HTTP {status}.", hint=hint, details=said)

    def _retry_after(self, reply: _Reply, problem: str) -> float:
        """Seconds that the server asks to wait. Raises BlackBoxError when they are too many."""
        text = reply.headers.get("retry-after", "").strip()
        try:
            seconds = float(text) if text.isdecimal() else _seconds_until(text)
        except (TypeError, ValueError, OverflowError):
            return 0.0
        if seconds > LONGEST_RETRY_AFTER_S:
            raise BlackBoxError(
                f"{self.name} answered {problem} and asks to wait {seconds:.0f} s.",
                hint=Advice(
                    "Come back then: a run goes on with {}. Or lower {}.",
                    Argument("resume"),
                    Argument("queries_per_second"),
                ),
            )
        return max(0.0, seconds)

    def _clean(self, text: str) -> str:
        """Without the tokens, which a server may repeat in what it says."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text


def _seconds_until(text: str) -> float:
    moment = parsedate_to_datetime(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - datetime.now(timezone.utc)).total_seconds()


def _png(image: UInt8Images) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def _secrets(access: Access) -> set[str]:
    values = {value for _, value in access.headers}
    return values | {value.split()[-1] for value in values if len(value.split()[-1]) >= 4}


def _checked(address: str) -> str:
    """Raises ConfigError, which does not repeat what may be secret."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises for a port out of range
    except ValueError:
        parts = urlsplit("")
    printable = address.isascii() and address.isprintable() and " " not in address
    if not parts.hostname or not printable:
        raise ConfigError("The classifier's address cannot be read.", hint="Expected http://host:port/path.")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "The classifier's address holds a user or password, which would be written into run.json.",
            hint=Advice("Give them as {}.", Argument("header", "Authorization: Basic …")),
        )
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if any(word in name.lower() for word in _SECRET_WORDS):
            raise ConfigError(
                f"The classifier's address holds {name!r}, which would be written into run.json.",
                hint=Advice("Give it as a {}.", Argument("header")),
            )
    return address
