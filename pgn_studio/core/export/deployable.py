"""The PGN as one file that other programs can run: images in, with γ where it is a dial; images out."""

from __future__ import annotations

import copy
import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import checked_suffix, writing
from pgn_studio.core.perturbation.pgn import Pgn, at_least
from pgn_studio.core.protocols import Progress, UInt8Images

SUFFIXES = (".pt2", ".onnx")
TOLERANCE = 1e-3  # of a pixel value in 0…1: a quarter of a level of 255
INPUT, GAMMA, OUTPUTS, OUTPUT = "pixels", "gamma", "outputs", "perturbed"
_OPSET = 17
Inputs = tuple[Tensor, ...]
Runner = Callable[..., npt.NDArray[np.float32]]  # of Inputs


@dataclass(frozen=True)
class Restraint:
    """A weaker or an abstaining form of a PGN, as the report's tables show it."""

    strength: float = 1.0  # α in x + αp
    abstain_below_rms: float = 0.0  # an image whose p has a smaller RMS is given back as it came

    def __call__(self, perturbation: Tensor) -> Tensor:
        """p (N, 3, S, S) in the PGN's input space to what is added of it."""
        perturbation = at_least(perturbation, self.abstain_below_rms)
        return perturbation if self.strength == 1 else self.strength * perturbation


NO_RESTRAINT = Restraint()


