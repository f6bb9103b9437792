"""SIGTERM, by which schedulers, containers and ``kill`` end a command, is taken as Ctrl-C is."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM
"""Shells report this for a command that SIGTERM ended."""
AGAIN = 2.0
"""Another SIGTERM so many seconds after the last interrupts once more: what cleans up must hang. Threads get
as long to end."""

_came = -AGAIN


class Terminated(KeyboardInterrupt):
    """Says that SIGTERM came; what makes good after Ctrl-C does so after it."""


def terminated() -> bool:
    """Return whether SIGTERM came while this process took it as Ctrl-C."""
    return _came >= 0


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise :class:`Terminated` where the main thread is; a handler of SIGTERM."""
    global _came  # a process gets its signals as a whole
    before, _came = _came, time.monotonic()
    # `timeout` and others signal a process and then its group: the second must not tear what cleans up.
    if _came - before >= AGAIN:
        raise Terminated


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C inside; not where it is ignored, and not outside the main thread."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # signals are the main thread's affair
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def leave_threads(code: int) -> None:
    """End the process where threads do not end by themselves: they may be at an image for minutes.

    Args:
        code: the exit code.
    """
    until = time.monotonic() + AGAIN
    others = [t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


@contextmanager
def kept() -> Iterator[None]:
    """Keep :func:`interrupt` while a library puts a handler of its own in its place, which just exits."""
    ours = signal.getsignal(signal.SIGTERM) is interrupt
    try:
        yield
    except SystemExit:
        if not ours:
            raise
        with suppress(Terminated):
            interrupt(signal.SIGTERM, None)
        raise Terminated from None
    finally:
        if ours:
            signal.signal(signal.SIGTERM, interrupt)
