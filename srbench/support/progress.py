"""Show the progress bar of a long command, and say how wide a line may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

# A pipe has no width; a line or table cut to 80 columns would lose its numbers.
PIPED_WIDTH = 400
WIDE = 110
"""A terminal with fewer columns has no room for the rate and the time that has passed."""


def room(console: Console, total: int) -> int:
    """Return how many columns :func:`progress_bar` leaves for its text, up to a total of so many units."""
    beside = 2 * len(str(total)) + len("/ 0:00:00 left")
    # The bar, and where there is room rate and elapsed time; a space before each.
    beside += 20 + len("999.9 images/s 0:00:00") + 5 if console.width >= WIDE else 10 + 3
    return console.width - beside


def progress_bar(
    console: Console, text: str = "{task.description}", rate: str = "{:.1f} images/s"
) -> Progress:
    """Return a bar with count and time left on a terminal, nothing in a pipe; use it in a ``with``.

    It keeps to one line: where the terminal is narrow, rate and elapsed time are left out, and the end of the
    text where even that is too long.

    Args:
        text: what stands before the bar, in rich's format of a task.
        rate: format of the speed, in units a second.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(rate.format(task.speed) if task.speed else "")

    wide = console.width >= WIDE

    def whole() -> Column:
        return Column(no_wrap=True, min_width=4)

    # A model may be called [bold].
    said = TextColumn(text, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    return Progress(
        said,
        BarColumn(bar_width=20 if wide else 10),
        MofNCompleteColumn(table_column=whole()),
        *((Rate(table_column=whole()), TimeElapsedColumn(table_column=whole())) if wide else ()),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
        TextColumn("left", table_column=whole()),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
