"""Take Ctrl-C and SIGTERM during a training: an iteration is finished and saved first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from srbench.errors import SrbenchError


class Interrupted(SrbenchError):  # noqa: N818 - the name a reader wants at the raise
    """Says that a training was stopped by Ctrl-C or SIGTERM, after saving; exit code 130, as in shells."""

    exit_code = 130


@contextmanager
def stop_asked() -> Iterator[list[int]]:
    """Collect the signals that ask to stop, so that an iteration is never torn; a third one tears it."""
    seen: list[int] = []
    before = {}

    def ask(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        # A terminal's Ctrl-C may come twice, from torchrun and from the terminal itself.
        if len(seen) > 2:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            before[number] = signal.signal(number, ask)
        except ValueError:  # not in the main thread: signals are somebody else's affair
            continue
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
