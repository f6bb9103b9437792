"""Give what is behind a mean: every image's numbers and provenance, one chunk per column of a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from srbench.boards.site.reproduce import reproducing_command
from srbench.boards.table import Column, Table, column_of, row_key
from srbench.metrics import metric
from srbench.store.record import Record


def chunk_name(table: int, column: int) -> str:
    """Return the name of a column's chunk, which is the name of its file too."""
    return f"b{table}-c{column}"


def chunks(number: int, table: Table, records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """Return, by name, the single images of every column of a table.

    Each holds ``images`` (ids in order), ``sizes`` (LR height and width), ``attack`` (settings and hash),
    and ``rows``: for every row of the table ``values`` by metric, one whole number per image that has the
    metric's decimals left out (null where undefined or not measured), and its provenance.
    """
    rows = {row_key(row): index for index, row in enumerate(table.rows)}
    cells: dict[Column, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        cells[column_of(record)][rows[row_key(record)]].append(record)
    return {
        chunk_name(number, index): _chunk(table, cells[column]) for index, column in enumerate(table.columns)
    }


def _chunk(table: Table, cells: Mapping[int, Sequence[Record]]) -> dict[str, Any]:
    sizes = {record.image: record.lr_size for records in cells.values() for record in records}
    images = sorted(sizes)
    first = next(record for records in cells.values() for record in records)
    software: list[dict[str, Any]] = []
    rows = {str(index): _cell(table, images, cells[index], software) for index in sorted(cells)}
    return {
        "images": images,
        "sizes": [sizes[image] for image in images],
        "attack_hash": first.attack_hash,
        "software": software,
        "rows": rows,
    }


def _cell(
    table: Table, images: Sequence[str], records: Sequence[Record], software: list[dict[str, Any]]
) -> dict[str, Any]:
    by_image = {record.image: record for record in records}
    ordered = [by_image.get(image) for image in images]
    first = records[0]
    again = reproducing_command(records)
    used = []
    for record in records:
        tools = {"versions": record.versions, "commit": record.commit, "device": record.device}
        if tools not in software:
            software.append(tools)
        if (place := software.index(tools)) not in used:
            used.append(place)
    flags: dict[str, list[str]] = defaultdict(list)
    for record in records:
        for check, finding in record.flags.items():
            flags[check].append(f"{record.image}: {finding}")
    notes = {f"{name}: {why}" for record in records for name, why in record.notes.items()}
    effects = [record.effect for record in records]
    measured = [name for name in table.metrics if any(name in record.metrics for record in records)]
    return {
        "n": len(records),
        "values": {
            name: [_whole(name, None if r is None else r.metrics.get(name)) for r in ordered]
            for name in measured
        },
        "saved": _saved(table, records),
        "effect": {n: round(fmean(e[n] for e in effects), 3) for n in effects[0]} if all(effects) else {},
        "seconds": round(fmean(record.seconds for record in records), 5),
        "settings": first.attack_settings,
        "created": [min(r.created for r in records), max(r.created for r in records)],
        "software": used,
        "flags": dict(sorted(flags.items())),
        "notes": sorted(notes),
        "command": again.text,
        "remarks": again.remarks,
    }


def _saved(table: Table, records: Sequence[Record]) -> dict[str, float]:
    """Return means after saving the attacked LR as an 8-bit file, where every image has one."""
    means = {}
    for name in table.metrics:
        values = [record.saved.get(name) for record in records]
        defined = [value for value in values if value is not None]
        if defined and len(defined) == len(values):
            means[name] = round(fmean(defined), metric(name).decimals + 2)
    return means


def _whole(name: str, value: float | None) -> int | None:
    return None if value is None else round(value * 10 ** metric(name).decimals)
