"""Where output goes: results to stdout, progress and notices to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from srbench.support.progress import PIPED_WIDTH, progress_bar

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from srbench.run.outcome import Outcome, Runner
    from srbench.run.plan import Cell


def out() -> Console:
    """Return the console results are printed on."""
    from rich.console import Console

    return Console(soft_wrap=False) if sys.stdout.isatty() else Console(width=PIPED_WIDTH)


def err(quiet: bool = False) -> Console:
    """Return the console notices and progress are printed on; a quiet one prints nothing."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, quiet=quiet)


def print_line(console: Console, line: str) -> None:
    """Print a line, broken between words where the console is narrow."""
    from srbench.support import screen

    screen.line(console, line)


@contextmanager
def following(runner: Runner, plan: Sequence[Cell], task: str, quiet: bool = False) -> Iterator[None]:
    """Show a runner's progress through a plan while it runs."""
    with progress_bar(err(quiet)) as bar:
        shown = bar.add_task(task, total=sum(len(cell.images) for cell in plan))

        def advance(cell: Cell, images: int) -> None:
            bar.update(shown, description=str(cell), advance=images)

        runner.on_image = advance
        runner.on_wait = lambda line: bar.console.print(line, style="yellow", highlight=False, markup=False)
        yield


def say(notices: Sequence[str], quiet: bool = False) -> None:
    """Print notices, a line each."""
    for notice in notices:
        err(quiet).print(notice, style="yellow", highlight=False, markup=False)


def report_failures(outcome: Outcome, store: Path | str | None = None, quiet: bool = False) -> None:
    """Name the cells that could not be finished, and end with exit code 1 if there are any.

    Args:
        store: where records went, to say how many did.
        quiet: only failures are printed.
    """
    import typer

    say(outcome.notices, quiet)
    if store is not None:
        counts = f"{outcome.measured} images measured, {outcome.kept} already in {store}"
        err(quiet).print(counts, style="dim", highlight=False, markup=False)
    for failure in outcome.failures:
        err().print(f"failed: {failure}", style="red", highlight=False, markup=False)
    if outcome.failures:
        raise typer.Exit(1)
