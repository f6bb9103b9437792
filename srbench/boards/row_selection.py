"""Turn the names a user wrote into rows of a leaderboard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import compress

from srbench.boards.table import RowKey, row_key
from srbench.errors import BadInput
from srbench.store.record import Record

SHORTEST = 4
"""So many digits of a weights hash are enough to name a version."""


def rows_by_name(records: Iterable[Record], names: Sequence[str]) -> dict[str, list[Record]]:
    """Return the records of each name, which stands for one row.

    Args:
        names: a model, or ``MODEL@VERSION`` where one has records of several versions. A version is the
            first digits of the sha256 of its weights, its precision, its tile (``tile64``, ``whole``), its
            halo (``halo32``), or several of these joined by ``+``.

    Raises:
        BadInput: a name without records, of several versions, or of the same row as another name.
    """
    rows: dict[RowKey, list[Record]] = defaultdict(list)
    for record in records:
        rows[row_key(record)].append(record)
    by_name: dict[str, list[Record]] = {}
    chosen: dict[RowKey, str] = {}
    for name in names:
        key = _row(name, rows)
        if key in chosen:
            raise BadInput(f"{chosen[key]} and {name} are the same row: name two that differ")
        chosen[key] = name
        by_name[name] = rows[key]
    return by_name


def _row(name: str, rows: Iterable[RowKey]) -> RowKey:
    known = list(rows)
    keys = [key for key in known if key[0] == name]
    if not keys and "@" in name:
        model, _, version = name.rpartition("@")
        keys = [key for key in known if key[0] == model and all(_fits(p, key) for p in version.split("+"))]
    if not keys:
        models = ", ".join(sorted({key[0] for key in known})) or "none"
        raise BadInput(f"'{name}' has no such records: name models that have, {models}")
    if len(keys) > 1:
        versions = " or ".join(sorted(names_of(keys).values()))
        raise BadInput(f"'{name}' has records of {len(keys)} versions: name one, {versions}")
    return keys[0]


def _version(key: RowKey) -> tuple[str, ...]:
    _, weights, precision, tile, halo = key
    around = f"halo{halo}" if halo else ""
    return weights[:8], precision, f"tile{tile}" if tile else "whole", around


def _fits(part: str, key: RowKey) -> bool:
    return part in filter(None, _version(key)) or (len(part) >= SHORTEST and key[1].startswith(part.lower()))


def names_of(keys: Iterable[RowKey]) -> dict[RowKey, str]:
    """Return for each row the name by which :func:`rows_by_name` finds it among these.

    It is the model's; of several versions each has the parts in which they differ.
    """
    versions: dict[str, list[RowKey]] = defaultdict(list)
    for key in keys:
        versions[key[0]].append(key)
    names = {}
    for model, alike in versions.items():
        parts = [_version(key) for key in alike]
        differ = [len(set(part)) > 1 for part in zip(*parts, strict=True)]
        for key, version in zip(alike, parts, strict=True):
            told = "+".join(filter(None, compress(version, differ)))
            names[key] = f"{model}@{told}" if told else model
    return names
