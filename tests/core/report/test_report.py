"""The report's figures against the evaluation, its files, escaping, and all or nothing."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import Canceled, DataError, PgnStudioError
from pgn_studio.core.evaluation.batch import to_8bit
from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.metrics import fixed_and_broken, mcnemar_p
from pgn_studio.core.report import render
from pgn_studio.core.report.render import (
    FILES,
    report_csv,
    report_html,
    report_json,
    report_markdown,
    tidy,
    write_report,
)
from pgn_studio.core.report.report import Report, make_report, warnings
from pgn_studio.core.report.section import Section
from pgn_studio.core.report.sections import SECTIONS
from pgn_studio.core.report.sections.answers import AnswersSection
from pgn_studio.core.report.sections.baselines import BaselinesSection
from pgn_studio.core.report.sections.classes import ClassesSection
from pgn_studio.core.report.sections.compression import CompressionSection
from pgn_studio.core.report.sections.confusion import ConfusionSection
from pgn_studio.core.report.sections.coverage import CoverageSection
from pgn_studio.core.report.sections.examples import BrokenSection, FixedSection
from pgn_studio.core.report.sections.leakage import LeakageSection
from pgn_studio.core.report.sections.strength import StrengthSection
from pgn_studio.core.report.sections.transfer import TransferSection
from tests.core.evaluation.samples import ArraySplit, Shift, make_classifier, make_pgn, make_split
from tests.core.report.reports import MARKUP, Dataset, fake_baselines, image_named, small_report


@pytest.fixture(scope="module")
def report() -> Report:
    split = make_split(60)
    return small_report(
        split=split,
        other_classifiers=[("f2", make_classifier(MARKUP))],
        baselines=fake_baselines(split),
    )


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return report_html(report)


def test_metrics_are_the_evaluation_s_inside_their_intervals(report: Report) -> None:
    metrics = report.evaluation.metrics
    for name, interval in report.metrics.items():
        if hasattr(metrics, name):
            assert interval.value == pytest.approx(getattr(metrics, name)), name
        if interval.low is not None and interval.high is not None:
            assert interval.low <= interval.high
            assert interval.low - 0.02 <= interval.value <= interval.high + 0.02, name  # type: ignore[operator]
    change = report.metrics["accuracy_change_8bit"].value
    assert change == pytest.approx(metrics.perturbed_accuracy_8bit - metrics.clean_accuracy)
    assert report.metrics["clean_accuracy"].low < metrics.clean_accuracy  # type: ignore[operator]
    for name in ("linf_max", "mcnemar_p", "mcnemar_p_8bit"):
        assert report.metrics[name].low is None


def test_paired_change_is_tighter_than_apart(report: Report) -> None:
    width = {
        name: report.metrics[name].high - report.metrics[name].low  # type: ignore[operator]
        for name in ("clean_accuracy", "perturbed_accuracy", "accuracy_change")
    }
    apart = np.hypot(width["clean_accuracy"], width["perturbed_accuracy"])
    assert width["accuracy_change"] < apart


def test_sections_agree_with_one_another(report: Report) -> None:
    metrics = report.evaluation.metrics
    assert sum(row.fixed for row in report[ClassesSection].rows) == metrics.fixed_8bit
    assert sum(row.broken for row in report[ClassesSection].rows) == metrics.broken_8bit
    n = metrics.n
    assert np.trace(report[ConfusionSection].clean) / n == metrics.clean_accuracy
    assert np.trace(report[ConfusionSection].perturbed) / n == metrics.perturbed_accuracy_8bit
    assert report[ConfusionSection].clean.sum() == report[ConfusionSection].perturbed.sum() == n
    strength = {row.alpha: row for row in report[StrengthSection].rows}
    assert strength[0.0].accuracy.value == strength[0.0].accuracy_8bit.value == metrics.clean_accuracy
    assert strength[1.0].accuracy == report.metrics["perturbed_accuracy"]  # the same draws, too
    assert strength[1.0].accuracy_8bit == report.metrics["perturbed_accuracy_8bit"]
    assert strength[2.0].rms == 2 * metrics.rms_mean
    assert (strength[0.0].fixed, strength[0.0].broken) == (0, 0)
    assert (strength[1.0].fixed, strength[1.0].broken) == (metrics.fixed_8bit, metrics.broken_8bit)
    raw, png = report[CompressionSection].rows[:2]
    assert raw.perturbed.value == metrics.perturbed_accuracy
    assert (raw.fixed_kept, raw.broken_kept) == (1.0, 1.0)
    assert png.change == report.metrics["accuracy_change_8bit"]
    own, other = report[TransferSection].rows
    assert own.perturbed == other.perturbed == report.metrics["perturbed_accuracy_8bit"]


def test_the_answers_from_both_pictures_are_of_mean_and_highest_probability() -> None:
    split, classifier, pgn = make_split(60), make_classifier(), make_pgn(Shift(red=0.03, noise=0.2))
    alone, both, surer = small_report(split=split)[AnswersSection].rows
    pixels = to_pixels(split.images(range(60)), torch.device("cpu"))
    saved = to_8bit(pgn.perturb(pixels).pixels)
    right = [classifier(images).argmax(1).numpy() == split.labels for images in (pixels, saved)]
    mean = classifier(pixels).softmax(1) + classifier(saved).softmax(1)
    twice = mean.argmax(1).numpy() == split.labels
    assert (alone.queries, alone.accuracy.value) == (1, pytest.approx(right[1].mean()))
    assert (alone.fixed, alone.broken) == fixed_and_broken(right[0], right[1])
    assert (both.queries, both.accuracy.value) == (2, pytest.approx(twice.mean()))
    assert (both.fixed, both.broken) == fixed_and_broken(right[0], twice)
    assert both.change.value == pytest.approx(twice.mean() - right[0].mean())
    assert (both.fixed, both.broken) != (alone.fixed, alone.broken)
    highest = [classifier(images).softmax(1).max(1)[0].numpy() for images in (pixels, saved)]
    chosen = np.where(highest[1] >= highest[0], right[1], right[0])
    assert 0 < (highest[1] < highest[0]).sum() < 60
    assert (surer.queries, surer.accuracy.value) == (2, pytest.approx(chosen.mean()))
    assert (surer.fixed, surer.broken) == fixed_and_broken(right[0], chosen)


def test_no_answer_from_both_pictures_of_labels_or_for_an_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of two labels is none, and an attacker does not show the original."""
    attack = make_pgn(Shift(red=0.03, noise=0.2))
    attack.info = replace(attack.info, problem="adversarial")
    dataset: Any = Dataset(make_split(20))
    attacking = make_report(attack, make_classifier(MARKUP), dataset, "test", resamples=100)
    assert not attacking[AnswersSection].rows
    assert not attacking[CoverageSection].rows
    monkeypatch.setattr(Classifier, "gives_scores", False)
    labels_only = small_report()
    assert not labels_only[AnswersSection].rows
    assert "answers" not in {table.key for table in labels_only.tables()}


