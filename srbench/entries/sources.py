"""Read records wherever they are kept: a store, a ``records.csv``, an entry, a folder of entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from srbench.boards.site import build
from srbench.boards.site.explorer import KeptPictures
from srbench.entries.board import read_folder
from srbench.entries.read import read_entry
from srbench.entries.schema import Entry, ModelFacts, unpack_records
from srbench.errors import BadInput
from srbench.store.record import Record


@dataclass(frozen=True)
class Found:
    """Hold what tables, figures and pages are made of.

    Attributes:
        records: those that were wanted.
        pictures: where kept pictures are, if a store was read.
        told: what entries say of their models, by name and the sha256 of the weights.
    """

    records: list[Record]
    pictures: KeptPictures | None = None
    told: dict[tuple[str, str], ModelFacts] = field(default_factory=dict)


def read_records(
    file: Path | None, root: Path | str, wanted: Callable[[Record], bool] = lambda record: True
) -> Found:
    """Return the wanted records of a file, or of the store if none is named.

    Args:
        file: a ``records.csv``, an entry, or a folder of entries.
        root: the store.

    Raises:
        BadInput: a damaged file, or no such records.
    """
    if file is None or not (entries := _entries(file)):
        return Found(*build.read_records(file, root, wanted))
    records = [record for entry in entries for record in unpack_records(entry) if wanted(record)]
    if not records:
        raise BadInput(f"{file} has no such records: ask for others, or name another file")
    return Found(records, None, {(e.model.name, e.model.weights_sha256): e.model for e in entries})


def _entries(file: Path) -> list[Entry]:
    """Return the entries of a folder, or of a file that is JSON and therefore no table; none of any other."""
    if file.is_dir():
        return list(read_folder(file).values())
    if not file.is_file():  # a pipe can be read only once
        return []
    try:
        with file.open("rb") as opened:
            begins = opened.read(64).lstrip()[:1]
    except OSError:
        return []  # the reader of tables says what is wrong
    if begins != b"{":
        return []
    entry, _, problems = read_entry(file)
    if entry is None or problems:
        raise BadInput(f"{file}: {problems[0]}; `srbench validate {file}` says more")
    return [entry]
