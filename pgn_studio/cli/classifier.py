"""`pgn-studio classifier`: what a classifier is, how it does on clean images, and its normalization."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pgn_studio.cli import terminal
from pgn_studio.cli.blackbox import GivenAccess, with_access
from pgn_studio.cli.evaluate import BatchSize, ClassifierArch, DeviceName
from pgn_studio.cli.options import check_json_file, with_settings
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.amounts import percent
from pgn_studio.core.config import DataSettings, TrainingSettings, is_black_box
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.project.resolve import resolve_classifier

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.classifiers.normalization import Normalization
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.classifier_accuracy import ClassifiedSplit
    from pgn_studio.core.evaluation.normalization_check import Diagnosis

EXAMPLE = "Example: pgn-studio classifier resnet.pth --classifier-arch resnet50 --dataset photos"
SPLITS = ("train", "val", "test")
CLASSES_SHOWN = 40


@with_settings(DataSettings)
@with_access
def classifier(
    given: dict[str, Any],
    access: GivenAccess,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|ADDRESS",
            help="The classifier: a file, http://host/path, or python:module:function.",
            show_default=False,
        ),
    ],
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            metavar="train|val|test",
            help="Measure on these images; may be repeated (default: all three, of a black box test alone).",
        ),
    ] = None,
    try_normalizations: Annotated[
        bool,
        typer.Option(
            "--try-normalizations",
            help="Also try the usual means, stds, value ranges and channel orders on a sample of the val "
            "images, and say which is best.",
        ),
    ] = False,
    sample: Annotated[
        int, typer.Option("--sample", min=20, help="Images on which normalizations are tried.", metavar="N")
    ] = 300,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all figures to this file.")
    ] = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 256,
) -> None:
    """Show what a classifier is and how often it is right on clean images, per split and class.

    Where it does badly a wrong normalization is the usual cause: --try-normalizations finds it.
    """
    source = resolve_classifier(source)
    settings = TrainingSettings.make(**given, classifier=source)
    access.check(source)
    names = _splits(split or (), source)
    check_json_file(json_file)
    prepare()
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.device import pick_device

    picked = pick_device(device)
    said = access.source(source, classifier_arch)
    with Interruption() as stop:
        network, dataset = opener(stop).open_both(settings, said)
        measured = _measure(network, dataset, names, batch_size=batch_size, device=picked, stop=stop)
        diagnosis = None
        if try_normalizations:
            diagnosis = _diagnose(network, dataset, sample, device=picked, stop=stop)
    with terminal.results_beside(json_file):
        _print_facts(network)
        terminal.result_table(_accuracies(measured, f"Clean accuracy on {dataset.name}"))
        terminal.result_table(_per_class(measured))
        _advise(network, measured, diagnosis, told=said.is_given)
    terminal.write_figures(json_file, _figures(network, dataset, measured, diagnosis))


def _splits(asked: Sequence[str], source: str) -> tuple[str, ...]:
    """In their usual order; without a wish all, but of a black box, whose answers cost, the test split."""
    unknown = [name for name in asked if name not in SPLITS]
    if unknown:
        raise ConfigError(f"--split: expected {', '.join(SPLITS)}, got {unknown[0]!r}.")
    wanted = asked or (("test",) if is_black_box(source) else SPLITS)
    return tuple(name for name in SPLITS if name in wanted)


def _measure(
    network: Classifier,
    dataset: ImageDataset,
    names: Sequence[str],
    *,
    batch_size: int,
    device: Any,
    stop: Interruption,
) -> list[ClassifiedSplit]:
    from pgn_studio.core.evaluation.classifier_accuracy import classify_split
    from pgn_studio.core.evaluation.leakage import classifier_learned

    measured = []
    for name in names:
        with terminal.progress(f"Measuring on {name}", stop) as report:
            split = dataset.split(name)
            found = classify_split(
                network, split, split_name=name, batch_size=batch_size, device=device, progress=report
            )
        learned = classifier_learned(network, dataset, name)
        measured.append(replace(found, learned=learned))
    return measured


def _diagnose(
    network: Classifier, dataset: ImageDataset, sample: int, *, device: Any, stop: Interruption
) -> Diagnosis:
    from pgn_studio.core.evaluation.normalization_check import (
        DECIDING_SPLIT,
        largest_cost,
        try_normalizations,
    )

    if network.queries is not None:
        cost = largest_cost(len(dataset.split(DECIDING_SPLIT)), sample)
        terminal.note(f"Trying normalizations takes up to {cost:,} queries.")
    with terminal.progress("Trying normalizations", stop) as report:
        return try_normalizations(
            network,
            dataset.split(DECIDING_SPLIT),
            split_name=DECIDING_SPLIT,
            count=sample,
            device=device,
            progress=report,
        )


def _print_facts(network: Classifier) -> None:
    from pgn_studio.core.evaluation.classifier_accuracy import classifier_facts

    for name, value in classifier_facts(network).items():
        terminal.result(f"{name:<16}{value}")
    if network.queries is not None:
        terminal.result(f"{'Queries':<16}{network.queries.describe()}")


def _accuracies(measured: Sequence[ClassifiedSplit], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("", "images", "accuracy", "95 % interval"):
        table.add_column(heading, justify="right" if heading else "left")
    for one in measured:
        found = one.accuracy
        interval = f"{percent(found.low)} – {percent(found.high)}"
        table.add_row(one.title, str(len(one.labels)), percent(found.value), interval)
    return table


def _per_class(measured: Sequence[ClassifiedSplit]) -> Table:
    """Each class with its accuracy in every split; of many classes the worst of the last split."""
    last = measured[-1]
    rows = {one.split_name: one.per_class() for one in measured}
    order = list(range(len(last.classes)))
    title = "Accuracy of each class"
    if len(order) > CLASSES_SHOWN:
        own = rows[last.split_name]
        order = sorted(order, key=lambda label: (own[label]["accuracy"] is None, own[label]["accuracy"]))
        order = order[:CLASSES_SHOWN]
        title = f"The {CLASSES_SHOWN} worst classes on {last.split_name} (--json has all)"
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    for name in rows:
        table.add_column(name, justify="right")
    table.add_column(f"on {last.split_name} most often predicted")
    for label in order:
        row = rows[last.split_name][label]
        other = f"{row['taken_for']} ({row['as_often']})" if row["taken_for"] else ""
        accuracies = [percent(own[label]["accuracy"]) for own in rows.values()]
        table.add_row(last.classes[label], *accuracies, other)
    return table


def _advise(
    network: Classifier, measured: Sequence[ClassifiedSplit], diagnosis: Diagnosis | None, *, told: bool
) -> None:
    from pgn_studio.core.evaluation.classifier_accuracy import poor_split

    if diagnosis is None:
        poor = poor_split(network, measured, told=told)
        if poor is not None:
            terminal.note(f"{poor} Try: --try-normalizations")
        return
    table = Table(title="The same images, normalized in other ways", title_justify="left")
    for heading in ("", "accuracy", "95 % interval", "mean", "std", "order"):
        table.add_column(heading, justify="right" if heading else "left")
    for trial in diagnosis.trials:
        how, found = trial.normalization, trial.accuracy
        numbers = (" ".join(f"{value:.4g}" for value in values) for values in (how.mean, how.std))
        interval = f"{percent(found.low)} – {percent(found.high)}"
        table.add_row(trial.title, percent(found.value), interval, *numbers, how.channels.upper())
    terminal.result_table(table)
    terminal.result(diagnosis.verdict)
    if diagnosis.better is not None:
        terminal.result(f"Use it with: {shlex.join(_options(diagnosis.better.normalization))}")


def _options(how: Normalization) -> list[str]:
    mean, std = (",".join(f"{value:.8g}" for value in values) for values in (how.mean, how.std))
    return ["--classifier-mean", mean, "--classifier-std", std, "--classifier-channels", how.channels]


def _figures(
    network: Classifier,
    dataset: ImageDataset,
    measured: Sequence[ClassifiedSplit],
    diagnosis: Diagnosis | None,
) -> Mapping[str, Any]:
    info, how = network.info, network.normalization
    return {
        "classifier": info.path,
        "classifier_sha256": info.sha256,
        "arch": info.arch,
        "parameters": info.parameters,
        "image_size": info.image_size,
        "classes": list(info.classes),
        "normalization": None
        if how is None
        else {"mean": list(how.mean), "std": list(how.std), "channels": how.channels},
        "queries": None if network.queries is None else network.queries.used,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "splits": {one.split_name: one.to_json() for one in measured},
        "normalizations": None if diagnosis is None else diagnosis.to_json(),
    }
