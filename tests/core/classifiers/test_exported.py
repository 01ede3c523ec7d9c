"""Exported programs and TorchScript files: what is refused, what loads, and that loading runs nothing."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pgn_studio.core.classifiers import Access, SmallCNN, load_classifier
from pgn_studio.core.classifiers.exported import exported_image_size, plain_trees
from pgn_studio.core.errors import ClassifierError

CLASSES = ("red", "green", "blue")
LEAF = {"type": None, "context": None, "children_spec": []}


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


class Tiny(nn.Module):
    """Small enough to export in a moment; has a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.norm(self.conv(x))).mean(dim=(2, 3)))


def export(net: nn.Module, path: Path, *, fixed_batch: bool = False) -> Path:
    shapes = None if fixed_batch else ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(net, (torch.rand(2, 3, 16, 16),), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return path


def script(net: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and such files are still about
        torch.jit.script(net).save(str(path))
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    net = Tiny().eval()
    return net, export(net, tmp_path_factory.mktemp("exported") / "net.pt2")


def rewrite(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Copy an archive, with records changed, or left out (None)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def with_json(change: Callable[[Any], None], ending: str) -> Callable[[str, bytes], bytes]:
    def rewritten(name: str, content: bytes) -> bytes:
        if not name.endswith(ending):
            return content
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return rewritten


def test_an_exported_program_is_a_classifier(exported: tuple[nn.Module, Path]) -> None:
    net, path = exported
    classifier = load_classifier(path, classes=CLASSES)
    assert classifier.info.arch == "exported-program"
    assert classifier.info.image_size == 16
    pixels = torch.rand(5, 3, 16, 16, requires_grad=True)
    logits = classifier.train()(pixels)
    torch.testing.assert_close(logits, net(pixels))
    logits.sum().backward()
    assert pixels.grad is not None
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_a_torchscript_file_is_a_classifier(tmp_path: Path) -> None:
    net = SmallCNN(3, image_size=16).eval()
    script(net, tmp_path / "net.pt")
    half = (0.5, 0.5, 0.5)
    classifier = load_classifier(tmp_path / "net.pt", classes=CLASSES, image_size=16, mean=half, std=half)
    pixels = torch.rand(4, 3, 16, 16)
    torch.testing.assert_close(classifier.train()(pixels), net((pixels - 0.5) / 0.5))


def test_torchscript_that_touches_files_is_refused(tmp_path: Path) -> None:
    class Reader(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("/dev/zero", size=1)

    script(Reader(), tmp_path / "net.pt")
    with pytest.raises(ClassifierError, match="reads or writes files"):
        load_classifier(tmp_path / "net.pt", classes=CLASSES)


def test_programs_need_classes_of_their_number(exported: tuple[nn.Module, Path]) -> None:
    with pytest.raises(ClassifierError, match="does not say its classes"):
        load_classifier(exported[1])
    with pytest.raises(ClassifierError, match=r"expected to give \(2, 2\) logits"):
        load_classifier(exported[1], classes=CLASSES[:2])


def test_the_image_size_of_a_program_is_read_without_loading_it(tmp_path: Path) -> None:
    assert exported_image_size(export(Tiny().eval(), tmp_path / "net.pt2")) == 16
    script(Tiny().eval(), tmp_path / "net.pt")
    assert exported_image_size(tmp_path / "net.pt") is None


def test_a_program_exported_in_training_mode_is_refused(tmp_path: Path) -> None:
    export(Tiny().train(), tmp_path / "net.pt2")
    with pytest.raises(ClassifierError, match="training mode"):
        load_classifier(tmp_path / "net.pt2", classes=CLASSES)


def test_nan_weights_of_a_program_are_refused(tmp_path: Path) -> None:
    net = Tiny().eval()
    with torch.no_grad():
        net.fc.weight[0, 0] = float("nan")
    export(net, tmp_path / "net.pt2")
    with pytest.raises(ClassifierError, match="NaN"):
        load_classifier(tmp_path / "net.pt2", classes=CLASSES)


def test_pickled_code_in_a_program_is_refused_and_not_run(
    exported: tuple[nn.Module, Path], tmp_path: Path
) -> None:
    mark, buffer = tmp_path / "mark", io.BytesIO()
    torch.save((Payload(mark),), buffer)

    def poisoned(name: str, content: bytes) -> bytes:
        return buffer.getvalue() if name.endswith("/model.pt") else content

    path = rewrite(exported[1], tmp_path / "net.pt2", poisoned)
    with pytest.raises(ClassifierError, match=r"sample_inputs/model.pt, a pickle"):
        load_classifier(path, classes=CLASSES)
    assert not mark.exists()


def pickle_weights(config: Any) -> None:
    next(iter(config["config"].values()))["use_pickle"] = True


def name_an_object(config: Any) -> None:
    next(iter(config["config"].values()))["path_name"] = "opaque_obj_0"


def call_the_system(program: Any) -> None:
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.system"


def read_a_file(program: Any) -> None:
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def import_a_module(program: Any) -> None:
    signature = program["graph_module"]["module_call_graph"][0]["signature"]
    enum = {"__enum__": True, "fqn": "surely_not_there:A", "name": "B"}
    tree = {"type": "builtins.dict", "context": json.dumps([enum]), "children_spec": [LEAF]}
    signature["out_spec"] = json.dumps([1, tree])


def evaluate_code(program: Any) -> None:
    values = program["graph_module"]["graph"]["tensor_values"]
    values["x"]["sizes"][0]["as_expr"]["expr_str"] = "__import__('os').getcwd()"


@pytest.mark.parametrize(
    ("change", "ending", "match"),
    [
        (pickle_weights, "weights_config.json", "pickled weights"),
        (name_an_object, "weights_config.json", "opaque_obj_0"),
        (call_the_system, "models/model.json", "a call of torch.os.system"),
        (read_a_file, "models/model.json", "a call of torch.ops.aten.from_file"),
        (evaluate_code, "models/model.json", "the expression __import__"),
    ],
)
def test_what_could_run_code_is_refused(
    exported: tuple[nn.Module, Path],
    tmp_path: Path,
    change: Callable[[Any], None],
    ending: str,
    match: str,
) -> None:
    path = rewrite(exported[1], tmp_path / "net.pt2", with_json(change, ending))
    with pytest.raises(ClassifierError, match=match):
        load_classifier(path, classes=CLASSES)


def test_guards_in_a_program_are_not_executed(exported: tuple[nn.Module, Path], tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def guard(program: Any) -> None:
        program["guards_code"] = [f"__import__('pathlib').Path({str(mark)!r}).touch() is None"]

    path = rewrite(exported[1], tmp_path / "net.pt2", with_json(guard, "models/model.json"))
    load_classifier(path, classes=CLASSES)
    assert not mark.exists()


def test_a_tree_of_outputs_imports_nothing(exported: tuple[nn.Module, Path], tmp_path: Path) -> None:
    path = rewrite(exported[1], tmp_path / "net.pt2", with_json(import_a_module, "models/model.json"))
    pixels = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(load_classifier(path, classes=CLASSES)(pixels), exported[0](pixels))


def test_unknown_records_and_doubled_ones_are_refused(
    exported: tuple[nn.Module, Path], tmp_path: Path
) -> None:
    for extra, match in (("net/data/aotinductor/model/a.so", "aotinductor"), (None, "two records")):
        path = rewrite(exported[1], tmp_path / "net.pt2", lambda _, content: content)
        with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of the doubled name
            archive.writestr(extra or archive.namelist()[0], b"")
        with pytest.raises(ClassifierError, match=match):
            load_classifier(path, classes=CLASSES)


def test_a_damaged_program_is_refused(exported: tuple[nn.Module, Path], tmp_path: Path) -> None:
    path = rewrite(
        exported[1],
        tmp_path / "net.pt2",
        lambda name, content: None if name.endswith("weight_0") else content,
    )
    with pytest.raises(ClassifierError, match="cannot be loaded as an exported program"):
        load_classifier(path, classes=CLASSES)


def test_given_names_say_which_of_a_programs_outputs_is_which(exported: tuple[nn.Module, Path]) -> None:
    net, path = exported
    access = Access(classes=("blue", "red", "green"))
    classifier = load_classifier(path, classes=("red", "blue"), access=access)
    pixels = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(classifier(pixels), net(pixels)[:, [1, 0]])


@pytest.mark.parametrize("write", [export, script])
def test_of_imagenets_outputs_those_of_the_data_sets_synsets_are_used(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    torch.manual_seed(0)
    net = Tiny().eval()
    net.fc = nn.Linear(4, 1000)
    path = write(net, tmp_path / "net.pt2")
    classifier = load_classifier(path, classes=("n01440764", "n02102040", "n02979186"), image_size=16)
    pixels = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(classifier(pixels), net(pixels)[:, [0, 217, 482]])
    assert classifier.feature_dim == 4
    assert "1,000 outputs" in classifier.info.notices[-1]
    with pytest.raises(ClassifierError, match="3"):
        load_classifier(path, classes=CLASSES, image_size=16)


def spec(kind: str, context: Any, count: int = 2) -> dict[str, str]:
    return {"out_spec": json.dumps([1, {"type": kind, "context": context, "children_spec": [LEAF] * count}])}


def plain(value: dict[str, str]) -> tuple[str, Any]:
    tree = json.loads(plain_trees([{"signature": value}])[0]["signature"]["out_spec"])[1]
    assert tree["children_spec"] == [LEAF] * 2
    return tree["type"], json.loads(tree["context"])


@pytest.mark.parametrize(
    ("kind", "context"),
    [("builtins.tuple", "null"), ("builtins.list", "null"), ("builtins.dict", '["a", "b"]')],
)
def test_plain_containers_stay(kind: str, context: str) -> None:
    assert plain_trees(spec(kind, context)) == spec(kind, context)


@pytest.mark.parametrize(
    ("kind", "context", "expected"),
    [
        ("transformers.ImageClassifierOutput", '["loss", "logits"]', ("builtins.dict", ["loss", "logits"])),
        ("collections.namedtuple", "my.Output", ("builtins.tuple", None)),
        (
            "collections.defaultdict",
            {"default_factory_module": "os", "dict_context": ["a", "b"]},
            ("builtins.dict", ["a", "b"]),
        ),
        ("builtins.dict", '[{"__enum__": true, "fqn": "os:A", "name": "b"}, "x"]', ("builtins.tuple", None)),
        ("builtins.tuple", '{"__enum__": true, "fqn": "os:A", "name": "b"}', ("builtins.tuple", None)),
    ],
)
def test_all_others_become_plain(kind: str, context: Any, expected: tuple[str, Any]) -> None:
    assert plain(spec(kind, context)) == expected


@pytest.mark.parametrize("text", ["{}", "[1]", '[1, {"type": "builtins.list", "children_spec": 3}]'])
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tree"):
        plain_trees({"in_spec": text})
