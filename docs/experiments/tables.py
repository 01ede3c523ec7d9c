"""Markdown tables of what `run.py` left in a folder: `python docs/experiments/tables.py FOLDER [README.md]`.

Printed, or put between the two marks of a page. Then the figures are also kept in `results.json` beside the
page, and the tables are of all that are kept there: a folder of runs need not outlive its machine.

All figures are of the test split, after 8 bits; mean ± standard deviation over the seeds that are there.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from run import ABLATION, ABSTAINING, DROPPED, FROZEN, GAMMAS, SEEDS, UNCHANGED, name_of

from pgn_studio.core.legacy import BASELINE_NAMES

FIGURES = ("clean_accuracy", "perturbed_accuracy_8bit", "fixed_8bit", "broken_8bit", "rms_mean")
BEGIN, END = "<!-- TABLES -->", "<!-- END -->"
Figures = dict[str, Any]
DATA = ("digits", "clothing")
# Of the targets' rows.
TITLES = {"clothing": "clothing, 32 px", "clothing96": "clothing, 96 px, the default's steps"}
ENHANCING = ("random-sign", "fgsm", "white-box", "fine-tune", "fgsm-oracle", "pgd-oracle")
ATTACKING = ("random-sign", "fgsm", "uap", "white-box", "fgsm-oracle", "pgd-oracle")


def gathered(folder: Path) -> dict[str, Figures]:
    """By "RUN", "RUN BASELINE" and "RUN held-SHARE", of the runs in a folder."""
    found = {}
    for path in sorted(folder.glob("runs/*/*.json")):
        run, figures = path.parent.name, json.loads(path.read_text(encoding="utf-8"))
        if path.name == "test.json":
            found[run] = figures
        elif path.name.startswith("held-"):
            found[f"{run} {path.stem}"] = figures
        elif "baselines" in figures:
            found.update({f"{run} {name}": of for name, of in figures["baselines"].items()})
    return {name: {key: figures[key] for key in FIGURES} for name, figures in modern(found).items()}


def modern(figures: dict[str, Figures]) -> dict[str, Figures]:
    """The same, with the names that baselines have today."""
    names = {name: name.rpartition(" ") for name in figures}
    return {
        f"{run}{space}{BASELINE_NAMES.get(last, last)}": figures[name]
        for name, (run, space, last) in names.items()
    }


class Results:
    def __init__(self, figures: dict[str, Figures]) -> None:
        self.figures = figures

    def of(self, data: str, name: str, baseline: str = "") -> dict[int, Figures]:
        """Figures by seed, of a run or of a baseline beside it."""
        names = {seed: f"{data}-{name}-{seed} {baseline}".strip() for seed in SEEDS}
        return {seed: self.figures[name] for seed, name in names.items() if name in self.figures}


def accuracy(figures: Figures) -> float:
    return 100 * float(figures["perturbed_accuracy_8bit"])


def clean(figures: Figures) -> float:
    return 100 * float(figures["clean_accuracy"])


def gain(figures: Figures) -> float:
    return accuracy(figures) - clean(figures)


def rms(figures: Figures) -> float:
    return float(figures["rms_mean"])


def spread(values: Iterable[float], digits: int = 1) -> str:
    listed = list(values)
    if not listed:
        return "not run"
    deviation = f" ± {statistics.stdev(listed):.{digits}f}" if len(listed) > 1 else ""
    return f"{statistics.mean(listed):.{digits}f}{deviation}"


def over(found: dict[int, Figures], value: Callable[[Figures], float], digits: int = 1) -> str:
    return spread((value(figures) for figures in found.values()), digits)


def flips(found: dict[int, Figures]) -> str:
    return ", ".join(map(str, summed(found)))


def summed(found: dict[int, Figures]) -> tuple[int, int]:
    """Fixed and broken, over the seeds."""
    fixed, broken = (sum(figures[key] for figures in found.values()) for key in ("fixed_8bit", "broken_8bit"))
    return fixed, broken


def table(title: str, head: Iterable[str], rows: Iterable[Iterable[str]], *, least: int = 2) -> None:
    """Rows that nothing was run for are left out, and a table of fewer than `least` rows, too."""
    columns = list(head)
    counted = [index for index, column in enumerate(columns) if column.endswith("seeds")]
    there = [row for row in map(tuple, rows) if any(row[index] != "0" for index in counted)]
    if len(there) < least:
        return
    print(f"## {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in there:
        print("| " + " | ".join(row) + " |")
    print()


def same_classifier(found: dict[int, Figures], other: dict[int, Figures]) -> bool:
    """As far as accuracy tells: one that another machine trained differs on some of the seeds."""
    both = set(found) & set(other)
    return all(found[seed]["clean_accuracy"] == other[seed]["clean_accuracy"] for seed in both)


def share(found: dict[int, Figures], bound: dict[int, Figures]) -> str:
    """Of the bound's mean gain, over the seeds that both have; nothing where f was another machine's."""
    both = sorted(set(found) & set(bound))
    if not same_classifier(found, bound):
        return ""
    most = statistics.mean(gain(bound[seed]) for seed in both) if both else 0.0
    if most <= 0:
        return ""
    return f"{100 * statistics.mean(gain(found[seed]) for seed in both) / most:.0f} %"


OFF = " ".join(FROZEN)
# Of the enhancing runs, and of the attacks.
ENHANCED = (
    ("PGN, shared", "shared"),
    ("PGN, shared, 1,000 steps", "shared-long"),
    ("PGN, black box", "blackbox"),
    ("PGN, black box, 1,000 steps", "blackbox-long"),
    (f"PGN, shared, {OFF}", "frozen-shared"),
    (f"PGN, shared, 1,000 steps, {OFF}", "frozen-shared-long"),
    (f"PGN, shared, {OFF} --set logit_temperature=1", "temperature-1"),
    (f"PGN, black box, {OFF}", "frozen-blackbox"),
    (f"PGN, black box, 1,000 steps, {OFF}", "frozen-blackbox-long"),
)
ATTACKED = (
    ("shared", "adv"),
    ("black box", "advbb"),
    ("black box, --set clip=no", "advbb-no-clamp"),
    (f"shared, {OFF}", "frozen-adv"),
    (f"shared, {OFF} --set logit_temperature=1", "adv-temperature-1"),
    (f"black box, {OFF}", "frozen-advbb"),
)


def enhanced(data: str, title: str, runs: dict[int, Figures], gained: str = "") -> tuple[str, ...]:
    row = (over(runs, clean), over(runs, accuracy), gained, flips(runs), over(runs, rms, 3), str(len(runs)))
    return TITLES.get(data, data), title, *row


def targets(results: Results) -> None:
    rows = []
    for data in (*DATA, *UNCHANGED):
        own = results.of(data, "shared", "white-box")  # of as many steps as the PGN of that name
        frozen, undivided = (
            results.of(data, name, "white-box") for name in ("frozen-shared", "temperature-1")
        )
        bound = frozen or undivided
        for title, name in ENHANCED:
            runs = results.of(data, name)
            longer = name.endswith("shared-long")  # than white-box was trained
            gained = "" if longer else share(runs, bound if OFF in title else own)
            rows.append(enhanced(data, title, runs, gained or "–"))
        rows.append(enhanced(data, "white-box, at the shared PGN's RMS", own))
        rows.append(enhanced(data, f"white-box, {OFF}", bound))
    head = ("data", "", "clean, %", "perturbed, %", "of white-box's gain", "fixed, broken", "RMS", "seeds")
    table("Enhancing", head, rows, least=1)
    rows = []
    for data in (*DATA, *UNCHANGED):
        for title, name in ATTACKED:
            runs = results.of(data, name)
            row = (over(runs, clean), over(runs, accuracy), over(runs, rms, 3), str(len(runs)))
            rows.append((TITLES.get(data, data), title, *row))
    head = ("data", "D", "clean, %", "perturbed, %", "RMS", "seeds")
    table("Attacking", head, rows, least=1)


def abstaining(results: Results) -> None:
    rows = []
    for data in (*DATA, *UNCHANGED):
        bound = results.of(data, "shared", "white-box")
        for title, name in ENHANCED:
            held = {left: results.of(data, name, f"held-{left}") for left in ABSTAINING.get(name, ())}
            if not any(held.values()):
                continue
            for left, runs in {"0": results.of(data, name), **held}.items():
                fixed, broken = summed(runs)
                alone = f"{100 * float(left):.0f}"
                row = (over(runs, accuracy), share(runs, bound) or "–", flips(runs))
                ratio = f"{100 * broken / fixed:.0f} %" if fixed else ""
                rows.append(
                    (TITLES.get(data, data), title, alone, *row, ratio, over(runs, rms, 3), str(len(runs)))
                )
    head = ("data", "", "unchanged, %", "perturbed, %", "of white-box's gain", "fixed, broken")
    table("Abstention", (*head, "broken / fixed", "RMS", "seeds"), rows)


def baselines(results: Results) -> None:
    for problem, run, names in (
        ("enhancing", "shared", ENHANCING),
        ("attacking", "adv", ATTACKING),
        (f"enhancing, {OFF}", "frozen-shared", ENHANCING),
        (f"attacking, {OFF}", "frozen-adv", ATTACKING),
    ):
        rows = []
        for name in ("", *names):
            row = [name or "PGN"]
            for data in DATA:
                found = results.of(data, run, name)
                row += [over(found, accuracy), over(found, rms, 3), str(len(found))]
            rows.append(row)
        table(
            f"Baselines, {problem}",
            ("", *(f"{data}: {what}" for data in DATA for what in ("%", "RMS", "seeds"))),
            rows,
        )


def ablation(results: Results) -> None:
    """What another machine than the default's ran is marked, and `shared`, its default, stands in a row."""
    marked = set()
    rows = []
    for name, what in {**{key: " ".join(options) for key, options in ABLATION.items()}, **DROPPED}.items():
        row = [what or "the recipe"]
        for data in DATA:
            found = results.of(data, f"ablation-{name}")
            if same_classifier(found, results.of(data, "ablation-default")):
                row += ablated(found)
            else:
                row += ablated(found, mark=" †")
                marked.add(data)
        rows.append(row)
    if marked:
        row = ["the recipe †"]
        for data in DATA:
            row += ablated(results.of(data, "shared"), mark=" †") if data in marked else [""] * 4
        rows.insert(1, row)
    what = ("points", "fixed, broken", "RMS", "seeds")
    table(
        "Ablation: points gained",
        ("", *(f"{data}: {column}" for data in DATA for column in what)),
        rows,
    )