def test_images_of_small_perturbations_are_left_alone() -> None:
    report = small_report()
    image, metrics = report.evaluation.per_image, report.evaluation.metrics
    whole, *others = report[CoverageSection].rows
    assert (whole.coverage, whole.fixed, whole.broken) == (1.0, metrics.fixed_8bit, metrics.broken_8bit)
    assert whole.change == report.metrics["accuracy_change_8bit"]
    assert [row.coverage for row in others] == pytest.approx([0.9, 0.8, 0.7, 0.5], abs=0.5 / metrics.n)
    clean, saved = (
        made == image.labels for made in (image.clean_prediction, image.perturbed_prediction_8bit)
    )
    for row in others:
        used = image.rms >= row.abstain_below_rms
        assert row.coverage == used.mean()
        right = np.where(used, saved, clean)
        assert row.accuracy.value == pytest.approx(right.mean())
        assert (row.fixed, row.broken) == fixed_and_broken(clean, right)
    assert others[-1].fixed < whole.fixed


def test_a_pgn_that_abstains_is_told_as_one() -> None:
    report = small_report()
    assert not any("abstains" in text for text in warnings(report))
    image = report.evaluation.per_image
    least = float(np.median(image.rms))
    held = small_report(abstain_below_rms=least)
    alone = int((image.rms < least).sum())
    assert held.evaluation.per_image.abstained == alone > 0
    assert held[CoverageSection].rows[0].coverage == pytest.approx(1 - alone / len(image))
    assert any(f"abstains on {alone} of {len(image)} images" in text for text in warnings(held))


def test_perturbations_of_one_size_are_one_row_of_coverage() -> None:
    report = small_report(generator=Shift(red=0.03))
    assert [row.coverage for row in report[CoverageSection].rows] == [1.0]


def test_baselines_are_compared_image_by_image(report: Report) -> None:
    oracle, nothing = report[BaselinesSection].rows
    ours = report.metrics["perturbed_accuracy_8bit"].value
    assert oracle.perturbed.value == 1.0
    assert oracle.lead.value == pytest.approx(ours - 1.0)  # type: ignore[operator]
    assert nothing.lead == report.metrics["accuracy_change_8bit"]
    metrics = report.evaluation.metrics
    assert nothing.lead_p == mcnemar_p(metrics.fixed_8bit, metrics.broken_8bit)


