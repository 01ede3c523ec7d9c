"""The PGN as one file that other programs can run: images in, perturbed images out."""

from __future__ import annotations

import copy
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.formats import checked_suffix, writing
from pgn_studio.core.perturbation.pgn import Pgn, at_least
from pgn_studio.core.protocols import Progress, UInt8Images

SUFFIXES = (".pt2", ".onnx")
TOLERANCE = 1e-3  # of a pixel value in 0…1: a quarter of a level of 255
INPUT, OUTPUT = "pixels", "perturbed"
_OPSET = 17
Runner = Callable[[Tensor], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Restraint:
    """How a deployed PGN may hold back, as the report's tables show it; at rest it does not."""

    strength: float = 1.0  # α in x + αp
    least_rms: float = 0.0  # an image whose p has a smaller RMS is given back as it came

    def __call__(self, perturbation: Tensor) -> Tensor:
        """p (N, 3, S, S) in the PGN's input space to what is added of it."""
        perturbation = at_least(perturbation, self.least_rms)
        return perturbation if self.strength == 1 else self.strength * perturbation


NO_RESTRAINT = Restraint()


class Deployable(nn.Module):
    """Pixels (N, 3, S, S) float32 in [0, 1] to x + αp in [0, 1]: normalisation is inside."""

    def __init__(self, pgn: Pgn, restraint: Restraint) -> None:
        super().__init__()
        self.generator = pgn.generator
        self.space = pgn.space
        self.restraint = restraint

    def forward(self, pixels: Tensor) -> Tensor:
        added = self.restraint(self.generator(pixels))
        return self.space.to_pixels(self.space.enter(pixels) + added).clamp(0.0, 1.0)


@dataclass(frozen=True)
class Checked:
    """What reading the file back gave."""

    images: int
    largest_difference: float  # of pixel values in 0…1


def export_deployable(
    path: Path,
    pgn: Pgn,
    images: UInt8Images,
    *,
    restraint: Restraint = NO_RESTRAINT,
    progress: Progress | None = None,
) -> Checked:
    """Write `pgn` as .pt2 (torch.export) or .onnx, for batches of any size, and check it.

    What the PGN itself leaves alone stays so, whatever the restraint.

    The file is read back and run on `images` (B, H, W, 3), at least one; only where it gives what the
    PGN gives, to a quarter of a level, is it put in place. Raises PgnStudioError otherwise, for another
    suffix, and for .onnx without onnxruntime. `progress` is told of three steps; its Cancelled passes
    through and leaves nothing.
    """
    path = Path(path)
    suffix = checked_suffix(path, SUFFIXES, "The model")
    if suffix == ".onnx":
        _runtime()  # what cannot be checked is not written
    report = progress or (lambda _done, _total: None)
    report(0, 3)
    restraint = replace(restraint, least_rms=max(restraint.least_rms, pgn.info.least_rms))
    model = Deployable(copy.deepcopy(pgn).cpu(), restraint).eval()
    pixels = to_pixels(images, torch.device("cpu")).contiguous()
    with torch.no_grad():
        expected = model(pixels).numpy()
    report(1, 3)
    with writing(path) as temporary:
        try:
            (_write_onnx if suffix == ".onnx" else _write_program)(model, pgn, temporary)
        except OSError:  # a full disk
            raise
        except Exception as error:  # tracers fail in their own ways
            raise PgnStudioError(
                f"This PGN cannot be written as {suffix} ({type(error).__name__}).",
                hint="Try the other format." if suffix == ".onnx" else "",
                details=str(error),
            ) from error
        report(2, 3)
        run = _onnx_runner(temporary) if suffix == ".onnx" else _program_runner(temporary)
        found = np.concatenate([run(pixels[:1]), run(pixels[1:])] if len(pixels) > 1 else [run(pixels)])
        difference = float(np.abs(found - expected).max())
        if not difference <= TOLERANCE:  # NaN too
            raise PgnStudioError(
                f"The file gives other images than the PGN: they differ by up to {difference:.3g}.",
                hint="It was not kept. Try the other format.",
            )
    report(3, 3)
    return Checked(len(images), difference)


def _example(pgn: Pgn) -> Tensor:
    size = pgn.info.image_size
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def _write_program(model: Deployable, pgn: Pgn, path: Path) -> None:
    with torch.no_grad():
        batch = {0: torch.export.Dim("batch")}
        program = torch.export.export(model, (_example(pgn),), dynamic_shapes=(batch,))
    info = {"input": "RGB pixels (N, 3, S, S) in 0…1", "size": pgn.info.image_size, "pgn": pgn.info.name}
    info |= asdict(model.restraint)
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={"pgn-studio.json": json.dumps(info)})
    path.write_bytes(buffer.getvalue())  # torch would tell of a full disk as of a fault of its own


def _write_onnx(model: Deployable, pgn: Pgn, path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's, on sizes that never change here
        torch.onnx.export(
            model,
            (_example(pgn),),
            str(path),
            dynamo=False,  # the other exporter needs a further package
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=_OPSET,
        )


def _program_runner(path: Path) -> Runner:
    module = torch.export.load(path).module()

    def run(pixels: Tensor) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            result: Tensor = module(pixels)
        return result.numpy()

    return run


def _onnx_runner(path: Path) -> Runner:
    runtime = _runtime()
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda pixels: np.asarray(session.run([OUTPUT], {INPUT: pixels.numpy()})[0])


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise PgnStudioError(
            "An ONNX file can only be checked with onnxruntime, which is not installed.",
            hint="Install it with `pip install 'pgn-studio[onnx]'`, or write a .pt2 file.",
        ) from None
    return onnxruntime
