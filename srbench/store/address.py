"""What an evaluation needs of a store, and which store an address names."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from srbench.store.claims import Claim
    from srbench.store.record import Record


class Writer(Protocol):
    """A writer takes records of one cell."""

    def append(self, record: Record) -> None:
        """Store a record, at once or when the writer is left at the latest."""


class RecordStore(Protocol):
    """A store holds records by cell, wherever they are."""

    @property
    def folder(self) -> Path | None:
        """The directory it is; None where it is no directory of this machine."""

    def check_writable(self) -> None:
        """RunFailed if records cannot be written there."""

    def cells(self) -> list[PurePosixPath]:
        """Return the paths of all cells, in a stable order."""

    def read(self, cell: PurePosixPath) -> list[Record]:
        """Read the records of a cell, one per image."""

    def claim(self, cell: PurePosixPath) -> Claim:
        """Keep other runs from a cell as long as this process lives; Busy where one has it."""

    def writer(self, cell: PurePosixPath) -> AbstractContextManager[Writer]:
        """Return a context manager that takes records of a cell; Busy where another run has it."""

    def settle(self, cell: PurePosixPath) -> None:
        """Put a cell's parts together."""


def is_address(place: Path | str) -> bool:
    """Return whether a place is an address for fsspec rather than a directory."""
    return "://" in str(place) and not str(place).startswith("file://")


def open_store(place: Path | str) -> RecordStore:
    """Open the store at a directory, or at an address that fsspec knows (``s3://...``, ``gs://...``).

    Raises:
        BadInput: an address of a kind that is not known here, with the package that is missing.
    """
    if is_address(place):
        from srbench.store.parts import PartStore

        return PartStore(str(place))
    from srbench.store.folder import Store

    return Store(Path(str(place).removeprefix("file://")))