def test_an_oracle_is_called_so_once(report: Report) -> None:
    assert "| Many steps (oracle) |" in report_markdown(report)
    row = replace(report[BaselinesSection].rows[0], title="FGSM (oracle)")
    titled = replace(report, sections=[BaselinesSection([row]), *report.sections])
    assert "| FGSM (oracle) |" in report_markdown(titled)


def test_one_seed_one_report(report: Report) -> None:
    again = small_report(split=make_split(60))
    assert again.metrics == report.metrics
    assert again[ClassesSection].rows == report[ClassesSection].rows
    assert small_report(split=make_split(60), seed=1).metrics != report.metrics


def test_who_saw_what(report: Report) -> None:
    assert "does not say what it was trained on" in " ".join(report[LeakageSection].leakage.warnings)
    for split_name, said in (("train", "trained the PGN"), ("val", "little too good"), ("test", "")):
        found = small_report(split_name=split_name)[LeakageSection].leakage
        spoilt = [text for text in found.warnings if "test split for claims" in text]
        assert len(spoilt) == (1 if said else 0)
        assert said in "".join(spoilt)
        assert ("This report measures", f"{split_name}: 60 images of animals <b>") in found.rows


def test_warns_of_few_images_and_of_missing_baselines(report: Report) -> None:
    assert any("Only 60 images" in text for text in warnings(report))
    assert not any("baselines" in text for text in warnings(report))
    assert any("No baselines" in text for text in warnings(small_report()))


def test_a_perfect_accuracy_is_not_called_certain() -> None:
    report = small_report(generator=Shift(red=5.0), split=make_split(labels=[0] * 60))
    assert report.metrics["perturbed_accuracy_8bit"] == Interval(1.0, 1.0, 1.0)
    assert "not certainty" in report_markdown(report)
    assert report.metrics["attack_success"].value == 0.0


def test_nothing_right_and_nothing_flipped() -> None:
    report = small_report(generator=Shift(), split=make_split(labels=[2] * 9 + [1]))
    assert not report[FixedSection].rows
    assert "No image was fixed" in report_html(report)
    assert report[CompressionSection].rows[0].fixed_kept is None
    wrong = small_report(split=ArraySplit(np.full((9, 8, 8, 3), (255, 0, 0), np.uint8), [1] * 9))
    assert wrong.metrics["attack_success"].value is None
    row = next(
        row for row in csv.DictReader(io.StringIO(report_csv(wrong))) if row["metric"] == "attack_success"
    )
    assert (row["value"], row["low"], row["high"]) == ("", "", "")
    assert json.loads(report_json(wrong))["metrics"]["attack_success"]["value"] is None
    assert "undefined" in report_html(wrong)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DataError, match="no images"):
        small_report(split=ArraySplit(np.zeros((0, 8, 8, 3), np.uint8), []))


def test_csv_is_tidy_and_json_holds_the_same(report: Report) -> None:
    rows = list(csv.reader(io.StringIO(report_csv(report))))
    assert rows[0] == ["section", "name", "metric", "value", "low", "high"]
    assert {len(row) for row in rows} == {6}
    assert len({tuple(row[:3]) for row in rows}) == len(rows)  # each figure once
    assert len(rows) == 1 + len(list(tidy(report)))
    sections = {row[0] for row in rows[1:]}
    named = {"metrics", "class", "compression", "strength", "answers", "coverage"}
    named |= {"transfer", "baseline", "confusion"}
    assert sections >= named
    figures = {tuple(row[:3]): row[3:] for row in rows}
    whole = json.loads(report_json(report))
    low = whole["metrics"]["clean_accuracy"]["low"]
    assert float(figures["metrics", "test", "clean_accuracy"][1]) == pytest.approx(low)
    assert whole["bootstrap"]["method"] == "percentile"
    assert whole["evaluation"]["n"] == 60
    assert whole["confusion"]["clean"] == report[ConfusionSection].clean.tolist()


