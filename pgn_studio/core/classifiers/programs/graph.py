"""A program's graph: its outputs one by one, what a last softmax is given, and what the last layer sees.

Both kinds of graph are made to give, beside their outputs, the inputs of such a last operation and of the
last linear layer. Nothing is computed that was not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import fx, nn
from torch.fx.graph import CodeGen

_Value = TypeVar("_Value")
_ENDINGS = {"softmax": "softmax", "_softmax": "softmax", "sigmoid": "sigmoid"}
_LINEAR = {"linear", "addmm", "mm", "matmul"}
# What may stand between a program's last layer and its output.
_CHEAP = {
    *("view", "_unsafe_view", "reshape", "flatten", "squeeze", "squeeze_", "unsqueeze", "select", "slice"),
    *("expand", "clone", "alias", "contiguous", "to", "_to_copy", "dropout", "dropout_", "log_softmax"),
    *("_log_softmax", "add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "clamp", "clamp_min"),
    *("log", *_ENDINGS),
}


@dataclass(frozen=True)
class Leaf:
    """One tensor among a program's outputs. Numbers are places in what the opened graph gives."""

    name: str
    place: int
    ending: str = ""  # softmax or sigmoid, where that is its last operation
    before: int | None = None  # what that is given
    features: int | None = None  # what the last linear layer is given


@dataclass(frozen=True)
class _Tail(Generic[_Value]):
    ending: str = ""
    before: _Value | None = None
    features: _Value | None = None


def open_exported(program: fx.GraphModule, names: Sequence[str]) -> tuple[nn.Module, tuple[Leaf, ...]]:
    """The same graph, giving a flat tuple; `names` are those of its outputs."""
    graph = fx.Graph()
    output = graph.graph_copy(program.graph, {}, return_output_node=True)
    outputs = output[0] if isinstance(output, tuple) else output
    flat = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    for node in list(graph.nodes):
        if "_assert_tensor_metadata" in str(node.target):  # of the example: a device, a number type
            graph.erase_node(node)
    depending: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op == "placeholder" or any(item in depending for item in node.all_input_nodes):
            depending.add(node)
    wanted: list[fx.Node] = []
    leaves = _leaves(
        [(name, value) for name, value in zip(names, flat, strict=True) if isinstance(value, fx.Node)],
        lambda value: _tail(
            value, _fx_kind, lambda node: [item for item in node.all_input_nodes if item in depending]
        ),
        wanted,
    )
    graph.output(tuple(wanted))
    graph.set_codegen(CodeGen())  # a plain tuple, not the tree that was exported
    return fx.GraphModule(program, graph), leaves


def open_script(program: nn.Module) -> tuple[Leaf, ...]:
    """Make a TorchScript program give a flat tuple, before its first call; () where that is not possible."""
    graph: Any = program.graph
    inline: Callable[[Any], None] = torch._C._jit_pass_inline
    fold: Callable[[Any], None] = torch._C._jit_pass_constant_propagation
    inline(graph)
    fold(graph)
    given = list(graph.outputs())
    named = _script_outputs(given[0]) if len(given) == 1 else []
    if not named:
        return ()
    depending = _script_depending(graph)
    wanted: list[Any] = []
    leaves = _leaves(
        named,
        lambda value: _tail(
            value,
            lambda item: item.node().kind().removeprefix("aten::"),
            lambda item: [each for each in item.node().inputs() if each.debugName() in depending],
        ),
        wanted,
    )
    graph.eraseOutput(0)
    for value in wanted:
        graph.registerOutput(value)
    if len(wanted) > 1:
        graph.makeMultiOutputIntoTuple()
    return leaves


def _leaves(
    named: Sequence[tuple[str, Any]], tail_of: Callable[[Any], _Tail[Any]], wanted: list[Any]
) -> tuple[Leaf, ...]:
    """Each output with its tail; fills `wanted` with the values that the graph is to give."""

    def place(value: Any | None) -> int | None:
        if value is None:
            return None
        wanted.append(value)
        return len(wanted) - 1

    leaves = []
    for name, value in named:
        wanted.append(value)
        own, tail = len(wanted) - 1, tail_of(value)
        leaves.append(Leaf(name, own, tail.ending, place(tail.before), place(tail.features)))
    return tuple(leaves)


def _tail(
    value: _Value, kind_of: Callable[[_Value], str], sources_of: Callable[[_Value], list[_Value]]
) -> _Tail[_Value]:
    """Walk from an output toward the image, through what is cheap, to the last linear layer."""
    ending, before = "", None
    while True:
        kind, sources = kind_of(value), sources_of(value)
        if len(sources) != 1:
            return _Tail(ending, before)
        if kind in _LINEAR:
            return _Tail(ending, before, sources[0])
        if kind in _ENDINGS and not ending:
            ending, before = _ENDINGS[kind], sources[0]
        elif kind not in _CHEAP:
            return _Tail(ending, before)
        value = sources[0]


def _fx_kind(node: fx.Node) -> str:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return ""
    namespace, _, name = node.target._schema.name.partition("::")
    return name if namespace == "aten" else ""


def _script_outputs(value: Any) -> list[tuple[str, Any]]:
    """The tensors of an output that is one, or a plain tuple, list or dict of such; else nothing."""
    kind, inputs = value.node().kind(), list(value.node().inputs())
    if _is_tensor(value):
        return [("output", value)]
    if kind == "prim::DictConstruct":
        keys, values = inputs[::2], inputs[1::2]
        named = [(str(key.toIValue()), item) for key, item in zip(keys, values, strict=True)]
    elif kind in ("prim::TupleConstruct", "prim::ListConstruct"):
        named = [(str(number), item) for number, item in enumerate(inputs)]
    else:
        return []
    return named if all(_is_tensor(item) for _, item in named) else []


def _is_tensor(value: Any) -> bool:
    return bool(value.type().isSubtypeOf(torch._C.TensorType.get()))


def _script_depending(graph: Any) -> set[str]:
    """The names of all values that depend on the image."""
    found = {value.debugName() for value in list(graph.inputs())[1:]}
    for node in graph.nodes():
        uses = any(value.debugName() in found for value in node.inputs())
        if uses or (list(node.blocks()) and node.kind() in ("prim::If", "prim::Loop")):
            found.update(value.debugName() for value in node.outputs())
    return found
