"""Show the progress of a download."""

from __future__ import annotations

from typing import Any


def download_bar() -> Any:
    """Return a bar with the few methods pooch asks for, drawn by Rich; None where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        return None

    class Bar:
        def __init__(self) -> None:
            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("download", total=None)
            self._total = 0

        @property
        def total(self) -> int:
            return self._total

        @total.setter
        def total(self, value: int) -> None:
            self._total = value
            self._bar.update(self._task, total=value or None)
            self._bar.start()

        def update(self, amount: int) -> None:
            self._bar.update(self._task, advance=amount)

        def reset(self) -> None:
            self._bar.reset(self._task)

        def close(self) -> None:
            self._bar.stop()

    return Bar()
