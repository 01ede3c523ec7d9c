"""A PGN that returns an image unchanged where its perturbation would be small."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgn_studio.core.config import DEFAULT_ABSTAIN_SHARE
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import Export, Source, Written, option
from pgn_studio.core.runs import RUN_JSON

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress


@dataclass(frozen=True, kw_only=True)
class AbstainingExport(Export):
    name = "abstaining"
    title = "PGN that abstains where its perturbation is small"
    summary = "a PGN that abstains on the images of this split which it perturbs least"
    suffixes = (".safetensors",)

    share: float = option(
        DEFAULT_ABSTAIN_SHARE,
        "Share of the split's images, those with the smallest perturbation, on which it abstains.",
        low=0, high=0.95, label="Share to abstain on", unit="%",
    )  # fmt: skip

    @classmethod
    def suits(cls, source: Source) -> bool:
        return source.pgn.info.problem == "enhance" and source.pgn.info.abstain_below_rms == 0

    def preview(self, source: Source, count: int) -> str:
        from pgn_studio.core.evaluation.abstention import abstain

        found, was = abstain(source.evaluation, share=self.share), source.evaluation.metrics
        before = f"{_percent(was.perturbed_accuracy_8bit)}, {was.fixed_8bit} fixed, {was.broken_8bit} broken"
        after = f"{_percent(found.perturbed_accuracy_8bit)}, {found.fixed_8bit}, {found.broken_8bit}"
        chosen = " Chosen on these images; measure it on others." if source.split_name == "test" else ""
        return (
            f"Abstains on {found.abstained:,} of {was.n:,} images. After 8-bit rounding: {before} become "
            f"{after}.{chosen}"
        )

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        from pgn_studio.core.evaluation.abstention import abstain
        from pgn_studio.core.perturbation.pgn import save_pgn

        if not self.suits(source):
            raise PgnStudioError(
                "Only a PGN that enhances can be made to abstain, and this one attacks or abstains already.",
                hint="Choose another PGN.",
            )
        own, in_run = source.pgn.path, (path.parent / RUN_JSON).exists()
        if path.exists() and (in_run or (own is not None and path.samefile(own))):
            raise PgnStudioError(f"{path} is a file of the PGN or of a run.", hint="Choose another name.")
        pgn = abstain(source.evaluation, share=self.share).applied(source.pgn, name=path.stem)
        save_pgn(path, pgn.generator, pgn.info)
        return Written(path, f"PGN written to {path}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
