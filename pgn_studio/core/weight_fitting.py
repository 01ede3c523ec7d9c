"""Fitting the weights of a file into a network, whatever a training script wrapped around it.

A rule, not a list of prefixes: the network lies where all of its keys are found after one prefix. What lies
elsewhere in the file is left out and named. What lies inside the network and is not of it means
another architecture, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.weight_files import (
    WeightsFile,
    is_average,
    is_unfinished_average,
    likelihood,
    some_names,
)
from pgn_studio.core.weight_tensors import (
    around,
    check_values,
    described,
    layers,
    like_head,
    prefixes,
    unwrapped_names,
)

_TEACHER = re.compile(r"teacher|momentum|_k$", re.IGNORECASE)
_ONLINE = re.compile(r"(?:^|[._])online", re.IGNORECASE)  # beside a target network, which follows it
_AUXILIARY = ("aux1", "aux2", "AuxLogits")  # heads of GoogLeNet and Inception that serve training alone
_DERIVED = ("attn_mask", "relative_coords_table", "total_ops", "total_params")  # computed from the rest
_BOOKKEEPING = re.compile(
    r"crit|loss|metric|accuracy|class_?weight|pos_weight|normali[sz]|preproc|^(?:mean|std|mu|sigma)$", re.I
)
_ALIKE = 0.5  # of a network's keys, from which on a prefix is taken for that of a network


class WrongArchitectureError(ClassifierError):
    """The weights are for another network."""


@dataclass(frozen=True)
class Fitted:
    """The tensors under the network's own names, and what was decided on the way."""

    tensors: dict[str, Tensor]
    outputs: int  # of the last layer in the file
    notices: tuple[str, ...]


def load_weights(network: nn.Module, weights: WeightsFile, *, ignore_head: bool = False) -> tuple[str, ...]:
    """Copy the file's weights into `network`; returns what was decided on the way, for the user.

    With `ignore_head` the last layer keeps its own weights where the file's are absent or of
    another size (fine-tuning, feature extraction). Raises WrongArchitectureError, which says what
    does not fit, and ClassifierError for values of no use.
    """
    fitted = fit_weights(network, weights, ignore_head=ignore_head)
    network.load_state_dict(fitted.tensors, strict=False)  # only what may be absent is
    return fitted.notices


def fit_weights(
    network: nn.Module, weights: WeightsFile, *, ignore_head: bool = False, any_outputs: bool = False
) -> Fitted:
    """The file's weights for `network`, which may be a plan without numbers.

    With `any_outputs` the last layer may have any number of rows. Raises as `load_weights` does.
    """
    target = _Target.of(network, ignore_head=ignore_head, any_outputs=any_outputs)
    attempts = [found for place, state in weights.states.items() for found in _attempts(place, state, target)]
    fitting = [attempt for attempt in attempts if not attempt.problem]
    if not fitting:
        nearest = max(attempts, key=lambda attempt: attempt.found)
        assert nearest.problem is not None
        raise WrongArchitectureError(f"{weights.name} {nearest.problem.message}", hint=nearest.problem.hint)
    chosen = _choose(fitting, weights.name)
    check_values(chosen.tensors, target.expected, weights.name)
    notices = (*weights.notices, *_chosen_from(chosen, fitting, weights.name), *chosen.notices)
    return Fitted(chosen.tensors, chosen.outputs, notices)


def head_name(network: nn.Module) -> str:
    """Name of the last nn.Linear, else of the last convolution (fully convolutional networks)."""
    names: list[str] = []
    for kind in (nn.Conv2d, nn.Linear):
        names += [name for name, module in network.named_modules() if isinstance(module, kind)]
    return names[-1] if names else ""


# ---------------------------------------------------------------------- one place in the file


@dataclass(frozen=True)
class _Target:
    """What a network needs."""

    expected: Mapping[str, Tensor]
    head: str
    ignore_head: bool
    any_outputs: bool

    @classmethod
    def of(cls, network: nn.Module, *, ignore_head: bool, any_outputs: bool) -> _Target:
        return cls(network.state_dict(), head_name(network), ignore_head, any_outputs)

    @property
    def head_shapes(self) -> dict[str, torch.Size]:
        """Of the last layer: {"weight": …, "bias": …}."""
        start = f"{self.head}."
        keys = [key for key in self.expected if self.head and key.startswith(start)]
        return {key.removeprefix(start): self.expected[key].shape for key in keys}

    @property
    def features(self) -> int:
        """That the last layer takes."""
        return next(iter(self.head_shapes.get("weight", torch.Size())[1:2]), 0)

    def is_head(self, key: str) -> bool:
        return bool(self.head) and key.startswith(f"{self.head}.")

    @property
    def needed(self) -> list[str]:
        """The body's keys. Whole numbers are counters and indices, which the network has by itself."""
        floats = [key for key, value in self.expected.items() if value.is_floating_point()]
        return [key for key in floats if not self.is_head(key)]

    @property
    def roots(self) -> set[str]:
        return {key.partition(".")[0] for key in self.expected}


