"""ONNX files made by hand: layouts, types, metadata, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers import Access, Classifier, load_classifier
from pgn_studio.core.errors import PgnStudioError

onnx = pytest.importorskip("onnx", reason="onnx is in the `test` extra")
pytest.importorskip("onnxruntime", reason="onnxruntime is in the `onnx` and `test` extras")
CLASSES = ("red", "green", "blue")


def channel_model(
    path: Path,
    *,
    shape: tuple[Any, ...] = ("n", 3, "h", "w"),
    kind: int = onnx.TensorProto.FLOAT,
    label: bool = False,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Scores are the means of the three channels; with `label`, the number of the largest."""
    helper, last = onnx.helper, shape[-1] == 3
    axes = onnx.numpy_helper.from_array(np.array([1, 2] if last else [2, 3]), "axes")
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["scores"], keepdims=0),
    ]
    output = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [shape[0], 3])
    if label:
        nodes.append(helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0))
        output = helper.make_tensor_value_info("label", onnx.TensorProto.INT64, [shape[0]])
    given = helper.make_tensor_value_info("image", kind, list(shape))
    graph = helper.make_graph(nodes, "channels", [given], [output], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def opened(path: Path, **options: Any) -> Classifier:
    return load_classifier(path, **{"classes": CLASSES, "image_size": 8, **options})


PIXELS = torch.zeros(3, 3, 8, 8)
PIXELS[[0, 1, 2], [0, 1, 2]] = 1.0


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (("n", 3, "h", "w"), onnx.TensorProto.FLOAT),
        (("n", "h", "w", 3), onnx.TensorProto.FLOAT),
        ((2, 3, 8, 8), onnx.TensorProto.FLOAT),
        (("n", 3, 8, 8), onnx.TensorProto.FLOAT16),
        (("n", 8, 8, 3), onnx.TensorProto.UINT8),
    ],
)
def test_layouts_types_and_fixed_batches(tmp_path: Path, shape: tuple[Any, ...], kind: int) -> None:
    classifier = opened(channel_model(tmp_path / "m.onnx", shape=shape, kind=kind))
    assert classifier(PIXELS).argmax(1).tolist() == [0, 1, 2]
    assert classifier.gives_scores
    assert classifier.queries is not None
    assert classifier.queries.used == 6
    assert (classifier.info.arch, len(classifier.info.sha256)) == ("onnx", 64)


def test_labels_only(tmp_path: Path) -> None:
    classifier = opened(channel_model(tmp_path / "m.onnx", label=True))
    assert torch.equal(classifier(PIXELS), torch.eye(3))
    assert not classifier.gives_scores


def test_mean_and_std_are_the_models_own(tmp_path: Path) -> None:
    path = channel_model(tmp_path / "m.onnx")
    classifier = opened(path, mean=(0.5, 0.0, 0.0), std=(0.5, 1.0, 2.0))
    torch.testing.assert_close(classifier(torch.ones(1, 3, 8, 8)), torch.tensor([[1.0, 1.0, 0.5]]))
    described = channel_model(tmp_path / "d.onnx", metadata={"mean": "[0.5, 0, 0]", "std": "[0.5, 1, 2]"})
    torch.testing.assert_close(opened(described)(torch.ones(1, 3, 8, 8)), classifier(torch.ones(1, 3, 8, 8)))


def test_metadata_names_classes_and_size(tmp_path: Path) -> None:
    names = {"names": "{0: 'blue', 1: 'green', 2: 'red'}", "imgsz": "[16, 16]"}  # as Ultralytics writes it
    classifier = opened(channel_model(tmp_path / "m.onnx", metadata=names), image_size=None)
    assert classifier.info.image_size == 16
    assert classifier(PIXELS).argmax(1).tolist() == [2, 1, 0]
    other = channel_model(tmp_path / "o.onnx", metadata={"classes": json.dumps(["a", "b", "c"])})
    with pytest.raises(PgnStudioError, match="with classes"):
        opened(other)


def test_the_size_of_the_file_wins(tmp_path: Path) -> None:
    path = channel_model(tmp_path / "m.onnx", shape=("n", 3, 8, 8))
    assert opened(path, image_size=None).info.image_size == 8
    with pytest.raises(PgnStudioError, match="takes images of 8 px, not of 9 px"):
        opened(path, image_size=9)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" * 300])
def test_a_malformed_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(PgnStudioError, match=r"m\.onnx cannot be loaded as ONNX"):
        opened(tmp_path / "m.onnx")


