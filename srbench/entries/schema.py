"""Declare the schema of an entry, and its digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from srbench.store.record import Record
from srbench.zoo.schema import Domain, HttpUrl

FORMAT: Final = "srbench entry"
SCHEMA_VERSION: Final = 1

# What differs from image to image; the rest of a record is written once for its cell.
_OF_AN_IMAGE = (
    "image",
    "metrics",
    "notes",
    "effect",
    "saved",
    "flags",
    "lr_size",
    "sr_size",
    "seconds",
    "created",
)

ENTRY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]*")
"""An entry may call its model so: the name stands in tables and file names."""

Means = dict[str, dict[str, dict[str, float | None]]]
"""Means over the images stand by data set, attack and metric; null where the metric is undefined on any."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelFacts(_Frozen):
    """Describe the model an entry is about.

    Attributes:
        name, title: in records and tables, and in prose.
        domain: the degradation it was trained for, one of :data:`srbench.zoo.schema.DOMAINS`.
        licence: of the weights; empty where nobody said.
        parameters: how many; null where it is not known.
        weights_sha256: of the weight file; for Python factories of the state dict; empty where there is
            nothing to load.
        weights_source: where the weights are to be had.
        citation, paper, homepage, notes: as on a card of the zoo; entries made before ``paper`` lack it.
    """

    name: str = Field(pattern=rf"^{ENTRY_NAME.pattern}$")
    title: str = Field(min_length=1)
    domain: Domain
    licence: str
    parameters: int | None = Field(ge=0)
    weights_sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")
    weights_source: str
    citation: str
    paper: HttpUrl = None
    homepage: HttpUrl
    notes: str


class CellRecords(_Frozen):
    """Hold the records of one data set under one attack.

    Attributes:
        shared: fields of :class:`srbench.store.record.Record` that are the same for every image.
        images: the other fields, image by image.
    """

    shared: dict[str, Any]
    images: list[dict[str, Any]] = Field(min_length=1, max_length=10_000)


class Entry(_Frozen):
    """Hold one model's results under the fixed protocol.

    Attributes:
        format, schema_version: what this file is.
        model: the model's card.
        command: the command that made the entry.
        partial: what it lacks of the fixed protocol (:func:`srbench.entries.standard.lacking`); empty for a
            complete entry.
        means: aggregates of the records.
        cells: every record.
        digest: sha256 over the canonical JSON of everything else.
    """

    format: Literal["srbench entry"] = FORMAT
    schema_version: Literal[1] = SCHEMA_VERSION
    model: ModelFacts
    command: str
    partial: list[str]
    means: Means
    cells: list[CellRecords] = Field(min_length=1, max_length=100)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


def digest(entry: Mapping[str, Any]) -> str:
    """Return the digest an entry has to have.

    Args:
        entry: as JSON types, with or without ``digest``.

    Raises:
        ValueError: a number that is not finite.
    """
    content = {key: value for key, value in entry.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def pack_cells(records: Iterable[Record]) -> list[CellRecords]:
    """Pack records into cells, in the order in which each cell's first record comes.

    Fields at their defaults are left out, so that a field a later version adds changes no entry.
    """
    cells: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for record in records:
        key = record.dataset, record.dataset_hash, record.attack, record.attack_hash
        row = record.model_dump(mode="json", exclude_defaults=True)
        cells.setdefault(key, []).append({"schema_version": record.schema_version} | row)
    return [_cell(rows) for rows in cells.values()]


def _cell(rows: Sequence[dict[str, Any]]) -> CellRecords:
    first = rows[0]
    shared = [key for key in first if key not in _OF_AN_IMAGE]
    same = [key for key in shared if all(key in row and row[key] == first[key] for row in rows)]
    return CellRecords(
        shared={key: first[key] for key in same},
        images=[{key: value for key, value in row.items() if key not in same} for row in rows],
    )


def unpack_record(cell: CellRecords, place: int) -> Record:
    """Return one record of a cell.

    Raises:
        ValueError: a field given for the image and for the cell, or a value that is not of its type.
    """
    row = cell.images[place]
    if twice := cell.shared.keys() & row.keys():
        raise ValueError(f"{', '.join(sorted(twice))}: given for the image and for the cell")
    return Record.model_validate_json(json.dumps(cell.shared | row, allow_nan=False), strict=True)


def unpack_records(entry: Entry) -> list[Record]:
    """Return every record of an entry whose form is right.

    Raises:
        ValueError: one of them is not a record.
    """
    return [unpack_record(cell, place) for cell in entry.cells for place in range(len(cell.images))]
