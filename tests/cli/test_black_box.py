"""Black boxes of each kind from the command line: trained on, evaluated, resumed; no token written."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pgn_studio.cli.blackbox import GivenAccess, without_secrets
from pgn_studio.core.classifiers.blackbox import http
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.paths import log_file
from pgn_studio.core.runs import RunFolder
from tests.cli.conftest import RunCommand
from tests.core.classifiers.blackbox.server import Endpoint, serving

DATA = ("--dataset", "digits", "--num-classes", "2", "--image-size", "8")
FAST = (
    "--encoder", "small", "--set", "decoder_widths=8", "--precision", "fp32", "--device", "cpu",
    "--gamma", "0.1", "--epochs", "2", "--discriminator", "blackbox",
)  # fmt: skip
TOKEN = "t0p-s3cret-t0ken"
MODULE = """
import numpy as np

def predict(images):
    values = images[..., 0].reshape(len(images), -1) / 255
    return values @ np.load("weights.npy")
"""
Weights = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def weights() -> Weights:
    """(64, 2) of a linear classifier that saw a few images: right on most."""
    split = load_dataset(DataSettings(dataset="digits", num_classes=2, image_size=8)).split("train")
    chosen = np.arange(12)
    values = split.images(chosen)[..., 0].reshape(len(chosen), -1) / 255
    solved = np.linalg.lstsq(values, np.eye(2)[split.labels[chosen]], rcond=None)[0]
    return np.asarray(solved, dtype=np.float32)


@pytest.fixture
def place(tmp_path: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with `linear_box.py` to import."""
    np.save(tmp_path / "weights.npy", weights)
    (tmp_path / "linear_box.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(http, "LONGEST_WAIT_S", 0.02)
    yield tmp_path
    sys.modules.pop("linear_box", None)


@pytest.fixture
def endpoint(weights: Weights) -> Iterator[Endpoint]:
    def labels(images: npt.NDArray[np.uint8]) -> list[int]:
        return (images[..., 0].reshape(len(images), -1) / 255 @ weights).argmax(1).tolist()  # type: ignore[no-any-return]

    with serving(labels) as made:
        made.max_batch = 64
        yield made


def save_onnx(path: Path, weights: Weights) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is in the `test` extra")
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the `onnx` and `test` extras")
    three = np.repeat(weights[None] / 3, 3, axis=0).reshape(-1, 2)  # the same for each channel
    nodes = [
        onnx.helper.make_node("Flatten", ["image"], ["values"], axis=1),
        onnx.helper.make_node("MatMul", ["values", "weights"], ["scores"]),
    ]
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", 3, 8, 8])
    scores = onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["n", 2])
    held = onnx.numpy_helper.from_array(three.astype(np.float32), "weights")
    graph = onnx.helper.make_graph(nodes, "linear", [image], [scores], [held])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, path)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_classes_from_a_file_of_any_editor(tmp_path: Path, encoding: str, ending: str) -> None:
    names = ("cat", "d\u00f6g", "red fox")
    (tmp_path / "names.txt").write_bytes((ending.join(names) + ending).encode(encoding))
    assert GivenAccess(classes=str(tmp_path / "names.txt")).access().classes == names


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "at least two"),
        (b"cat\n", "'cat'"),
        (b"cat\ndog\ncat\n", "'cat' more than once"),
        (b"d\xf6g\ncat", "UTF-8"),
    ],
)
def test_a_file_of_classes_that_is_of_no_use(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        GivenAccess(classes=str(tmp_path / "names.txt")).access()


@pytest.mark.parametrize("problem", ["enhance", "adversarial"])
@pytest.mark.parametrize("kind", ["onnx", "http", "python"])
def test_train_and_evaluate(
    pgn_studio: RunCommand, place: Path, endpoint: Endpoint, weights: Weights, kind: str, problem: str
) -> None:
    sources = {"onnx": "box.onnx", "http": endpoint.address, "python": "python:linear_box:predict"}
    if kind == "onnx":
        save_onnx(place / "box.onnx", weights)
    trusted = ("--trust-code",) if kind == "python" else ()
    outcome = pgn_studio(
        "train", *DATA, *FAST, "--problem", problem, "--classifier", sources[kind], *trusted, "--out", "run"
    )
    assert outcome.code == 0, outcome.err
    run = RunFolder.open(place / "run")
    assert run.run_json["queries"] == run.run_json["results"]["queries"] > 300
    assert f"Queries to the black box in this run: {run.run_json['queries']:,}." in outcome.err
    if kind == "http":
        assert endpoint.images == run.run_json["queries"]

    arguments = ("evaluate", "run", "--json", "figures.json", "--device", "cpu")
    measured = pgn_studio(*arguments, *trusted)
    assert measured.code == 0, measured.err
    figures = json.loads((place / "figures.json").read_text(encoding="utf-8"))
    assert 0 < figures["queries"] <= 3 + 2 * figures["n"]
    assert f"Queries to the black box: {figures['queries']:,}" in measured.out
    assert (figures["map_clean"] is None) == (kind == "http")  # which gives labels only
    if kind == "python":
        refused = pgn_studio(*arguments)
        assert refused.code == 2
        assert "--trust-code" in refused.err


def test_no_token_is_written(pgn_studio: RunCommand, place: Path, endpoint: Endpoint) -> None:
    secret = ("--header", f"Authorization: Bearer {TOKEN}")
    common = ("train", *DATA, *FAST, "--classifier", endpoint.address, *secret)
    outcome = pgn_studio(*common, "--queries-per-second", "100000", "--out", "run")
    assert outcome.code == 0, outcome.err
    assert all(headers["Authorization"] == f"Bearer {TOKEN}" for headers in endpoint.headers)
    assert pgn_studio("evaluate", "run", *secret).code == 0
    endpoint.troubles = [(401, {}, f"who is {TOKEN}?".encode())]
    refused = pgn_studio("evaluate", "run", f"--header={secret[1]}")
    assert refused.code == 2
    assert "refused with HTTP 401" in refused.err
    assert TOKEN not in outcome.err + outcome.out + refused.err
    files = [path for path in (*place.rglob("*"), *log_file().parent.rglob("*")) if path.is_file()]
    assert place / "run" / "run.json" in files
    assert log_file() in files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
    recorded = RunFolder.open(place / "run").run_json["external_classifier"]["access"]
    assert recorded["header_names"] == ["Authorization"]
    assert recorded["per_second"] == 100000


def test_a_server_that_dies_in_the_middle(pgn_studio: RunCommand, place: Path, endpoint: Endpoint) -> None:
    endpoint.dies_after = 900
    unmixed = ("--set", "input_mixup=0")  # choosing a share asks, too
    common = ("train", *DATA, *FAST, *unmixed, "--classifier", endpoint.address, "--out", "run")
    outcome = pgn_studio(*common, "--epochs", "3")
    assert outcome.code == 2
    last = outcome.error_lines[-1]
    assert f"error: {endpoint.address} does not answer after 6 tries" in last
    assert "--resume" in last
    assert "Traceback" not in outcome.err
    run = RunFolder.open(place / "run")
    assert run.run_json["status"] == "failed"
    asked = run.run_json["queries"]
    assert run.pgn_path.is_file()
    assert run.checkpoint_path.is_file()
    endpoint.dies_after = None
    again = pgn_studio("train", "--resume", "run", "--query-timeout", "20")
    assert again.code == 0, again.err
    resumed = RunFolder.open(place / "run").run_json
    assert resumed["status"] == "completed"
    assert resumed["queries"] > asked
    assert resumed["external_classifier"]["access"]["timeout_s"] == 20


def test_baselines_that_need_gradients_are_left_out(
    pgn_studio: RunCommand, place: Path, weights: Weights
) -> None:
    save_onnx(place / "box.onnx", weights)
    assert pgn_studio("train", *DATA, *FAST, "--classifier", "box.onnx", "--out", "run").code == 0
    outcome = pgn_studio("baseline", "all", "run", "--device", "cpu", "--json", "all.json")
    assert outcome.code == 0, outcome.err
    assert list(json.loads((place / "all.json").read_text())["baselines"]) == ["random-sign"]
    assert "FGSM is left out: " in outcome.err
    reported = pgn_studio("report", "run", "--out", "report", "--device", "cpu", "--resamples", "100")
    assert reported.code == 0, reported.err
    assert "The baseline white-box is left out: " in reported.err
    alone = pgn_studio("baseline", "fgsm", "run", "--device", "cpu")
    assert alone.code == 2
    assert "gradient" in alone.error_lines[-1]


def test_the_budget(pgn_studio: RunCommand, place: Path, endpoint: Endpoint) -> None:
    common = ("train", *DATA, *FAST, "--set", "input_mixup=0", "--classifier", endpoint.address)
    small = pgn_studio(*common, "--query-budget", "100", "--out", "small")
    assert small.code == 2
    assert "query budget leaves 97 queries" in small.err
    assert endpoint.images == 3
    outcome = pgn_studio(*common, "--epochs", "50", "--query-budget", "1500", "--out", "run")
    assert "The query budget of 1,500 used: " in outcome.err
    assert "Stopped after" in outcome.out
    assert endpoint.images - 3 <= 1500
    assert RunFolder.open(place / "run").pgn_path.is_file()
    before = endpoint.images
    refused = pgn_studio("evaluate", "run", "--query-budget", "20")
    assert refused.code == 2
    assert "Measuring 90 images would take up to 180 queries" in refused.err
    assert endpoint.images == before + 3


def test_a_lone_pgn_sends_images_nowhere_by_itself(
    pgn_studio: RunCommand, place: Path, endpoint: Endpoint
) -> None:
    trained = pgn_studio("train", *DATA, *FAST, "--classifier", endpoint.address, "--out", "run")
    assert trained.code == 0, trained.err
    (place / "run" / "pgn.safetensors").rename(place / "lone.safetensors")
    before = endpoint.images
    refused = pgn_studio("evaluate", "lone.safetensors")
    assert refused.code == 2
    assert "would be sent the images" in refused.err
    assert endpoint.images == before
    assert pgn_studio("evaluate", "lone.safetensors", "--classifier", endpoint.address).code == 0


def test_command_lines_are_logged_without_secrets() -> None:
    given = ["train", "--header", "A: x y", "--header=B: z", "http://u:p@h/a?k=v", "--epochs", "2"]
    assert without_secrets(given) == [
        "train",
        "--header",
        "…",
        "--header=B: …",
        "http://…@h/a?…",
        "--epochs",
        "2",
    ]


def test_a_report_and_a_picture_of_a_box_of_labels_alone(
    pgn_studio: RunCommand, place: Path, endpoint: Endpoint
) -> None:
    token = ("--header", f"Authorization: Bearer {TOKEN}")
    common = ("train", *DATA, *FAST, "--classifier", endpoint.address)
    assert pgn_studio(*common, *token, "--out", "run").code == 0
    sent = len(endpoint.headers)
    for command in (
        ("report", "run", "--out", "report", "--resamples", "100"),
        ("baseline", "random-sign", "run", "--json", "random.json"),
    ):
        outcome = pgn_studio(*command, *token, "--device", "cpu")
        assert outcome.code == 0, outcome.err
    assert all(headers["Authorization"] == f"Bearer {TOKEN}" for headers in endpoint.headers[sent:])
    assert len(endpoint.headers) > sent
    written = json.loads((place / "report" / "report.json").read_text(encoding="utf-8"))
    assert written["metrics"]["perturbed_accuracy"]["value"] > 0
    assert TOKEN not in (place / "report" / "report.html").read_text(encoding="utf-8")
    Image.new("RGB", (8, 8), "white").save(place / "white.png")
    refused = pgn_studio("perturb", "run", "white.png", *token, "--if-surer", "--out", "pictures")
    assert refused.code == 2
    assert "labels only" in refused.error_lines[-1]
    assert not (place / "pictures").exists()


def test_a_sweep_over_trusted_code(pgn_studio: RunCommand, place: Path) -> None:
    over = ("--over", "loss=least-squares,logistic")
    common = ("sweep", *DATA, *FAST, "--classifier", "python:linear_box:predict", *over)
    refused = pgn_studio(*common, "--out", "refused")
    assert refused.code == 2
    assert "--trust-code" in refused.err
    outcome = pgn_studio(*common, "--trust-code", "--out", "sweep")
    assert outcome.code == 0, outcome.err
    assert (place / "sweep" / "sweep.csv").read_text(encoding="utf-8").count(",done,") == 2
    for value in ("least-squares", "logistic"):
        assert RunFolder.open(next(place.glob(f"sweep/**/loss-{value}"))).run_json["status"] == "completed"