class _Problem(NamedTuple):
    message: str  # after the file's name
    hint: str


@dataclass
class _Attempt:
    """The weights at one place, under one prefix, held against the network."""

    place: str
    prefix: str
    found: int
    shown_prefix: str = ""  # as the file has it
    tensors: dict[str, Tensor] = field(default_factory=dict)
    outputs: int = 0
    problem: _Problem | None = None
    notices: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return ".".join(part for part in (self.place, self.shown_prefix.rstrip(".")) if part)


def _attempts(place: str, state: Mapping[str, Tensor], target: _Target) -> Iterator[_Attempt]:
    names = unwrapped_names(state, target.expected)
    counts = prefixes(names, target.needed)
    whole = [prefix for prefix, count in counts.items() if count >= _ALIKE * len(target.needed)]
    tried = whole or [max(counts, key=lambda prefix: counts[prefix], default="")]
    for prefix in tried:
        attempt = _Attempt(place, prefix, counts.get(prefix, 0))
        others = [other for other in whole if other != prefix and not prefix.startswith(other)]
        _Fitting(attempt, names, state, target, others).run()
        yield attempt


class _Fitting:
    """Fills in an attempt."""

    def __init__(
        self,
        attempt: _Attempt,
        names: Mapping[str, str],
        state: Mapping[str, Tensor],
        target: _Target,
        other_prefixes: list[str],
    ) -> None:
        self.attempt, self.target, self.names, self.state = attempt, target, names, state
        self.others = tuple(other_prefixes)
        prefix = attempt.prefix
        self.own = {
            name.removeprefix(prefix): state[key]
            for name, key in names.items()
            if name.startswith(prefix) and not (self.others and name.startswith(self.others))
        }
        self.outside = {
            name: state[key] for name, key in names.items() if name.removeprefix(prefix) not in self.own
        }
        self.left = {name: value for name, value in self.own.items() if name not in target.expected}
        self.head_from = ""  # where in the file the last layer lies, when it is not where the network has it

    def run(self) -> None:
        self.attempt.tensors = {name: self.own[name] for name in self.target.expected if name in self.own}
        self._find_head()
        self.attempt.problem = self._keys_problem() or self._outside_problem() or self._shapes_problem()
        if not self.attempt.problem:
            self.attempt.notices = tuple(self._notices())

    def _find_head(self) -> None:
        """The last layer under another name: fc.1 behind a dropout, or beside the backbone."""
        shapes, tensors = self.target.head_shapes, self.attempt.tensors
        if shapes and not any(self.target.is_head(name) for name in tensors):
            inside = like_head(self.left, shapes)
            beside = [path for path in like_head(self.outside, shapes) if self._stands_alone(path)]
            if len(inside) + len(beside) == 1:
                path, source = (inside or beside)[0], self.left if inside else self.outside
                self.head_from = f"{self.attempt.prefix if inside else ''}{path}"
                for leaf in shapes:
                    tensors[f"{self.target.head}.{leaf}"] = source.pop(f"{path}.{leaf}")
        if self.target.ignore_head:
            odd = [k for k, v in tensors.items() if self.target.is_head(k) and v.shape != self._shape(k)]
            for key in odd:
                del tensors[key]
        weight = tensors.get(f"{self.target.head}.weight")
        self.attempt.outputs = 0 if weight is None or weight.ndim == 0 else weight.shape[0]

    def _shape(self, key: str) -> torch.Size:
        return self.target.expected[key].shape

    def _stands_alone(self, path: str) -> bool:
        """Whether a layer beside the backbone is all that there is under its name: not another network's."""
        parent = self.attempt.prefix[:-1].rpartition(".")[0]
        start = f"{parent}." if parent else ""
        if not path.startswith(start):
            return False
        root = start + path.removeprefix(start).partition(".")[0]
        return [layer for layer in layers(self.outside) if f"{layer}.".startswith(f"{root}.")] == [path]

    def _keys_problem(self) -> _Problem | None:
        needed = self.target.needed
        if not self.target.ignore_head:
            needed = [*needed, *(f"{self.target.head}.{leaf}" for leaf in self.target.head_shapes)]
        missing = [key for key in needed if key not in self.attempt.tensors]
        computing = layers(self.left)
        unexpected = [
            name for name, value in self.left.items() if not self._may_be_left(name, value, computing)
        ]
        if not missing and not unexpected:
            return None
        return _Problem(
            f"does not fit this architecture: {len(missing)} of {len(self.target.expected)} keys missing"
            f" ({some_names(missing)}), {len(unexpected)} unexpected ({some_names(unexpected)}).",
            "Name the architecture that these weights were made for.",
        )

    def _may_be_left(self, name: str, value: Tensor, computing: set[str]) -> bool:
        """Whether what lies among the network's own keys is no part of what it computes."""
        root, _, leaf = name.rpartition(".")
        top = name.partition(".")[0]
        if not value.is_floating_point() or leaf in _DERIVED or top in _AUXILIARY:
            return True
        if self.target.ignore_head and self.target.head.partition(".")[0] == top:
            return True
        return top not in self.target.roots and root not in computing and _BOOKKEEPING.search(top) is not None

    def _outside_problem(self) -> _Problem | None:
        """Layers beside the network that change its answers: before it, or behind its features or outputs."""
        if self.target.ignore_head:
            return None
        apart = self.others or ("\0",)
        beside = {name: value for name, value in self.outside.items() if not name.startswith(apart)}
        if self.head_from and not self.head_from.startswith(self.attempt.prefix):
            used = sorted(layers(beside))
        else:
            parent = self.attempt.prefix[:-1].rpartition(".")[0]
            named = {name.removeprefix(f"{parent}."): value for name, value in beside.items()}
            used = around(named, self.attempt.outputs, self.target.features)
        if not used:
            return None
        return _Problem(
            f"holds layers around the network ({self.attempt.prefix}…) that change its answers:"
            f" {some_names(used)}.",
            "Export the whole model as a program instead (torch.export.save), or save the network that it"
            " ends in.",
        )

    def _shapes_problem(self) -> _Problem | None:
        odd = [key for key, value in self.attempt.tensors.items() if not self._shape_fits(key, value)]
        if not odd:
            return None
        first, expected = odd[0], self._shape(odd[0])
        if all(self.target.is_head(key) for key in odd) and self.attempt.outputs != expected[0]:
            return _Problem(
                f"has a last layer for {self.attempt.outputs} classes, but {expected[0]} classes were given.",
                "Give the classes that it was trained on, in its order.",
            )
        return _Problem(
            f"does not fit this architecture: {len(odd)} tensors have another shape, first {first}:"
            f" expected {tuple(expected)}, got {tuple(self.attempt.tensors[first].shape)}.",
            "Name the architecture that these weights were made for.",
        )

    def _shape_fits(self, key: str, value: Tensor) -> bool:
        expected = self._shape(key)
        rows = self.target.head_shapes.get("weight", expected)[:1]
        if self.target.any_outputs and value.ndim and expected[:1] == rows:
            return value.shape in (expected, (self.attempt.outputs, *expected[1:]))
        return value.shape == expected

    def _notices(self) -> Iterator[str]:
        some = next(iter(self.attempt.tensors), "")
        key = self.names.get(f"{self.attempt.prefix}{some}", "")
        if key.endswith(some) and key != some:
            self.attempt.shown_prefix = key.removesuffix(some)
            yield f"The weights' names begin with {self.attempt.shown_prefix!r}, which was taken off."
        if self.head_from:
            yield f"The last layer is called {self.head_from} in the file, {self.target.head} in the network."
        inside = {f"{self.attempt.prefix}{name}": value for name, value in self.left.items()}
        strays = {name: v for name, v in {**inside, **self.outside}.items() if not _is_counter(name)}
        if strays:
            yield f"Left out, as no part of the network: {described(strays)}."


