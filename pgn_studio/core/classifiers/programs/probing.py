"""What a program takes and gives, found out with a few made-up images when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.classifiers.outputs import (
    IN_TRAINING_MODE,
    LIKE_SIGMOIDS,
    SAME_FOR_ALL,
    SORTED,
    SORTED_HINT,
    are_alike,
    are_sorted,
    look_like_sigmoids,
    probabilities_as,
    scores_among,
    squeezed,
)
from pgn_studio.core.classifiers.programs.graph import Leaf
from pgn_studio.core.classifiers.programs.network import (
    ExportedNetwork,
    FeaturePoint,
    ImageForm,
    Program,
    Reading,
)
from pgn_studio.core.errors import ClassifierError

_PROBES = 4
_MORE_PROBES = 24
_SAID = 200  # characters of a program's own complaint
_USUAL_BATCHES = (1, 4, 8, 16, 32, 64)  # of programs that do not say their fixed one
_USUAL_SIZES = (224, 32, 28, 64, 96, 128, 256, 299, 384)  # px, tried for a hint alone
# How far an image's scores may move, as a share of the largest: asked again; asked in another batch.
_AGAIN = {torch.float16: 1e-3, torch.bfloat16: 1e-2}
_ELSEWHERE = {torch.float16: 0.02, torch.bfloat16: 0.1}
_AGAIN_USUALLY, _ELSEWHERE_USUALLY = 1e-4, 0.01


def network_of(program: Program, num_classes: int, image_size: int, *, name: str) -> ExportedNetwork:
    """The program as a network that gives logits.

    Raises ClassifierError where it takes no square images of this size, gives no scores of these
    classes, holds values that are not finite, or was exported in training mode.
    """
    return _Probe(program, num_classes, image_size, name).network()


class _NotTakenError(Exception):
    """A program failed, in its own way, on what it was given."""


@dataclass(frozen=True)
class _Outputs:
    """What came for some images; of the program's own tensors those of its first batch."""

    scores: Tensor  # (N, K), raw
    output: str  # the name of the output that holds them
    named: dict[str, Tensor]
    flat: tuple[Tensor, ...]


