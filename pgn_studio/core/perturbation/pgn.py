"""The saved PGN: one .safetensors file whose metadata says everything needed to use it again."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import (
    ChannelOrder,
    TrainingSettings,
    encoder_training,
    told_of_classifier,
)
from pgn_studio.core.errors import ClassifierError, ConfigError, PgnFileError
from pgn_studio.core.external_classifier import portable_facts
from pgn_studio.core.files import parse_json, replacing, sha256_of_file
from pgn_studio.core.legacy import modern, modern_record, recorded
from pgn_studio.core.perturbation.generator import Decoder, Generator
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.modulation import one_hot
from pgn_studio.core.pretrained import Triple
from pgn_studio.core.weight_files import UNREADABLE_TENSORS

FORMAT = "pgn-studio-pgn"
FORMAT_VERSION = 1
Told = Literal["nothing", "label", "probabilities"]
ABSTAINS_ALWAYS = 1e30  # as the least RMS: finite, so that JSON holds it, and above any p
_GIVE_IT = Advice("Give the file with {}, or put it beside the PGN.", Setting("classifier"))


@dataclass(frozen=True)
class PgnInfo:
    """What a PGN is, what it was trained on and against, and how it did on validation when saved."""

    name: str
    problem: str
    discriminator: str
    loss: str
    encoder: str
    input_space: str
    gamma: float  # the γ in force when it was saved
    image_size: int
    classes: tuple[str, ...]
    mean: Triple  # the classifier's normalization
    std: Triple
    classifier_path: str
    classifier_sha256: str
    dataset: str
    fingerprint: str
    settings: Mapping[str, Any]  # TrainingSettings as JSON
    metrics: Mapping[str, float] = field(default_factory=dict)  # on validation
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""  # ISO 8601, UTC
    channels: ChannelOrder = "rgb"  # in which the classifier took them
    told: Told = "nothing"  # what of f's outputs about the image G is told
    learned_from: str = ""  # its training images, as core/learned_images.py packs them
    abstain_below_rms: float = 0.0  # an image whose p has a smaller RMS in the input space is left as it is
    external_classifier: Mapping[str, Any] = field(default_factory=dict)  # `portable_facts`


@dataclass(frozen=True)
class Perturbation:
    """What a PGN made of a batch; all (N, 3, H, W) float32."""

    perturbation: Tensor  # p in the PGN's input space
    perturbed: Tensor  # x̃ = x + p there
    pixels: Tensor  # x̃ in pixel space, not clamped
    perturbation_pixels: Tensor  # x̃ - x in pixel space


class Pgn(nn.Module):
    """A generator with what it needs to be used on pixels.

    `gamma` is the γ at which it perturbs: where it serves a range, the middle unless `at` says otherwise.
    One that is told f's outputs asks the classifier that `asking` names.
    """

    def __init__(self, generator: Generator, info: PgnInfo, *, path: Path | None = None) -> None:
        super().__init__()
        self.generator = generator
        self.info = info
        self.path = path
        self.space = _input_space(info)
        self.gamma = info.gamma
        self._ask: Callable[[Tensor], Tensor] | None = None

    def at(self, gamma: float) -> Pgn:
        """The same PGN at another γ, with the same weights. Raises ConfigError where it does not serve it."""
        if self.generator.gammas is None:
            if math.isclose(gamma, self.info.gamma, rel_tol=1e-6):
                return self
            raise ConfigError(
                f"This PGN was trained for γ {self.info.gamma:g} alone, got {gamma:g}.",
                hint=Advice("Leave {} out, or train a PGN for a range of it.", Setting("gamma")),
            )
        other = copy.copy(self)
        other.gamma = self.generator.gammas.check(gamma)
        return other

    def asking(self, classifier: Callable[[Tensor], Tensor]) -> Pgn:
        """The same PGN, which asks `classifier` (pixels to logits) about an image where it needs to know."""
        if not self.generator.classes:
            return self
        other = copy.copy(self)
        object.__setattr__(other, "_ask", classifier)  # no part of the PGN: copies share their modules
        return other

    @property
    def abstains_always(self) -> bool:
        """Whether it returns every image as it is: a dial that helped at no γ on validation."""
        return self.info.abstain_below_rms >= ABSTAINS_ALWAYS

    @property
    def told(self) -> Told:
        """What of f's outputs G is told: nothing, its label, or its probabilities."""
        return self.info.told

    def as_told(self, probabilities: Tensor) -> Tensor:
        """f's probabilities (N, K) as G is told them: as they are, or its label one-hot."""
        return as_told(probabilities, self.told)

    @torch.no_grad()
    def perturb(self, pixels: Tensor) -> Perturbation:
        """Equations 1 and 2 on images (N, 3, H, W) in [0, 1]."""
        return self.perturb_encoded(pixels, self.generator.encode(pixels))

    @torch.no_grad()
    def perturb_encoded(
        self, pixels: Tensor, features: Tensor, outputs: Tensor | None = None
    ) -> Perturbation:
        """The same where the encoder's features (N, C, h, w) of the images are known.

        `outputs` (N, K): what `as_told` gives of f's answers about them, where these are known, too.
        """
        gammas = None
        if self.generator.gammas is not None:
            gammas = torch.full((len(pixels),), self.gamma, device=pixels.device)
        if self.generator.classes and outputs is None:
            outputs = self._asked(pixels)
        return self._added(pixels, self.generator.decode(features, gammas, outputs))

    def _asked(self, pixels: Tensor) -> Tensor:
        if self._ask is None:
            raise PgnFileError(
                f"{self.info.name} perturbs an image by what the classifier says of it, and none was given.",
                hint="Give it its classifier first: pgn.asking(classifier).",
            )
        outputs = self._ask(pixels)
        only_labels = not getattr(self._ask, "gives_scores", True)  # one-hot already
        return self.as_told(outputs if only_labels else outputs.softmax(1))

    def _added(self, pixels: Tensor, perturbation: Tensor) -> Perturbation:
        perturbation = at_least(perturbation, self.info.abstain_below_rms)
        perturbed = self.space.from_pixels(pixels) + perturbation
        back = self.space.to_pixels(perturbed)
        return Perturbation(perturbation, perturbed, back, back - pixels)

    def logits(self, classifier: Any, perturbed: Tensor) -> Tensor:
        """The classifier's logits (N, K) for x̃ in this PGN's input space, whatever its own is."""
        return self.space.logits(classifier, perturbed)