# ---------------------------------------------------------------------- among several places


def _choose(fitting: list[_Attempt], name: str) -> _Attempt:
    """The averaged weights, else the usual name's, else the student's. Raises ClassifierError on a tie."""
    ranked = sorted(fitting, key=_rank)
    first = ranked[0]
    tied = [other for other in ranked[1:] if _rank(other) == _rank(first) and not _same(first, other)]
    if tied:
        places = [attempt.where for attempt in (first, *tied)]
        raise ClassifierError(
            f"{name} holds several networks that fit: {some_names(places)}.",
            hint="Save the one that is meant in a file of its own: torch.save(model.state_dict(), ...).",
        )
    return first


def _rank(attempt: _Attempt) -> tuple[bool, bool, bool, bool, int, bool]:
    average = is_average(attempt.place) or is_average(attempt.prefix)
    teacher = _TEACHER.search(attempt.where) is not None
    unfinished, online = is_unfinished_average(attempt.place), _ONLINE.search(attempt.where) is not None
    return not average, unfinished, teacher, not online, likelihood(attempt.place)[1], attempt.prefix != ""


def _same(one: _Attempt, other: _Attempt) -> bool:
    both = one.tensors.keys() & other.tensors.keys()
    return all(torch.equal(one.tensors[name], other.tensors[name]) for name in both)


def _chosen_from(chosen: _Attempt, fitting: list[_Attempt], name: str) -> Iterator[str]:
    others = [attempt.where or "the file itself" for attempt in fitting if attempt is not chosen]
    place = chosen.where or "the file itself"
    if is_average(place):
        passed = f"; those of {some_names(others)} were passed over" if others else ""
        yield f"{name}: the averaged weights (EMA) in {place} are used{passed}."
    elif others:
        yield f"{name}: the weights in {place} are used; {some_names(others)} would fit too."


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")  # absent from old files, unused in evaluation