@dataclass(frozen=True)
class _Probe:
    program: Program
    num_classes: int
    size: int
    name: str

    @torch.no_grad()
    def network(self) -> ExportedNetwork:
        state = self.program.net.state_dict()
        if not all(bool(torch.isfinite(value).all()) for value in state.values()):
            raise ClassifierError(f"{self.name} holds NaN or infinity.", hint="Use another file.")
        before = {key: value.clone() for key, value in state.items()}
        images = probes(self.size)
        form, whole = self._with_any_batch(self._form(), images)
        self._check_alike(form, images, whole)
        self._check_unsorted(form, whole)
        after = self.program.net.state_dict()
        if any(not torch.equal(value, before[key]) for key, value in after.items()):
            raise ClassifierError(
                f"{self.name} changes its own buffers when used: it was exported in training mode.",
                hint=IN_TRAINING_MODE,
            )
        reading = self._reading(whole)
        network = ExportedNetwork(self.program, form, reading)
        if _gradients_flow(network, images):
            shown = whole.flat[reading.features] if reading.features is not None else whole.scores
            network.feature_point = FeaturePoint(int(shown.shape[1]))
        network.facts = self._facts(network, whole)
        network.notices = tuple(self._notices(network, whole))
        return network

    # ------------------------------------------------------------------ what it takes

    def _form(self) -> ImageForm:
        """The first form in which it takes images."""
        failures: list[_NotTakenError] = []
        for form in _forms(self.program):
            try:
                self._try(form, self.size)
            except _NotTakenError as error:
                failures.append(error)
            else:
                return form
        raise self._not_taken(failures[0])

    def _try(self, form: ImageForm, size: int) -> None:
        count = form.largest if form.is_fixed and form.largest else max(2, form.smallest)
        self._outputs(form.prepared(torch.rand(count, 3, size, size)))

    def _outputs(self, given: Tensor) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
        try:
            return self.program.outputs(given)
        except Exception as error:  # a program fails in its own ways
            said = str(error).strip() or type(error).__name__
            said = said.splitlines()[-1]  # TorchScript tells where first, then what
            raise _NotTakenError(said) from error

    def _not_taken(self, error: _NotTakenError) -> ClassifierError:
        sides, given = self.program.sides, f"{self.name} does not take 2 images of {self.size} px"
        if sides is not None and None not in sides and sides[0] != sides[1]:
            return ClassifierError(
                f"{self.name} takes images of {sides[0]} by {sides[1]} px; expected squares.",
                hint="Export it for square images.",
                details=str(error),
            )
        if "not implemented for" in str(error):
            return ClassifierError(
                f"{self.name} cannot be computed here in the number type that it was exported with.",
                hint="Export it in float32: model.float().",
                details=str(error),
            )
        size = next(iter(sides), None) if sides else self._other_size()
        if size and size != self.size:
            given += f": it takes images of {size} px"
        return ClassifierError(
            f"{given} ({str(error)[:_SAID]}).",
            hint=Advice("Use {}.", Setting("image_size", size))
            if size and size != self.size
            else Advice(
                "Give the image size that it was exported with ({}), and export it with a batch of any size"
                " ({}).",
                Setting("image_size"),
                "dynamic_shapes={0: torch.export.Dim('batch')}",
            ),
            details=str(error),
        )

    def _other_size(self) -> int | None:
        """Of the usual ones one that works, of a program that does not say its own."""
        for size in _USUAL_SIZES:
            for form in _forms(self.program):
                with suppress(_NotTakenError):
                    self._try(form, size)
                    return size
                if form.is_fixed:
                    break
        return None

    def _with_any_batch(self, form: ImageForm, images: Tensor) -> tuple[ImageForm, _Outputs]:
        """The form for any number of images, where the program answers as with the number it was made for."""
        made_for = replace(form, smallest=2, largest=2) if form.largest is None else form
        free = replace(form, smallest=1, largest=None) if form.is_fixed else form
        try:
            whole = self._asked(free, images)
            self._asked(free, images[:1])
        except (_NotTakenError, ClassifierError) as error:
            return made_for, self._asked_as_made(made_for, images, error)
        if form.is_fixed:
            usual = self._asked(form, images)
            if not _near(whole.scores, usual.scores, _elsewhere(form)):
                return form, usual
        return free, whole

    def _asked_as_made(self, form: ImageForm, images: Tensor, failure: Exception) -> _Outputs:
        """Raises ClassifierError, with the reason of the `failure` before where it does not take images."""
        try:
            return self._asked(form, images)
        except _NotTakenError as error:
            raise self._not_taken(error) from failure

    # ------------------------------------------------------------------ what it gives

    def _asked(self, form: ImageForm, images: Tensor) -> _Outputs:
        """Raises ClassifierError where its answer holds no scores, or NaN."""
        parts = []
        for given, count in form.batches(form.prepared(images)):
            named, flat = self._outputs(given)
            output = scores_among(named, len(given), self.num_classes, name=self.name)
            parts.append(_Outputs(squeezed(named[output])[:count].float(), output, named, flat))
        scores = torch.cat([outputs.scores for outputs in parts])
        if bool(scores.isnan().any()):
            raise ClassifierError(f"{self.name} gives NaN for ordinary images.", hint="Use another file.")
        return replace(parts[0], scores=scores)

    def _check_alike(self, form: ImageForm, images: Tensor, whole: _Outputs) -> None:
        """Raises ClassifierError where an answer depends on chance, or on the other images of its batch."""
        again = self._asked(form, images)
        if not _near(whole.scores, again.scores, _AGAIN.get(form.dtype, _AGAIN_USUALLY)):
            raise ClassifierError(
                f"{self.name} answers differently when it is asked about the same images again: it was"
                " exported in training mode, with dropout on.",
                hint=IN_TRAINING_MODE,
            )
        alone = torch.cat([self._asked(form, images[n : n + 1]).scores for n in range(2)])
        if not _near(whole.scores[:2], alone, _elsewhere(form)):
            raise ClassifierError(
                f"{self.name} answers differently about an image when it comes with others: something in it"
                " looks at the whole batch, usually a batch norm that was exported in training mode.",
                hint=IN_TRAINING_MODE,
            )

    def _check_unsorted(self, form: ImageForm, whole: _Outputs) -> None:
        """Raises ClassifierError where a score's place is its rank, also for many more images."""
        if are_sorted(whole.scores) and are_sorted(self._asked(form, more_probes(self.size)).scores):
            raise ClassifierError(f"{self.name} {SORTED}.", hint=SORTED_HINT)

    def _reading(self, outputs: _Outputs) -> Reading:
        soft, leaf = probabilities_as(outputs.scores), self._leaf(outputs.output)
        if leaf is None:
            return Reading(outputs.output, probabilities=soft)
        features, rows = leaf.features, len(outputs.flat[leaf.place])
        if features is not None and (
            outputs.flat[features].dim() != 2 or len(outputs.flat[features]) != rows
        ):
            features = None
        direct = _before_ending(leaf, outputs.flat)
        if direct is not None:
            return Reading(outputs.output, direct, features)
        return Reading(outputs.output, leaf.place, features, probabilities=soft)

    def _leaf(self, output: str) -> Leaf | None:
        return next((item for item in self.program.leaves if item.name == output), None)

    # ------------------------------------------------------------------ what is said of it

    def _facts(self, network: ExportedNetwork, outputs: _Outputs) -> dict[str, str]:
        output = self._ending(network.reading) or "logits"
        if len(outputs.named) > 1:
            output += f" ({outputs.output!r} of its outputs {', '.join(outputs.named)})"
        features = "none: no gradient flows through it"
        if network.feature_point is not None:
            source = "what its last linear layer is given"
            if network.reading.features is None:
                source = "its logits, since no last linear layer is seen"
            features = f"{network.feature_point.in_features:,}: {source}"
        return {**network.form.facts(), "Output": output, "Features": features}

    def _ending(self, reading: Reading) -> str:
        leaf = self._leaf(reading.output)
        if leaf is not None and reading.logits == leaf.before:
            return f"ends in {leaf.ending}: what goes into it is taken as logits"
        return f"gives {reading.probabilities}" if reading.probabilities else ""

    def _notices(self, network: ExportedNetwork, outputs: _Outputs) -> Iterator[str]:
        ending, sides = self._ending(network.reading), self.program.sides
        if ending:
            yield f"The classifier {ending}."
        elif look_like_sigmoids(outputs.scores):
            yield LIKE_SIGMOIDS
        if are_alike(outputs.scores):
            yield SAME_FOR_ALL
        if network.form.channels == 1:
            yield "The classifier takes one channel: it is given the luminance of each image."
        if network.form.takes_bytes:
            yield "The classifier takes bytes: no gradient flows through it."
        if sides is not None and any(side not in (None, self.size) for side in sides):
            yield (
                f"The classifier was exported for images of {sides[0]} by {sides[1]} px, and is given"
                f" {self.size} by {self.size} px."
            )