def as_told(probabilities: Tensor, told: Told) -> Tensor:
    """f's probabilities (N, K) as they are, or its label one-hot."""
    if told == "probabilities":
        return probabilities.float()
    return one_hot(probabilities.argmax(1), probabilities.shape[1])


def at_least(perturbation: Tensor, rms: float) -> Tensor:
    """p (N, 3, H, W), zero for the images where its RMS is smaller than `rms`."""
    if rms <= 0:
        return perturbation
    return perturbation * (perturbation.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() >= rms)


def _input_space(info: PgnInfo) -> InputSpace:
    if info.input_space not in ("pixel", "normalized"):
        raise PgnFileError(f"Unknown input space {info.input_space!r}; expected pixel or normalized.")
    return InputSpace(info.input_space, mean=info.mean, std=info.std)  # type: ignore[arg-type]


def build_generator(
    settings: TrainingSettings, *, image_size: int, classes: int = 0, with_weights: bool = True
) -> Generator:
    """The generator that `settings` describe, for a classifier of `classes` classes.

    Without weights where a file is going to fill them in.
    """
    encoder_weights = settings.encoder_weights if with_weights else "none"
    learning = encoder_training(settings)
    return Generator(
        encoder=settings.encoder,
        image_size=image_size,
        encoder_size=settings.encoder_input_size,
        encoder_trained=learning == "full",
        last_stage=learning == "last-stage",
        encoder_weights=encoder_weights,
        decoder_widths=settings.decoder_widths,
        decoder_norm=settings.decoder_norm,
        gammas=settings.gammas,
        classes=classes if told_of_classifier(settings) else 0,
        damped=settings.damped_output,
    )


def save_pgn(path: Path, generator: Generator, info: PgnInfo) -> None:
    """Write weights and metadata atomically. Raises PgnFileError for non-finite weights."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in generator.state_dict().items()}
    bad = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if bad:
        raise PgnFileError(f"Not saved: the generator holds non-finite weights ({bad[0]}).")
    metadata = {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "info": json.dumps(asdict(info), allow_nan=False),
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_pgn_info(path: Path) -> PgnInfo:
    """Only the metadata. Raises PgnFileError when the file is missing, damaged or of another kind."""
    metadata = _read(path, weights=False)[0]
    return _parse_info(path, metadata)


def load_pgn(path: Path | str) -> Pgn:
    """A PGN ready for use on the CPU, in evaluation mode. Raises PgnFileError as `read_pgn_info` does."""
    path = Path(path)  # of Python's users, who may give text
    metadata, tensors = _read(path, weights=True)
    info = _parse_info(path, metadata)
    try:
        settings = TrainingSettings.make(**info.settings)
    except (ConfigError, TypeError) as error:
        raise PgnFileError(f"{path.name} holds settings that this version does not know: {error}") from None
    bad = [
        name
        for name, value in tensors.items()
        if value.is_floating_point() and not torch.isfinite(value).all()
    ]
    if bad:
        raise PgnFileError(
            f"{path.name} holds non-finite weights ({bad[0]}).", hint="Use an earlier PGN of the run."
        )
    try:
        if settings.decoder_widths is None and (widths := Decoder.widths_in(tensors)):
            # of the file's time: this version's default may be another
            settings = settings.updated(decoder_widths=widths)
        _check_plan(settings, info, tensors)
        generator = build_generator(
            settings, image_size=info.image_size, classes=len(info.classes), with_weights=False
        )
        generator.load_state_dict(tensors)
    except (ConfigError, ClassifierError, RuntimeError, ValueError, ZeroDivisionError) as error:
        message = (
            f"The weights in {path.name} do not fit its settings ({settings.encoder}, {info.image_size} px)."
        )
        raise PgnFileError(message, hint="The file is damaged or was edited.", details=str(error)) from None
    pgn = Pgn(generator.requires_grad_(False), info, path=path)
    return pgn.eval()


def _check_plan(settings: TrainingSettings, info: PgnInfo, tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError unless the weights are those of the network that the settings describe.

    Before it is built: a small file may describe a network beyond all memory.
    """
    with torch.device("meta"):
        plan = build_generator(
            settings, image_size=info.image_size, classes=len(info.classes), with_weights=False
        ).state_dict()
    wrong = [name for name in {*plan, *tensors} if _shape(plan, name) != _shape(tensors, name)]
    if wrong:
        raise ValueError(f"{len(wrong)} tensors do not fit, among them {min(wrong)}")


