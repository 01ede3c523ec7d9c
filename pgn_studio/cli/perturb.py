"""`pgn-studio perturb`: image files of no data set, at any strength."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgn_studio.cli import terminal
from pgn_studio.cli.blackbox import GivenAccess, with_access
from pgn_studio.cli.evaluate import ClassifierArch, DeviceName, OtherClassifier, Target
from pgn_studio.cli.gamma_options import GivenGamma, at_same_gamma, given_gamma, note_gamma
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.errors import Canceled, ConfigError
from pgn_studio.core.project.resolve import find_pgn, refuse_inside_dataset

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.evaluation.single import SingleImage
    from pgn_studio.core.perturbation.pgn import Pgn

EXAMPLE = "Example: pgn-studio perturb photos-enhance cat.jpg dog.png --out perturbed"
_GRID = 61  # strengths from 0 to 3 that are tried for a change of class
_LARGEST = 3.0


@with_access
def perturb(
    access: GivenAccess,
    target: Target,
    files: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Image files.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the perturbed images as PNG into this folder.")
    ] = None,
    strength: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="Add this many times the perturbation.")
    ] = 1.0,
    if_surer: Annotated[
        bool,
        typer.Option(
            "--if-surer",
            help="Leave an image as it is where the classifier is surer of its class for it than for the "
            "perturbed image: breaks fewer, fixes fewer, asks twice.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="RUN|PGN",
            help="Also say what another PGN makes of each file, and how far the two perturbations differ; at "
            "the same γ where it serves it.",
        ),
    ] = None,
    gamma: GivenGamma = None,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
) -> None:
    """Perturb single image files and say what the classifier makes of them.

    One line for each file: its class before and after 8-bit rounding, and the strengths from 0 to 3 at which
    the class changes (for a black box, whose answers cost queries, only the classes).
    """
    at = given_gamma(gamma)  # a typo shows before torch is imported
    find_pgn(target)
    for file in files:
        if not file.expanduser().is_file():
            raise ConfigError(f"There is no file {file}.")
    places = _places(files, out, force)
    if against is not None:
        find_pgn(against)
    access.check_other(classifier)
    prepare()
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.evaluation.single import perturb_file

    chosen = pick_device(device)
    with Interruption() as stop:
        source = access.source(classifier, classifier_arch)
        pgn, network = opener(stop).open_networks(target, source, gamma=at)
        note_gamma(pgn)
        _check_choice(pgn, if_surer)
        if out is not None:
            refuse_inside_dataset(out, str(pgn.info.settings.get("dataset") or ""))
        network.to(chosen)
        other = None if against is None else _comparable(pgn, against, at)
        for file, place in zip(files, places, strict=True):
            if stop.asked:
                raise Canceled
            image = perturb_file(pgn, network, file.expanduser(), strength=strength)
            picture, left = _surer(image) if if_surer else (image.perturbed, "")
            if place is not None:
                _write(place, picture)
            terminal.result(f"{file.name}: {_said(pgn, network, image)}{left}")
            if other is not None:
                there = perturb_file(other, network, file.expanduser(), strength=strength)
                named = f"{other.info.name or against}, γ {other.gamma:g}"
                terminal.result(f"  {named}: {_compared(network, image, there)}")
            if place is not None:
                terminal.note(f"  {place}")


def _places(files: list[Path], out: Path | None, force: bool) -> list[Path | None]:
    if out is None:
        return [None] * len(files)
    places = [out.expanduser() / f"{file.stem}.png" for file in files]
    if len(set(places)) < len(places):
        raise ConfigError("Two of the files have the same name.", hint="Perturb them one after the other.")
    there = [place for place in places if place.exists()]
    if there and not force:
        raise ConfigError(f"--out: {there[0]} is there already.", hint="Give --force to replace it.")
    if out.expanduser().is_file():
        raise ConfigError(f"--out: {out} is a file; expected a folder.")
    return list(places)


def _check_choice(pgn: Pgn, if_surer: bool) -> None:
    if if_surer and pgn.info.problem != "enhance":
        raise ConfigError("--if-surer is for PGNs that enhance; this one attacks.")


def _surer(image: SingleImage) -> tuple[npt.NDArray[np.uint8], str]:
    """The picture that the classifier is surer of, and what to say of the choice."""
    if not image.has_probabilities:
        raise ConfigError("--if-surer needs probabilities; this classifier answers with labels only.")
    return (image.perturbed, "") if image.is_surer else (image.original, "; left as it is")


def _write(place: Path, picture: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    from pgn_studio.core.files import replacing

    with replacing(place) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def _comparable(pgn: Pgn, against: str, gamma: float | None) -> Pgn:
    from pgn_studio.core.export.comparison import check_comparable
    from pgn_studio.core.perturbation.pgn import load_pgn

    other = at_same_gamma(load_pgn(find_pgn(against)[0]), gamma)
    check_comparable(pgn, other)
    return other


def _compared(network: Classifier, here: SingleImage, there: SingleImage) -> str:
    import numpy as np

    pictures = (here.perturbation, there.perturbation, here.perturbation - there.perturbation)
    first, second, apart = (float(np.sqrt(np.mean(np.square(p, dtype=np.float64)))) for p in pictures)
    share = f" {100 * there.saved.max():.1f} %" if there.has_probabilities else ""
    said = f"{network.info.classes[there.saved.argmax()]}{share}"
    return f"{said}; RMS {second:.3g} beside {first:.3g}, of the difference {apart:.3g}"


def _said(pgn: Pgn, network: Classifier, image: SingleImage) -> str:
    import numpy as np

    from pgn_studio.core.evaluation.strength import strength_curve

    classes = network.info.classes
    parts = []
    for said in (image.before, image.saved):
        share = f" {100 * said.max():.1f} %" if image.has_probabilities else ""
        parts.append(f"{classes[said.argmax()]}{share}")
    text = " → ".join(parts)
    if network.queries is not None:
        return text
    grid = np.linspace(0.0, _LARGEST, _GRID).round(6)
    flips = strength_curve(pgn, network, image.original, alphas=grid).flips
    changes = [f"{classes[flip.before]} → {classes[flip.after]} at {flip.alpha:.2f}" for flip in flips]
    return f"{text}; with growing strength: {', '.join(changes) or 'no change'}"