def probes(size: int) -> Tensor:
    """Images (N, 3, S, S) in [0, 1] that differ in all that a network may look at; always the same."""
    made = torch.Generator().manual_seed(0)
    noise = torch.rand(_PROBES, 3, size, size, generator=made)
    ramp = torch.linspace(0, 1, size).expand(3, size, size)
    noise[1] = noise[1] * 0.2  # dark
    noise[2] = torch.stack([ramp[0], 1 - ramp[1], ramp[2].T])
    noise[3] = 0.7 * torch.rand(3, 1, 1, generator=made) + 0.3 * noise[3]  # bright, of one color
    return noise


def more_probes(size: int) -> Tensor:
    """Many more (N, 3, S, S), of all colors and contrasts, in [0, 1]; always the same."""
    made = torch.Generator().manual_seed(1)
    colors = torch.rand(_MORE_PROBES, 3, 1, 1, generator=made)
    contrast = torch.linspace(0, 1, _MORE_PROBES).view(-1, 1, 1, 1)
    noise = torch.rand(_MORE_PROBES, 3, size, size, generator=made)
    return torch.lerp(colors, noise, contrast)


def _forms(program: Program) -> Iterator[ImageForm]:
    """What may be tried, the likeliest first; where the file says what it takes, that alone."""
    if program.taken is not None:
        taken = program.taken
        yield ImageForm(taken.channels, taken.channels_last, taken.dtype, taken.smallest, taken.largest)
        return
    floats = [value.dtype for value in program.net.state_dict().values() if value.is_floating_point()]
    dtype = floats[0] if floats else torch.float32
    for batch in (None, *_USUAL_BATCHES):
        for channels, last in ((3, False), (1, False), (3, True), (1, True)):
            yield ImageForm(channels, last, dtype, batch or 1, batch)


def _before_ending(leaf: Leaf, flat: tuple[Tensor, ...]) -> int | None:
    """Where what the last softmax or sigmoid is given lies, if it is that and over the classes."""
    if leaf.before is None or flat[leaf.before].shape != flat[leaf.place].shape:
        return None
    given, scores = squeezed(flat[leaf.before]).float(), squeezed(flat[leaf.place]).float()
    again = given.softmax(1) if leaf.ending == "softmax" else given.sigmoid()
    return leaf.before if torch.allclose(again, scores, atol=0.02) else None


def _gradients_flow(network: ExportedNetwork, images: Tensor) -> bool:
    with torch.enable_grad():
        given = images[:2].clone().requires_grad_()
        try:
            (gradient,) = torch.autograd.grad(network(given).float().sum(), given)
        except RuntimeError:  # what torch raises where the image is not reached, or has no derivative
            return False
    return bool(torch.isfinite(gradient).all())


def _elsewhere(form: ImageForm) -> float:
    return _ELSEWHERE.get(form.dtype, _ELSEWHERE_USUALLY)


def _near(first: Tensor, second: Tensor, share: float) -> bool:
    """Whether no score moves by more than this share of the largest of all."""
    first, second = (scores.nan_to_num(posinf=0.0, neginf=0.0) for scores in (first, second))
    return bool((first - second).abs().max() <= share * first.abs().max())