def _shape(tensors: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(tensors[name].shape) if name in tensors else None


def _read(path: Path, *, weights: bool) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise PgnFileError(f"No PGN at {path}.", hint="Give a run folder or its pgn.safetensors.")
    try:
        with safetensors.safe_open(path, framework="pt") as stream:
            metadata = dict(stream.metadata() or {})
            tensors = {name: stream.get_tensor(name) for name in stream.keys()} if weights else {}  # noqa: SIM118
    except UNREADABLE_TENSORS as error:
        hint = "Expected a pgn.safetensors as PGN Studio writes it."
        raise PgnFileError(
            f"{path.name} is not a readable safetensors file.", hint=hint, details=str(error)
        ) from None
    if metadata.get("format") != FORMAT:
        what = metadata.get("format", "no format entry")
        raise PgnFileError(f"{path.name} is no PGN (expected format {FORMAT}, got {what}).")
    if metadata.get("version") != str(FORMAT_VERSION):
        came = metadata.get("version")
        hint = "Update PGN Studio."
        raise PgnFileError(
            f"{path.name} has PGN file version {came}; this version reads {FORMAT_VERSION}.", hint=hint
        )
    return metadata, tensors


def _parse_info(path: Path, metadata: Mapping[str, str]) -> PgnInfo:
    damaged = PgnFileError(f"The metadata of {path.name} is damaged.", hint="Use another copy of the file.")
    try:
        values = modern_record(parse_json(metadata["info"]))
        known = {item.name for item in fields(PgnInfo)}
        info = PgnInfo(**{name: value for name, value in values.items() if name in known})
        return _checked(info)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise damaged from None


def _checked(info: PgnInfo) -> PgnInfo:
    """Types as declared, since JSON knows no tuples and a file may say anything; raises ValueError."""
    numbers = (*info.mean, *info.std)
    if len(info.mean) != 3 or len(info.std) != 3 or not all(math.isfinite(value) for value in numbers):
        raise ValueError("mean and std need three finite numbers each")
    if min(info.std) <= 0 or not 8 <= int(info.image_size) <= 1024:
        raise ValueError("std or image size out of range")
    if info.told not in get_args(Told):
        raise ValueError("told is nothing, label or probabilities")
    if info.channels not in ("rgb", "bgr"):
        raise ValueError("channels are rgb or bgr")
    if not (math.isfinite(info.abstain_below_rms) and info.abstain_below_rms >= 0):
        raise ValueError("the least RMS is 0 or more")
    if not isinstance(info.settings, Mapping):
        raise TypeError("settings is no table")
    values = {item.name: getattr(info, item.name) for item in fields(info)}
    for name in ("classes", "mean", "std"):
        values[name] = tuple(values[name])
    values["external_classifier"] = portable_facts(info.external_classifier)
    values["settings"] = {**recorded(info.settings), "classifier_conditioning": info.told != "nothing"}
    values["loss"] = modern({"loss": info.loss})["loss"]
    return PgnInfo(**values)


def find_classifier(info: PgnInfo, *, beside: Path, trained: Path | None = None) -> Path:
    """The classifier file that this PGN was trained against, checked by hash.

    Looks where it was, beside the PGN (`beside` is a folder), its parent, then in `trained`. Raises
    ClassifierError when there is none, or only files of that name with other contents.
    """
    return find_classifier_file(info.classifier_path, info.classifier_sha256, beside=beside, trained=trained)


def find_classifier_file(
    path: str, sha256: str, *, beside: Path, trained: Path | None = None, hint: str = _GIVE_IT
) -> Path:
    """`find_classifier`, by the recorded path and hash; without a hash the first file of that name."""
    recorded = Path(path)
    places = [recorded, beside / recorded.name, beside.parent / recorded.name]
    if trained is not None:
        places.append(trained / recorded.name)
    others = []
    for place in places:
        if place.is_file():
            if not sha256 or sha256_of_file(place) == sha256:
                return place
            others.append(place)
    if others:
        raise ClassifierError(
            f"{others[0]} is not the classifier that was recorded (hash differs).", hint=hint
        )
    raise ClassifierError(f"The classifier {recorded.name} was not found (it was at {recorded}).", hint=hint)