@pytest.mark.parametrize("shape", [("n", 2, 8, 8), ("n", 3), ("n", 3, 8, 16)])
def test_inputs_that_are_no_square_color_images(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    path = tmp_path / "m.onnx"
    given = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, list(shape))
    output = onnx.helper.make_tensor_value_info("same", onnx.TensorProto.FLOAT, list(shape))
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["image"], ["same"])], "g", [given], [output]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, path)
    with pytest.raises(PgnStudioError, match=r"m\.onnx takes"):
        opened(path)


def test_wrong_number_of_scores(tmp_path: Path) -> None:
    with pytest.raises(PgnStudioError, match="3 scores for 2 classes"):
        load_classifier(channel_model(tmp_path / "m.onnx"), classes=("a", "b"), image_size=8)


def test_a_missing_file_and_missing_classes(tmp_path: Path) -> None:
    with pytest.raises(PgnStudioError, match="There is no classifier file"):
        opened(tmp_path / "none.onnx")
    with pytest.raises(PgnStudioError, match="does not say its classes"):
        load_classifier(channel_model(tmp_path / "m.onnx"))


def test_without_onnxruntime_the_hint_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(PgnStudioError, match=r"pip install 'pgn-studio\[onnx\]'"):
        opened(tmp_path / "m.onnx")