def test_markdown_has_a_row_of_equal_length_for_each(report: Report) -> None:
    text = report_markdown(report)
    assert "\\<script>" in text
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, block


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_runs_no_script_and_loads_nothing(page: str, report: Report) -> None:
    parser = _Tags()
    parser.feed(page)
    names = [tag for tag, _ in parser.tags]
    assert not {"script", "iframe", "object", "link", "form", "b>", "i"} & set(names)
    assert names.count("img") == 6 + 3 * (len(report[FixedSection].rows) + len(report[BrokenSection].rows))
    for _, attributes in parser.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "srcset", "href"):
            assert (attributes.get(name) or "data:image/").startswith("data:image/")
    for name in (*MARKUP, "animals <b>", "Nothing <i>"):
        assert name in parser.text
    assert "url(" not in page
    assert "@import" not in page
    policy = next(a["content"] for t, a in parser.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy


def test_file_names_are_escaped() -> None:
    name = '"><img src=x onerror=alert(1)>.png'
    text = report_html(small_report(split=image_named(name)))
    assert name not in text
    assert "&#34;&gt;&lt;img src=x" in text


def test_figures_exist_for_light_and_dark(page: str) -> None:
    assert page.count("<picture") == page.count('prefers-color-scheme: dark)"') == 6
    assert "@media screen and (prefers-color-scheme: dark)" in page
    assert "@media print" in page


def test_many_classes_with_long_names() -> None:
    names = tuple(f"class number {i} with a long name" for i in range(60))
    report = small_report(classes=(*MARKUP, *names))
    assert report[ConfusionSection].clean.shape == (63, 63)
    assert len(report[ClassesSection].rows) == 3
    assert "<picture" in report_html(report)


def test_writes_the_four_files_and_replaces_an_earlier_report(tmp_path: Path, report: Report) -> None:
    folder = tmp_path / "new" / "report"
    assert write_report(folder, report) == folder / "report.html"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    (folder / "report.md").write_text("old")
    write_report(folder, report)
    assert (folder / "report.md").read_text(encoding="utf-8") == report_markdown(report)
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    (tmp_path / "empty").mkdir()
    write_report(tmp_path / "empty", report)
    assert len(list((tmp_path / "empty").iterdir())) == 4


def test_a_folder_with_other_things_and_a_file_are_refused(tmp_path: Path, report: Report) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PgnStudioError, match="is a file"):
        write_report(tmp_path / "file", report)
    with pytest.raises(PgnStudioError, match="holds more than a report"):
        write_report(tmp_path, report)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "report.json").write_text("{}")
    with pytest.raises(PgnStudioError, match="holds more than a report"):
        write_report(tmp_path / "foreign", report)
    with pytest.raises(PgnStudioError, match="cannot be written"):
        write_report(tmp_path / "file" / "below", report)


def test_a_canceled_report_leaves_nothing(tmp_path: Path, report: Report) -> None:
    def cancel(done: int, _total: int) -> None:
        if done == 2:
            raise Canceled

    with pytest.raises(Canceled):
        write_report(tmp_path / "out", report, cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_keeps_the_earlier_report(
    tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path / "out", report)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    written = Path.write_text

    def full(path: Path, *arguments: object, **options: object) -> int:
        if path.suffix == ".csv":
            raise OSError(28, "No space left on device")
        return written(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(render.Path, "write_text", full)
    with pytest.raises(PgnStudioError, match="No space left"):
        write_report(tmp_path / "out", report)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_cancel_while_measuring_and_progress_never_falls_back() -> None:
    seen: list[int] = []
    small_report(progress=lambda done, _total: seen.append(done), batch_size=7)
    assert seen[-1] > 0
    assert seen == sorted(seen)

    def cancel(done: int, total: int) -> None:
        if done > total / 2:
            raise Canceled

    with pytest.raises(Canceled):
        small_report(progress=cancel)


def test_tables_leave_out_what_was_not_measured() -> None:
    keys = [table.key for table in small_report().tables()]
    assert {"metrics", "leakage", "compression", "strength", "answers", "coverage", "classes"} <= set(keys)
    assert not {"baselines", "transfer"} & set(keys)
    twice = small_report(other_pgns=[("test", make_pgn(Shift()))], classes=("cat", "dog", "owl"))
    assert [row.pgn for row in twice[TransferSection].rows] == ["test", "test (2)"]


def test_every_section_stands_for_itself(report: Report) -> None:
    """Keys are apart, machines get each once, and a section that is added needs nothing else."""
    assert len({kind.key for kind in SECTIONS}) == len(SECTIONS)
    assert [type(section) for section in report.sections] == list(SECTIONS)

    class Greeting(Section):
        key = "greeting"
        title = "Greeting"
        head = ("Word",)

        @classmethod
        def compute(cls, measured: object) -> Greeting:
            return cls(())

        def cells(self, report: Report) -> list[list[str]]:
            return [["hello"]]

    more = replace(report, sections=[*report.sections, Greeting(())])
    assert '<td class="text">hello</td>' in report_html(more)
    assert "## Greeting" in report_markdown(more)
