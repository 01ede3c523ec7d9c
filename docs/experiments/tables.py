"""Markdown tables of what `run.py` left in a folder: `python docs/experiments/tables.py FOLDER [README.md]`.

Printed, or put between the two marks of a page.

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

from run import ABLATION, GAMMAS, SEEDS, UNCHANGED, name_of

BEGIN, END = "<!-- TABLES -->", "<!-- END -->"
Figures = dict[str, Any]
DATA = ("digits", "clothing")
TITLES = {"clothing": "clothing, 32 px", "clothing96": "clothing, 96 px, 1,000 steps"}  # of the targets
ENHANCING = ("noise", "fgsm", "direct", "fine-tune", "aid", "aid-iterated")
ATTACKING = ("noise", "fgsm", "uap", "direct", "aid", "aid-iterated")


class Results:
    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"

    def of(self, data: str, name: str, baseline: str = "") -> dict[int, Figures]:
        """Figures by seed, of a run or of a baseline beside it."""
        found = {}
        for seed in SEEDS:
            folder = self.runs / f"{data}-{name}-{seed}"
            for path in [folder / f"{file}.json" for file in (("all", baseline) if baseline else ("test",))]:
                if path.is_file():
                    figures = json.loads(path.read_text(encoding="utf-8"))
                    figures = figures["baselines"].get(baseline) if baseline else figures
                    found.update({seed: figures} if figures else {})
        return found


def accuracy(figures: Figures) -> float:
    return 100 * float(figures["perturbed_accuracy_8bit"])


def gain(figures: Figures) -> float:
    return accuracy(figures) - 100 * float(figures["clean_accuracy"])


def spread(values: Iterable[float], digits: int = 1) -> str:
    listed = list(values)
    if not listed:
        return "not run"
    deviation = f" ± {statistics.stdev(listed):.{digits}f}" if len(listed) > 1 else ""
    return f"{statistics.mean(listed):.{digits}f}{deviation}"


def over(found: dict[int, Figures], value: Callable[[Figures], float], digits: int = 1) -> str:
    return spread((value(figures) for figures in found.values()), digits)


def flips(found: dict[int, Figures]) -> str:
    return f"{sum(f['fixed_8bit'] for f in found.values())}, {sum(f['broken_8bit'] for f in found.values())}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    columns = list(head)
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def share(found: dict[int, Figures], bound: dict[int, Figures]) -> str:
    """Of the bound's mean gain, over the seeds that both have."""
    both = sorted(set(found) & set(bound))
    most = statistics.mean(gain(bound[seed]) for seed in both) if both else 0.0
    if most <= 0:
        return "–"
    return f"{100 * statistics.mean(gain(found[seed]) for seed in both) / most:.0f} %"


def targets(results: Results) -> None:
    rows = []
    for data in (*DATA, *UNCHANGED):
        bound, named = results.of(data, "shared", "direct"), TITLES.get(data, data)
        longer = [("PGN, black box, 1,000 steps", results.of(data, "blackbox-long"))] if data in DATA else []
        for title, found in (
            ("PGN, shared", results.of(data, "shared")),
            ("PGN, black box", results.of(data, "blackbox")),
            *longer,
            ("direct, at the shared PGN's RMS", bound),
        ):
            clean = over(found, lambda figures: 100 * figures["clean_accuracy"])
            rms = over(found, lambda figures: figures["rms_mean"], 3)
            what = "" if found is bound else share(found, bound)
            rows.append(
                (named, title, clean, over(found, accuracy), what, flips(found), rms, str(len(found)))
            )
    print("## Enhancing\n")
    head = ("data", "", "clean, %", "perturbed, %", "of direct's gain", "fixed, broken", "RMS", "seeds")
    table(head, rows)
    rows = []
    for data in (*DATA, *UNCHANGED):
        named = TITLES.get(data, data)
        for title, name in (("shared", "adv"), ("black box", "advbb")):
            found = results.of(data, name)
            clean = over(found, lambda figures: 100 * figures["clean_accuracy"])
            rms = over(found, lambda figures: figures["rms_mean"], 3)
            rows.append((named, title, clean, over(found, accuracy), rms, str(len(found))))
    print("## Attacking\n")
    table(("data", "D", "clean, %", "perturbed, %", "RMS", "seeds"), rows)


def baselines(results: Results) -> None:
    for problem, run, names in (("enhancing", "shared", ENHANCING), ("attacking", "adv", ATTACKING)):
        rows = []
        for name in ("", *names):
            row = [name or "PGN"]
            for data in DATA:
                found = results.of(data, run, name)
                rms = over(found, lambda figures: figures["rms_mean"], 3)
                row += [over(found, accuracy), rms, str(len(found))]
            rows.append(row)
        print(f"## Baselines, {problem}\n")
        table(("", *(f"{data}: {what}" for data in DATA for what in ("%", "RMS", "seeds"))), rows)


def ablation(results: Results) -> None:
    rows = []
    for name, run in (("(the default)", "shared"), *((name, f"ablation-{name}") for name in ABLATION)):
        row = [name, " ".join(ABLATION.get(name, ()))]
        for data in DATA:
            found = results.of(data, run)
            rms = over(found, lambda figures: figures["rms_mean"], 3)
            row += [over(found, gain), flips(found), rms, str(len(found))]
        rows.append(row)
    print("## Ablation: points gained\n")
    what = ("points", "fixed, broken", "RMS", "seeds")
    table(("", "options", *(f"{data}: {column}" for data in DATA for column in what)), rows)


def gammas(results: Results) -> None:
    rows = []
    for data in DATA:
        for gamma in GAMMAS:
            found = results.of(data, name_of(gamma))
            worst = f"{min(map(gain, found.values())):+.1f}" if found else "not run"
            rms = over(found, lambda figures: figures["rms_mean"], 3)
            rows.append((data, f"{gamma:g}", over(found, gain), worst, flips(found), rms, str(len(found))))
    print("## γ from 0.1 to 30: points gained\n")
    table(("data", "γ", "points", "worst seed", "fixed, broken", "RMS", "seeds"), rows)


def tables(folder: Path) -> str:
    written = io.StringIO()
    with redirect_stdout(written):
        for part in (targets, baselines, ablation, gammas):
            part(Results(folder))
    return written.getvalue()


def main() -> None:
    text = tables(Path(sys.argv[1]))
    if len(sys.argv) == 2:
        print(text)
        return
    page = Path(sys.argv[2])
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
