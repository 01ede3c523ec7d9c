"""The PGN with its normalization as one file that other programs run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pgn_studio.core.export.base import Export, Source, Written, option

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress


@dataclass(frozen=True, kw_only=True)
class ModelExport(Export):
    name = "model"
    title = "PGN with its normalization, for other programs"
    summary = "the PGN with its normalization, for other programs"
    suffixes = (".pt2", ".onnx")
    needs = "pgn"

    strength: float = option(
        1.0, "The model adds this many times the perturbation; default: 1.", low=0, high=10, metavar="α"
    )
    abstain_below_rms: float = option(
        0.0,
        "The model gives images back as they came where it would perturb less than this (see the report); "
        "default: 0.",
        low=0, metavar="RMS",
    )  # fmt: skip

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        """Checked on noise of the right size: nothing but the PGN is needed."""
        from pgn_studio.core.export.deployable import Restraint, export_deployable

        size = source.pgn.info.image_size
        images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
        checked = export_deployable(
            path, source.pgn, images, restraint=Restraint(self.strength, self.abstain_below_rms),
            gamma=source.gammas[0] if source.gammas else None, progress=progress,
        )  # fmt: skip
        said = f"Checked on {checked.images} images: largest difference {checked.largest_difference:.2g}."
        notes = [said, *_call_lines(path, checked.inputs)]
        return Written(path, f"Model written to {path}. {said}", notes)


def _call_lines(out: Path, inputs: Mapping[str, str]) -> list[str]:
    """How another program calls the file."""
    named = ", ".join(f"'{name}': {name}" for name in inputs)
    call = {
        ".pt2": f"torch.export.load('{out.name}').module()({', '.join(inputs)})",
        ".onnx": f"onnxruntime.InferenceSession('{out.name}').run(None, {{{named}}})[0]",
    }[out.suffix.lower()]
    return [f"Call: {call}", *(f"  {name}: {what}" for name, what in inputs.items())]
