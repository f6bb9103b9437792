"""Show the progress bar of a long command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def progress_bar(
    console: Console, text: str = "{task.description}", rate: str = "{:.1f} images/s"
) -> Progress:
    """Return a bar with count, rate and time left on a terminal, nothing in a pipe; use it in a ``with``.

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
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(rate.format(task.speed) if task.speed else "")

    return Progress(
        TextColumn(text, markup=False),  # a model may be called [bold]
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
