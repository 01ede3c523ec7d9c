"""A real HTTP classifier on loopback, which can be made slow, flaky, strict or wrong."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from pgn_studio.core.protocols import UInt8Images

Answer = Callable[[UInt8Images], Any]  # (B, H, W, 3) → a list of labels or of scores
Trouble = tuple[int, dict[str, str], bytes]  # status, headers, body


class Endpoint:
    """`answer` classifies; `troubles` are given first, one a request; `raw` replaces every answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.troubles: list[Trouble] = []
        self.raw: bytes | None = None
        self.max_batch = 1
        self.delay_s = 0.0
        self.dies_after: int | None = None  # images
        self.images = 0
        self.sizes: list[int] = []  # of requests, in images
        self.headers: list[dict[str, str]] = []
        self.address = ""

    def reply(self, kind: str, body: bytes) -> bytes:
        if kind == "image/png":
            images, single = [_decoded(body)], True
        else:
            images, single = [_decoded(base64.b64decode(text)) for text in json.loads(body)["images"]], False
        self.images += len(images)
        self.sizes.append(len(images))
        if self.raw is not None:
            return self.raw
        answers = self.answer(np.stack(images))
        name = "scores" if isinstance(answers[0], list) else "label"
        if not single:
            return json.dumps({name if name == "scores" else "labels": answers}).encode()
        more = {"max_batch": self.max_batch} if self.max_batch > 1 else {}
        return json.dumps({name: answers[0], **more}).encode()


def _decoded(png: bytes) -> UInt8Images:
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "RGB")
    return np.asarray(image)


@contextmanager
def serving(answer: Answer) -> Iterator[Endpoint]:
    endpoint = Endpoint(answer)
    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open
        timeout = 5

        def setup(self) -> None:
            super().setup()
            connections.append(self.connection)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.headers.append(dict(self.headers))
            time.sleep(endpoint.delay_s)
            if endpoint.dies_after is not None and endpoint.images >= endpoint.dies_after:
                self.close_connection = True
                self.connection.close()
                return
            if endpoint.troubles:
                self._send(*endpoint.troubles.pop(0))
                return
            self._send(200, {}, endpoint.reply(self.headers["Content-Type"], body))

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            return  # a client that gave up

    server = Server(("127.0.0.1", 0), Handler)
    endpoint.address = f"http://127.0.0.1:{server.server_address[1]}/classify"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        for connection in connections:  # clients keep theirs open
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()
        thread.join()


def brightness(images: UInt8Images) -> list[int]:
    """Two classes: dark is 0, bright is 1."""
    return [int(image.mean() > 127) for image in images]
