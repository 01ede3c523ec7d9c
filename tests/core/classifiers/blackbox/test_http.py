"""The HTTP protocol against a real server: answers, troubles, limits and secrets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers import Access, BlackBoxClassifier, load_classifier
from pgn_studio.core.classifiers.blackbox import http
from pgn_studio.core.classifiers.blackbox.access import parse_headers
from pgn_studio.core.errors import BlackBoxError, ConfigError, PgnStudioError, QueryBudgetError
from tests.core.classifiers.blackbox.server import Endpoint, brightness, serving

CLASSES = ("dark", "bright")
PICTURES = np.stack([np.full((8, 8, 3), value, dtype=np.uint8) for value in (0, 10, 200, 255, 90)])
LABELS = [0, 0, 1, 1, 0]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(brightness) as made:
        yield made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(http, "LONGEST_WAIT_S", 0.02)


def opened(endpoint: Endpoint, **access: object) -> BlackBoxClassifier:
    classifier = load_classifier(
        endpoint.address,
        classes=CLASSES,
        image_size=8,
        access=Access(**access),  # type: ignore[arg-type]
    )
    assert isinstance(classifier, BlackBoxClassifier)
    return classifier


def pixels(images: np.ndarray = PICTURES) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def test_labels_become_one_hot_and_show_no_features(endpoint: Endpoint) -> None:
    classifier = opened(endpoint)
    logits = classifier(pixels())
    assert logits.argmax(1).tolist() == LABELS
    assert set(logits.flatten().tolist()) == {0.0, 1.0}
    assert not classifier.gives_scores
    assert (classifier.has_features, classifier.feature_dim) == (False, 0)
    assert classifier.info.parameters == 0
    torch.testing.assert_close(classifier.denormalize(classifier.normalize(pixels())), pixels())


def test_names_and_probabilities(endpoint: Endpoint) -> None:
    endpoint.answer = lambda images: [CLASSES[label] for label in brightness(images)]
    assert opened(endpoint)(pixels()).argmax(1).tolist() == LABELS
    endpoint.answer = lambda images: [[1 - 0.8 * label, 0.8 * label] for label in brightness(images)]
    classifier = opened(endpoint)
    torch.testing.assert_close(
        torch.softmax(classifier(pixels()), 1)[:, 1], torch.tensor(LABELS) * 0.8, atol=1e-5, rtol=0
    )
    assert classifier.gives_scores


def test_the_same_picture_is_asked_once_and_rounding_does_not_matter(endpoint: Endpoint) -> None:
    classifier = opened(endpoint)
    first = endpoint.images
    classifier(pixels())
    classifier(pixels() + 0.4 / 255)
    classifier(pixels()[[0, 0, 1]])
    assert endpoint.images == first + len(PICTURES)
    assert classifier.queries.used == endpoint.images
    classifier(pixels() + 1.2 / 255)
    assert endpoint.images == first + 2 * len(PICTURES) - 1  # white cannot become brighter


def test_batches_where_the_endpoint_takes_them(endpoint: Endpoint) -> None:
    endpoint.max_batch = 3
    classifier = opened(endpoint)
    assert endpoint.sizes == [1, 2]
    assert classifier(pixels()).argmax(1).tolist() == LABELS
    assert endpoint.sizes == [1, 2, 3, 2]
    endpoint.answer = lambda images: [[2.5, -1.0]] * len(images)
    with pytest.raises(BlackBoxError, match="gave labels before and scores now"):
        classifier(1 - pixels()[1:3])


def test_flaky_then_well(endpoint: Endpoint) -> None:
    classifier = opened(endpoint)
    before = classifier.queries.used
    endpoint.troubles = [(503, {}, b"busy"), (500, {}, b""), (429, {"Retry-After": "0"}, b"")]
    assert classifier(pixels()[:1]).argmax(1).tolist() == [0]
    assert classifier.queries.used == before + 3  # turned away with 429 is not counted


def test_retry_after_is_waited_for(endpoint: Endpoint) -> None:
    classifier = opened(endpoint)
    endpoint.troubles = [(429, {"Retry-After": "1"}, b"")]
    began = time.monotonic()
    classifier(pixels()[:1])
    assert time.monotonic() - began >= 1.0
    late = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1))
    endpoint.troubles = [(503, {"Retry-After": late}, b"")]
    with pytest.raises(BlackBoxError, match=r"asks to wait 3[56]\d\d s"):
        classifier(pixels()[1:2])


def test_down_for_good(endpoint: Endpoint) -> None:
    classifier = opened(endpoint)
    endpoint.dies_after = 0
    with pytest.raises(BlackBoxError, match="does not answer after 6 tries"):
        classifier(pixels())


def test_nobody_there_counts_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(BlackBoxError, match=r"does not answer after 6 tries \(.*refused"):
            load_classifier(address, classes=CLASSES, image_size=8, access=Access(budget=3))


def test_slow(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TRIES", 2)
    classifier = opened(endpoint, timeout_s=0.2)
    endpoint.delay_s = 0.5
    began = time.monotonic()
    with pytest.raises(BlackBoxError, match="does not answer after 2 tries"):
        classifier(pixels()[:1])
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"label": 2}', "the label 2; with 2 classes they go from 0 to 1"),
        (b'{"label": -1}', "the label -1"),
        (b'{"label": true}', "answered"),
        (b'{"label": null}', "answered"),
        (b'{"label": 1.5}', "answered"),
        (b'{"label": 1' + b"0" * 300 + b"}", "gave values of type object"),
        (b'{"label": "cat"}', "the class 'cat', which is none of 2"),
        (b'{"scores": [0.1, 0.2, 0.7]}', "3 scores for 2 classes"),
        (b'{"scores": [NaN, 1.0]}', "scores that are not finite"),
        (b'{"scores": [1e999, 1.0]}', "scores that are not finite"),
        (b'{"scores": [[0.1], [0.2]]}', "values of type float64 and shape"),
        (b'{"scores": ["a", "b"]}', "values of type <U1"),
        (b'{"scores": [0.5, [1]]}', "answers of different kinds or lengths"),
        (b'{"scores": []}', "0 scores for 2 classes"),
        (b"[1]", "answered [1]. Expected a JSON object"),
        (b"<html>", "answered \"<html>\". Expected a JSON object"),
        (b"", "Expected a JSON object"),
        (b"\xff\xfe\x00", "Expected a JSON object"),
        (b"[" * 100_000, "Expected a JSON object"),
        (b" " * (http.LARGEST_ANSWER + 1), "answered more than 4 MiB"),
    ],
)  # fmt: skip
def test_answers_of_no_use(endpoint: Endpoint, raw: bytes, said: str) -> None:
    endpoint.raw = raw
    with pytest.raises(BlackBoxError) as caught:
        opened(endpoint)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "raw", [b'{"labels": [1]}', b'{"labels": "11"}', b'{"labels": [true, false]}', b"{}"]
)
def test_batches_of_no_use(endpoint: Endpoint, raw: bytes) -> None:
    endpoint.max_batch = 8
    classifier = opened(endpoint)
    endpoint.raw = raw
    with pytest.raises(BlackBoxError):
        classifier(pixels()[:2])


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "Give its token"), (404, "Check the address"), (302, "Redirects are not followed")],
)
def test_refusals_are_told_at_once(endpoint: Endpoint, status: int, said: str) -> None:
    endpoint.troubles = [(status, {"Location": "http://127.0.0.1:9/"}, b"no")]
    with pytest.raises(BlackBoxError, match=f"refused with HTTP {status}.*{said}"):
        opened(endpoint)
    assert len(endpoint.headers) == 1


def test_budget_is_held_before_anything_is_sent(endpoint: Endpoint) -> None:
    classifier = opened(endpoint, budget=6)
    classifier(pixels()[:3])
    assert endpoint.images == 6
    classifier(pixels()[:3])  # known
    with pytest.raises(QueryBudgetError, match="of the query budget of 6 only 0 are left"):
        classifier(pixels()[:4])
    assert endpoint.images == 6


def test_rate_limit(endpoint: Endpoint) -> None:
    began = time.monotonic()
    classifier = opened(endpoint, per_second=20)
    classifier(pixels())
    assert time.monotonic() - began >= 7 / 20
    assert endpoint.images == 8


def test_a_token_is_sent_and_told_to_nobody(endpoint: Endpoint) -> None:
    token = "s3cr3t-t0ken"
    access = Access(headers=parse_headers([f"Authorization: Bearer {token}"]))
    classifier = load_classifier(endpoint.address, classes=CLASSES, image_size=8, access=access)
    assert endpoint.headers[0]["Authorization"] == f"Bearer {token}"
    assert token not in repr(access) + json.dumps(access.to_json()) + repr(classifier)
    endpoint.raw = json.dumps({"detail": f"bad token {token}"}).encode()
    with pytest.raises(BlackBoxError) as caught:
        classifier(pixels())
    assert token not in str(caught.value) + caught.value.details
    endpoint.troubles = [(403, {}, f"Bearer {token} is not allowed".encode())]
    with pytest.raises(BlackBoxError) as caught:
        classifier(pixels())
    assert token not in str(caught.value) + caught.value.details
    assert "is not allowed" in caught.value.details


@pytest.mark.parametrize("line", ["Authorization", "Bad name: x", "A: ", "A: x\ny", ": x", "A: \u2026"])
def test_bad_headers_are_refused_without_their_value(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_headers(["Good: yes", line])
    assert "header number 2" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://user:pass@127.0.0.1/",
        "http://127.0.0.1/?api_key=1",
        "http://h:99999/",
        "http://a b/",
    ],
)
def test_bad_addresses(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_classifier(address, classes=CLASSES, image_size=8)
    assert "pass@" not in str(caught.value)


def test_classes_in_another_order(endpoint: Endpoint) -> None:
    assert opened(endpoint, classes=("bright", "dark"))(pixels()).argmax(1).tolist() == [1, 1, 0, 0, 1]
    endpoint.answer = lambda images: [[0.3, 0.7]] * len(images)
    assert opened(endpoint, classes=("bright", "dark"))(pixels()).argmax(1).tolist() == [0] * 5
    with pytest.raises(PgnStudioError, match="are not the data set's"):
        opened(endpoint, classes=("bright", "gray"))
