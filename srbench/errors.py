"""Errors a user can act on: one line that says what was wrong and what to do, and an exit code."""

from __future__ import annotations

import difflib
import os
import signal
import traceback
from collections.abc import Iterable


class SrbenchError(Exception):
    """Base of every error srbench raises on purpose.

    The command line prints the message as one line, without a traceback, and exits with
    :attr:`exit_code`.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class BadInput(SrbenchError, ValueError):  # noqa: N818 - the name a reader wants at the raise
    """What the user asked for cannot be done as asked (unknown name, bad file, bad option). Exit code 2.

    A notebook shows it as one line, as the command line does; ``SRBENCH_DEBUG=1`` brings the traceback back.
    """

    exit_code = 2

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints in the place of a traceback: how srbench came here helps nobody."""
        if os.environ.get("SRBENCH_DEBUG", "0") not in ("", "0"):
            return traceback.format_exception(self)
        return [f"{type(self).__name__}: {self}"]


class RunFailed(SrbenchError, RuntimeError):  # noqa: N818
    """A well-formed run could not be finished (disk full, no network, out of memory). Exit code 1."""

    exit_code = 1


class Unavailable(RunFailed):
    """A file is not here and cannot be fetched now (offline, no network, wrong content)."""


class Interrupted(SrbenchError):  # noqa: N818
    """Says that a signal stopped a run, and how to go on with it. Exit code 128 + signal, as in shells."""

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def one_line(message: str) -> str:
    """Show line breaks of a message, and whatever else would move a terminal's cursor, as escapes.

    The name of a file, or a key in one, may hold any of these.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


FEW = 200
"""Names are listed in an error where they are no longer than this, in characters."""


def unknown(kind: str, name: str, known: Iterable[str], listing: str) -> BadInput:
    """Make the error for a name that is not known, with the nearest known names, and all where they are few.

    Args:
        kind: what the name should have been ("model", "data set", …).
        name: what the user wrote.
        known: every valid name.
        listing: the command that lists them all, such as ``srbench models``.

    >>> str(unknown("attack", "rrs", ["none", "rsr"], "srbench evaluate --help"))
    "unknown attack 'rrs': did you mean rsr? there are none, rsr"
    """
    choices = list(known)
    lowered = {c.lower(): c for c in choices}
    near = [lowered[m] for m in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.4)]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    listed = ", ".join(choices)
    all_of_them = f"there are {listed}" if len(listed) <= FEW else f"`{listing}` lists them all"
    return BadInput(f"unknown {kind} '{name}': {hint}{all_of_them}")
