from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate
from pgn_studio.core.export.table import export_table
from tests.core.evaluation.samples import Shift, make_classifier, make_pgn, make_split

ODD = ("50% off & $5_a|b", "dog\\{x}", "owl")


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    pgn, classifier = make_pgn(Shift(red=0.03)), make_classifier(ODD)
    return evaluate(pgn, classifier, make_split(), split_name="test", dataset_name="my_set")


def written(tmp_path: Path, suffix: str, evaluation: Evaluation) -> str:
    export_table(tmp_path / f"table{suffix}", evaluation)
    return (tmp_path / f"table{suffix}").read_text(encoding="utf-8")


def test_json_is_the_evaluation(tmp_path: Path, evaluation: Evaluation) -> None:
    assert json.loads(written(tmp_path, ".json", evaluation)) == evaluation.to_json()


def test_csv_keeps_full_precision(tmp_path: Path, evaluation: Evaluation) -> None:
    rows = dict(csv.reader(written(tmp_path, ".csv", evaluation).splitlines()))
    assert float(rows["perturbed_accuracy"]) == evaluation.metrics.perturbed_accuracy
    assert rows["pgn"] == ""
    assert int(rows[f"n[{ODD[0]}]"]) == 10


def test_markdown_tables_are_regular_and_escaped(tmp_path: Path, evaluation: Evaluation) -> None:
    text = written(tmp_path, ".md", evaluation)
    m = evaluation.metrics
    assert f"| Clean | {100 * m.clean_accuracy:.2f} |" in text
    assert f"| {m.fixed} | {m.broken} |" in text
    assert r"50% off & $5\_a\|b" in text
    for table in text.split("\n\n")[1:]:
        assert len({line.replace(r"\|", "").count("|") for line in table.strip().splitlines()}) == 1


def test_latex_is_escaped(tmp_path: Path, evaluation: Evaluation) -> None:
    text = written(tmp_path, ".tex", evaluation)
    assert r"50\% off \& \$5\_a\textbar{}b" in text
    assert r"dog\textbackslash{}\{x\}" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
    for table in text.split("\n\n")[1:]:
        lines = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len({line.replace(r"\&", "").count("&") for line in lines}) == 1


def test_wrong_suffix_lists_the_right_ones(tmp_path: Path, evaluation: Evaluation) -> None:
    with pytest.raises(PgnStudioError, match=r"\.csv, \.md, \.tex, \.json"):
        export_table(tmp_path / "table.xlsx", evaluation)
