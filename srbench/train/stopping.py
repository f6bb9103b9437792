"""Take Ctrl-C and SIGTERM during a training: an iteration is finished and saved first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from srbench.support.sigterm import Terminated


def signal_of(interrupt: KeyboardInterrupt) -> int:
    """Return the signal that an interruption was raised for."""
    return signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT


@contextmanager
def stop_asked() -> Iterator[list[int]]:
    """Collect the signals that ask to stop, so that an iteration is never torn; a third one tears it."""
    seen: list[int] = []
    before = {}

    def ask(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        # A terminal's Ctrl-C may come twice, from torchrun and from the terminal itself.
        if len(seen) > 2:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

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