class Deployable(nn.Module):
    """Pixels (N, 3, S, S) float32 in [0, 1] to x + αp in [0, 1]: normalization is inside.

    `gamma`: the one that is baked in, of a PGN that serves a range; None: it is asked for. One outside of
    the range counts as its nearer end.
    """

    baked: Tensor | None

    def __init__(self, pgn: Pgn, restraint: Restraint, gamma: float | None) -> None:
        super().__init__()
        self.generator = copy.deepcopy(pgn.generator).cpu()
        self.space = copy.deepcopy(pgn.space).cpu()
        self.restraint = restraint
        self.register_buffer("baked", None if gamma is None else torch.tensor([gamma]), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.perturbed(pixels)

    def perturbed(self, pixels: Tensor, gamma: Tensor | None = None, outputs: Tensor | None = None) -> Tensor:
        served = self.generator.gammas
        if served is not None and self.baked is not None:
            gamma = self.baked.expand(pixels.shape[0])
        elif served is not None and gamma is not None:
            gamma = gamma.clamp(served.low, served.high)
        added = self.restraint(self.generator(pixels, gamma, outputs))
        return self.space.to_pixels(self.space.enter(pixels) + added).clamp(0.0, 1.0)


class _WithGamma(Deployable):
    def forward(self, pixels: Tensor, gamma: Tensor) -> Tensor:  # type: ignore[override]
        return self.perturbed(pixels, gamma)


class _WithOutputs(Deployable):
    def forward(self, pixels: Tensor, outputs: Tensor) -> Tensor:  # type: ignore[override]
        return self.perturbed(pixels, None, outputs)


class _WithBoth(Deployable):
    def forward(self, pixels: Tensor, gamma: Tensor, outputs: Tensor) -> Tensor:  # type: ignore[override]
        return self.perturbed(pixels, gamma, outputs)


_KINDS: Mapping[tuple[str, ...], type[Deployable]] = {
    (INPUT,): Deployable,
    (INPUT, GAMMA): _WithGamma,
    (INPUT, OUTPUTS): _WithOutputs,
    (INPUT, GAMMA, OUTPUTS): _WithBoth,
}


@dataclass(frozen=True)
class Checked:
    """What reading the file back gave, and how it is called: each input's name and what it is."""

    images: int
    largest_difference: float  # of pixel values in 0…1
    inputs: Mapping[str, str] = field(default_factory=dict)


def inputs_of(pgn: Pgn, *, baked: bool) -> dict[str, str]:
    """What the file is given, in this order: each input's name, shape and meaning."""
    size, classes, served = pgn.info.image_size, len(pgn.info.classes), pgn.generator.gammas
    inputs = {INPUT: f"float32 (N, 3, {size}, {size}): RGB in 0…1"}
    if served is not None and not baked:
        inputs[GAMMA] = f"float32 (N,): γ of each image, {served}; what is outside counts as the nearer end"
    if pgn.generator.classes:
        what = {
            "label": "the classifier's label for each image, one-hot",
            "probabilities": "the classifier's probabilities (after softmax) for each image",
        }[pgn.told]
        inputs[OUTPUTS] = f"float32 (N, {classes}): {what}, in the order of its classes"
    return inputs


def export_deployable(
    path: Path,
    pgn: Pgn,
    images: UInt8Images,
    *,
    restraint: Restraint = NO_RESTRAINT,
    gamma: float | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Write `pgn` as .pt2 (torch.export) or .onnx, for batches of any size, and check it.

    Where the PGN itself abstains it still does, whatever the restraint. Where it serves a range of γ and no
    `gamma` is baked in, γ is an input; so is what it is told of the classifier's outputs. `inputs_of`
    says which there are.

    The file is read back and run on `images` (B, H, W, 3), at least one, at the lowest, middle and highest
    γ that it takes; only where it gives what the PGN gives, to a quarter of a level, is it put in place.
    Raises ConfigError for a γ that the PGN does not serve, PgnStudioError otherwise, for another
    suffix, and for .onnx without onnxruntime. `progress` is told of three steps; its Canceled passes
    through and leaves nothing.
    """
    path = Path(path)
    suffix = checked_suffix(path, SUFFIXES, "The model")
    if suffix == ".onnx":
        _runtime()  # what cannot be checked is not written
    report = progress or (lambda _done, _total: None)
    report(0, 3)
    restraint = replace(
        restraint, abstain_below_rms=max(restraint.abstain_below_rms, pgn.info.abstain_below_rms)
    )
    pgn = pgn if gamma is None else pgn.at(gamma)
    baked = gamma if pgn.generator.gammas is not None else None
    inputs = inputs_of(pgn, baked=baked is not None)
    model = _KINDS[tuple(inputs)](pgn, restraint, baked).eval()
    trials = _trials(pgn, tuple(inputs), to_pixels(images, torch.device("cpu")).contiguous())
    with torch.no_grad():
        expected = [model(*trial).numpy() for trial in trials]
    report(1, 3)
    with writing(path) as temporary:
        try:
            (_write_onnx if suffix == ".onnx" else _write_program)(model, pgn, inputs, temporary)
        except OSError:  # a full disk
            raise
        except Exception as error:  # tracers fail in their own ways
            raise PgnStudioError(
                f"This PGN cannot be written as {suffix} ({type(error).__name__}).",
                hint="Try the other format." if suffix == ".onnx" else "",
                details=str(error),
            ) from error
        report(2, 3)
        run = (_onnx_runner if suffix == ".onnx" else _program_runner)(temporary, tuple(inputs))
        differences = [
            np.abs(_in_two(run, trial) - wanted).max() for trial, wanted in zip(trials, expected, strict=True)
        ]
        difference = float(np.max(differences))
        if not difference <= TOLERANCE:  # NaN too
            raise PgnStudioError(
                f"The file gives other images than the PGN: they differ by up to {difference:.3g}.",
                hint="It was not kept. Try the other format.",
            )
    report(3, 3)
    return Checked(len(images), difference, inputs)


def _trials(pgn: Pgn, inputs: Sequence[str], pixels: Tensor) -> list[Inputs]:
    """The inputs for `pixels`: one trial, or at the lowest, middle and highest γ; made-up outputs of f."""
    count, draws = len(pixels), torch.Generator().manual_seed(0)
    given = {INPUT: pixels}
    if OUTPUTS in inputs:
        scores = 3 * torch.randn(count, len(pgn.info.classes), generator=draws)
        given[OUTPUTS] = pgn.as_told(scores.softmax(1))
    served = pgn.generator.gammas
    if GAMMA not in inputs or served is None:
        return [tuple(given[name] for name in inputs)]
    gammas = (served.low, served.middle, served.high)
    return [
        tuple(({**given, GAMMA: torch.full((count,), gamma)})[name] for name in inputs) for gamma in gammas
    ]


def _in_two(run: Runner, trial: Inputs) -> npt.NDArray[np.float32]:
    """The first image alone, then the rest: batches of two sizes."""
    parts = [part for part in (slice(0, 1), slice(1, None)) if len(trial[0][part])]
    return np.concatenate([run(*(value[part] for value in trial)) for part in parts])


def _example(pgn: Pgn, inputs: Sequence[str]) -> Inputs:
    size = pgn.info.image_size
    return _trials(pgn, inputs, torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)))[0]


def _write_program(model: Deployable, pgn: Pgn, inputs: Mapping[str, str], path: Path) -> None:
    with torch.no_grad():
        batch = {0: torch.export.Dim("batch")}
        shapes = tuple(batch for _ in inputs)
        program = torch.export.export(model, _example(pgn, tuple(inputs)), dynamic_shapes=shapes)
    served = pgn.generator.gammas
    info = {
        "input": "RGB pixels (N, 3, S, S) in 0…1",
        "inputs": dict(inputs),
        "size": pgn.info.image_size,
        "pgn": pgn.info.name,
        "gamma": None if GAMMA in inputs else pgn.gamma,  # None: an input
        "gamma_range": None if served is None else [served.low, served.high],
        "told": pgn.told,
        "classes": list(pgn.info.classes),
    }
    info |= asdict(model.restraint)
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={"pgn-studio.json": json.dumps(info)})
    path.write_bytes(buffer.getvalue())  # torch would tell of a full disk as of a fault of its own


def _write_onnx(model: Deployable, pgn: Pgn, inputs: Mapping[str, str], path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's, on sizes that never change here
        torch.onnx.export(
            model,
            _example(pgn, tuple(inputs)),
            str(path),
            dynamo=False,  # the other exporter needs a further package
            input_names=list(inputs),
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "batch"} for name in (*inputs, OUTPUT)},
            opset_version=_OPSET,
        )


def _program_runner(path: Path, _inputs: Sequence[str]) -> Runner:
    module = torch.export.load(path).module()

    def run(*given: Tensor) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            result: Tensor = module(*given)
        return result.numpy()

    return run


def _onnx_runner(path: Path, inputs: Sequence[str]) -> Runner:
    runtime = _runtime()
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(*given: Tensor) -> npt.NDArray[np.float32]:
        named = {name: value.numpy() for name, value in zip(inputs, given, strict=True)}
        return np.asarray(session.run([OUTPUT], named)[0])

    return run


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise PgnStudioError(
            "An ONNX file can only be checked with onnxruntime, which is not installed.",
            hint="Install it with `pip install 'pgn-studio[onnx]'`, or write a .pt2 file.",
        ) from None
    return onnxruntime
