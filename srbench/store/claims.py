"""Claims of cells, by which runs on one store keep out of each other's way."""

from __future__ import annotations

from typing import Protocol

from srbench.errors import RunFailed


class Busy(RunFailed):
    """Another run has claimed a cell, or writes it."""


class Claim(Protocol):
    """A claim keeps other runs from a cell, as long as its process lives at most."""

    def release(self) -> None:
        """Leave the cell to others."""


class Unguarded:
    """Claims nothing, where any number of runs may write a cell."""

    def release(self) -> None:
        """Do nothing."""