def made(path: Path, nodes: list[Any], outputs: list[Any], *, shape: tuple[Any, ...], kind: int) -> Path:
    helper = onnx.helper
    given = helper.make_tensor_value_info("image", kind, list(shape))
    axes = onnx.numpy_helper.from_array(np.array([2, 3]), "axes")
    held = [axes, onnx.numpy_helper.from_array(np.array(0.5, np.float32), "half"),
            onnx.numpy_helper.from_array(np.array(True), "on")]  # fmt: skip
    model = helper.make_model(
        helper.make_graph(nodes, "g", [given], outputs, held), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 9
    onnx.save(model, path)
    return path


def output(name: str, kind: int = onnx.TensorProto.FLOAT) -> Any:
    return onnx.helper.make_tensor_value_info(name, kind, None)


def node(kind: str, given: list[str], name: str, **options: Any) -> Any:
    return onnx.helper.make_node(kind, given, [name], **options)


MEANS = node("ReduceMean", ["image", "axes"], "scores", keepdims=0)
COLOR, FLOAT = ("n", 3, 8, 8), onnx.TensorProto.FLOAT


def test_scores_are_found_among_outputs(tmp_path: Path) -> None:
    nodes = [MEANS, node("Concat", ["scores", "scores"], "features", axis=1)]
    path = made(tmp_path / "m.onnx", nodes, [output("features"), output("scores")], shape=COLOR, kind=FLOAT)
    assert opened(path)(PIXELS).argmax(1).tolist() == [0, 1, 2]
    nodes = [MEANS, node("Neg", ["scores"], "other")]
    path = made(tmp_path / "o.onnx", nodes, [output("scores"), output("other")], shape=COLOR, kind=FLOAT)
    with pytest.raises(PgnStudioError, match="several outputs"):
        opened(path)


def test_a_softmax_is_told(tmp_path: Path) -> None:
    nodes = [MEANS, node("Softmax", ["scores"], "soft", axis=1)]
    path = made(tmp_path / "m.onnx", nodes, [output("soft")], shape=COLOR, kind=FLOAT)
    classifier = opened(path)
    torch.testing.assert_close(classifier(PIXELS).softmax(1), PIXELS.mean((2, 3)).softmax(1))
    assert any("probabilities" in notice for notice in classifier.info.notices)


def test_dropout_left_on_is_refused(tmp_path: Path) -> None:
    nodes = [node("Dropout", ["image", "half", "on"], "dropped", seed=3),
             node("ReduceMean", ["dropped", "axes"], "scores", keepdims=0)]  # fmt: skip
    path = made(tmp_path / "m.onnx", nodes, [output("scores")], shape=COLOR, kind=FLOAT)
    with pytest.raises(PgnStudioError, match="training mode"):
        opened(path)


@pytest.mark.parametrize("kind", [FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.UINT8])
def test_one_channel_is_given_the_luminance(tmp_path: Path, kind: int) -> None:
    nodes = [node("Cast", ["image"], "values", to=FLOAT),
             node("ReduceMean", ["values", "axes"], "mean", keepdims=0),
             node("Concat", ["mean", "half1", "mean"], "scores", axis=1)]  # fmt: skip
    nodes.insert(2, node("Neg", ["mean"], "half1"))
    path = made(tmp_path / "m.onnx", nodes, [output("scores")], shape=("n", 1, 8, 8), kind=kind)
    classifier = opened(path)
    scale = 255 if kind == onnx.TensorProto.UINT8 else 1
    found = classifier(PIXELS)[:, 0] / scale
    torch.testing.assert_close(found, torch.tensor([0.299, 0.587, 0.114]), atol=0.003, rtol=0)
    assert "Gray" in classifier.info.facts


def test_of_imagenets_outputs_those_of_the_data_sets_synsets_are_used(tmp_path: Path) -> None:
    """The first three give the colors' means, all others nothing."""
    helper = onnx.helper
    wide = np.zeros((3, 1000), np.float32)
    wide[[0, 1, 2], [0, 1, 2]] = 5
    held = [
        onnx.numpy_helper.from_array(np.array([2, 3]), "axes"),
        onnx.numpy_helper.from_array(wide, "wide"),
    ]
    given = helper.make_tensor_value_info("image", FLOAT, list(COLOR))
    scores = helper.make_tensor_value_info("all", FLOAT, ["n", 1000])
    graph = helper.make_graph(
        [MEANS, node("MatMul", ["scores", "wide"], "all")], "g", [given], [scores], held
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, tmp_path / "m.onnx")
    synsets = ("n01443537", "n01440764", "n01484850")  # numbers 1, 0, 2
    classifier = load_classifier(tmp_path / "m.onnx", classes=synsets, image_size=8)
    assert classifier(PIXELS).argmax(1).tolist() == [1, 0, 2]
    assert any("1,000 outputs" in notice for notice in classifier.info.notices)
    with pytest.raises(PgnStudioError, match="1000 scores"):
        load_classifier(tmp_path / "m.onnx", classes=CLASSES, image_size=8)


def made_of(path: Path, nodes: list[Any], held: dict[str, Any]) -> Path:
    """A file whose output is `scores`."""
    helper = onnx.helper
    given = helper.make_tensor_value_info("image", FLOAT, list(COLOR))
    constants = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "g", [given], [output("scores")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


def test_scores_in_order_of_size_are_refused(tmp_path: Path) -> None:
    wide = np.random.default_rng(0).normal(size=(192, 10)).astype(np.float32)
    linear = [node("Flatten", ["image"], "values"), node("MatMul", ["values", "wide"], "plain")]
    topk = onnx.helper.make_node("TopK", ["plain", "all"], ["scores", "which"])
    held = {"wide": wide, "all": np.array([10])}
    classes = tuple("abcdefghij")
    path = made_of(tmp_path / "sorted.onnx", [*linear, topk], held)
    with pytest.raises(PgnStudioError, match="order of size"):
        opened(path, classes=classes)
    with pytest.raises(PgnStudioError, match="order of size"):  # whatever the data set's order is
        opened(path, classes=classes, access=Access(classes=tuple("jcdabefhgi")))
    plain = node("Identity", ["plain"], "scores")
    opened(made_of(tmp_path / "m.onnx", [*linear, plain], held), classes=classes)


def test_percentages_and_constants_are_told(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", ["image", "axes"], "means", keepdims=0), node("Softmax", ["means"], "soft"),
             node("Mul", ["soft", "factor"], "scores")]  # fmt: skip
    held = {"axes": np.array([2, 3]), "factor": np.float32(100)}
    classifier = opened(made_of(tmp_path / "m.onnx", nodes, held))
    torch.testing.assert_close(classifier(PIXELS).softmax(1), PIXELS.mean((2, 3)).softmax(1))
    assert any("percentages" in notice for notice in classifier.info.notices)
    constant = opened(made_of(tmp_path / "c.onnx", nodes, {**held, "factor": np.float32(0)}))
    assert any("same for every image" in notice for notice in constant.info.notices)


def test_a_look_at_the_whole_batch_is_refused(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMin", ["image"], "low", keepdims=0), node("ReduceMax", ["image"], "high", keepdims=0),
        node("Sub", ["high", "low"], "range"), node("Sub", ["image", "low"], "above"),
        node("Div", ["above", "range"], "values"),
        node("ReduceMean", ["values", "axes"], "scores", keepdims=0),
    ]  # fmt: skip
    with pytest.raises(PgnStudioError, match="comes with others"):
        opened(made_of(tmp_path / "m.onnx", nodes, {"axes": np.array([2, 3])}))
