"""The command `pgn-studio`: its commands, and what becomes of errors.

Exit codes: 0 done, 2 bad input (one line that says what to do), 130 stopped by the user, 1 an
internal fault (its traceback is in the log file).
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pgn_studio import __version__
from pgn_studio.cli import (
    abstain,
    baseline,
    classifier,
    doctor,
    evaluate,
    export,
    perturb,
    report,
    reproduce,
    runs,
    sweep,
    train,
    train_classifier,
)
from pgn_studio.cli import demo as headless_demo
from pgn_studio.cli.blackbox import without_secrets
from pgn_studio.cli.display import find_display
from pgn_studio.cli.logs import logging_to_file
from pgn_studio.cli.options import moved_option
from pgn_studio.cli.terminal import note
from pgn_studio.cli.wording import error_text
from pgn_studio.core.errors import Canceled, PgnStudioError

log = logging.getLogger(__name__)

NAME = "pgn-studio"
_STOPPED = 130
_BROKEN_PIPE = 141

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _add(command: Callable[..., None], example: str | None = None) -> None:
    """Register a command; its docstring is the help, each paragraph as one line that typer wraps."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(command.__name__.replace("_", "-"), help=text, epilog=example)(command)


_add(train_classifier.train_classifier, train_classifier.EXAMPLE)
_add(classifier.classifier, classifier.EXAMPLE)
_add(train.train, train.EXAMPLE)
_add(evaluate.evaluate, evaluate.EXAMPLE)
_add(baseline.baseline, baseline.EXAMPLE)
_add(export.export, export.EXAMPLE)
_add(perturb.perturb, perturb.EXAMPLE)
_add(abstain.abstain, abstain.EXAMPLE)
_add(report.report, report.EXAMPLE)
_add(sweep.sweep, sweep.EXAMPLE)
_add(reproduce.reproduce, reproduce.EXAMPLE)
_add(runs.runs)
_add(runs.annotate, runs.ANNOTATE_EXAMPLE)
_add(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def window(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """PGN Studio: perturbations that help or fool a frozen image classifier.

    Without a command the window opens.
    """
    if context.invoked_subcommand is None:
        raise typer.Exit(open_window(demo=False))


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No window even where there is a display.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", help="Headless: the folder for figures and tables.")
    ] = headless_demo.DEFAULT_OUT,
    anew: Annotated[
        bool, typer.Option("--train", help="Headless: train the enhancing PGN anew, in a minute or two.")
    ] = False,
) -> None:
    """Show the bundled demo: handwritten digits, a weak classifier, an enhancing and an adversarial PGN.

    In the window where there is a display, otherwise as a table and figures.
    """
    if not (headless or anew):
        display = find_display()
        if display.visible:
            raise typer.Exit(open_window(demo=True))
        note(f"No window here ({display.reason}): running without one.")
    headless_demo.run_headless(out.expanduser(), anew=anew)


_add(demo)


def open_window(*, demo: bool) -> int:
    """Run the window; returns its exit code. Raises PgnStudioError where no window can be opened."""
    display = find_display()
    if not display.usable:
        raise PgnStudioError(
            f"No window can be opened here: {display.reason}.",
            hint="Run it on a desktop; `pgn-studio --help` lists the commands that need none.",
        )
    from pgn_studio.gui.app import run_app

    return run_app(sys.argv[:1], demo=demo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and never shows a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without "…" or "–" must not fail
    with logging_to_file() as log_path:
        log.info("%s %s: %s", NAME, __version__, " ".join(without_secrets(given)))
        try:
            code = app(given, prog_name=NAME, standalone_mode=False)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place to tell the user
            return _exit_code(error, given, log_path)
        except SystemExit:  # how typer and rich end when the reader of a pipe left: `runs | head`
            return _left_by_reader()
        return code if isinstance(code, int) else 0


def _exit_code(error: BaseException, given: Sequence[str], log_path: Path | None) -> int:
    """Say in one line what went wrong."""
    if isinstance(error, (KeyboardInterrupt, Canceled, typer.Abort)):
        _say("stopped")
        return _STOPPED
    if isinstance(error, BrokenPipeError):
        return _left_by_reader()
    message = _bad_input(error, given)
    if message is not None:
        log.info("refused: %s", message, exc_info=error)
        if isinstance(error, PgnStudioError) and error.details:
            log.info("details: %s", error.details)
        _say(f"error: {message}")
        return 2
    log.critical("internal fault", exc_info=error)
    where = f"The details are in {log_path}." if log_path else "No log file could be written."
    _say(f"internal error: {type(error).__name__}: {error}. {where} Please report it.")
    return 1


def _left_by_reader() -> int:
    """What is still to be flushed at the end goes nowhere, silently."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _BROKEN_PIPE


def _bad_input(error: BaseException, given: Sequence[str]) -> str | None:
    """What the user can act on, or None for a fault of ours."""
    if isinstance(error, PgnStudioError):
        return error_text(error)
    if hasattr(error, "format_message"):  # click's usage errors, wherever typer keeps its click
        message = error.format_message().replace("Value error, ", "")
        context = getattr(error, "ctx", None)
        option = getattr(error, "option_name", None)  # of one that there is not
        known = [name for item in context.command.params for name in item.opts] if context else []
        if option and "--set" in known and (instead := moved_option(option, given)):
            return f"No such option {option}. Use {instead}."
        return f"{message} Try '{context.command_path if context else NAME} --help'."
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, not imported
        return "Out of memory. Use a smaller --batch-size or --cache-mb, or another --device."
    return None


def _say(text: str) -> None:
    typer.echo(f"{NAME}: {' '.join(text.split())}", err=True)