def ablated(found: dict[int, Figures], *, mark: str = "") -> list[str]:
    return [
        over(found, gain) + mark,
        flips(found) if found else "",
        over(found, rms, 3),
        str(len(found)),
    ]


def gammas(results: Results) -> None:
    rows = []
    for data in DATA:
        for gamma in GAMMAS:
            found = results.of(data, name_of(gamma))
            worst = f"{min(map(gain, found.values())):+.1f}" if found else "not run"
            row = (over(found, gain), worst, flips(found), over(found, rms, 3), str(len(found)))
            rows.append((data, f"{gamma:g}", *row))
    table(
        "γ from 0.1 to 30: points gained",
        ("data", "γ", "points", "worst seed", "fixed, broken", "RMS", "seeds"),
        rows,
    )


def tables(figures: dict[str, Figures]) -> str:
    written = io.StringIO()
    with redirect_stdout(written):
        for part in (targets, abstaining, baselines, ablation, gammas):
            part(Results(figures))
    return written.getvalue()


def main() -> None:
    figures = gathered(Path(sys.argv[1]))
    if len(sys.argv) == 2:
        print(tables(figures))
        return
    page = Path(sys.argv[2])
    kept = page.with_name("results.json")
    if kept.is_file():
        figures = {**modern(json.loads(kept.read_text(encoding="utf-8"))), **figures}
    figures = dict(sorted(figures.items()))
    kept.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    text = tables(figures)
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
