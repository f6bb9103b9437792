"""Turn records into what the page shows: one structure for all of it, one per column for single images."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from srbench.boards import compute, text
from srbench.boards.compute import BoardKey, tables
from srbench.boards.row_selection import names_of
from srbench.boards.site import cells, facts
from srbench.boards.site.fill import curves_command, pictures_command
from srbench.boards.site.reported import Reported
from srbench.boards.stats import Mean
from srbench.boards.table import Area, Column, Row, RowKey, Table, column_of, row_key
from srbench.metrics import metric
from srbench.store.record import Record

FORMAT = 1
ModelKey = tuple[str, str]
"""A model's name and the sha256 of its weights."""


@dataclass(frozen=True)
class Site:
    """Hold everything on the page but pictures, as JSON types.

    Attributes:
        page: what is loaded at once: tables, models, metrics, reported numbers.
        chunks: by name, what is loaded when someone looks closer: single images and provenance of a column.
        tables: the leaderboards it was made from, in the order of the page's boards.
    """

    page: dict[str, Any]
    chunks: dict[str, dict[str, Any]]
    tables: list[Table]


def site(
    records: Iterable[Record],
    *,
    dataset_order: Sequence[str] = (),
    reported: Reported | None = None,
    told: Mapping[ModelKey, facts.Told] | None = None,
) -> Site:
    """Compute the page's data.

    Args:
        dataset_order: data sets in the order of the columns; others follow by name.
        reported: published numbers.
        told: what entries say of models without a card, by name and weights.
    """
    told = told or {}
    groups = compute.boards(records)
    everything = [record for group in groups.values() for record in group]
    boards_tables = tables(everything, dataset_order=dataset_order)
    boards: list[dict[str, Any]] = []
    chunks: dict[str, dict[str, Any]] = {}
    for number, table in enumerate(boards_tables):
        group = groups[BoardKey(table.protocol, table.protocol_hash, table.kind, table.scale)]
        boards.append(_board(number, table, group))
        chunks |= cells.chunks(number, table, group)
    page = {
        "format": FORMAT,
        "records": len(everything),
        "created": [f(record.created for record in everything) for f in (min, max)] if everything else [],
        "versions": sorted({record.versions.get("srbench", "?") for record in everything}),
        "ranks_mean": text.SHARED,
        "metrics": {name: facts.metric_facts(name) for table in boards_tables for name in table.metrics},
        "models": {
            _about(row): facts.model_facts(row.model, told.get((row.model, row.weights_sha256)))
            for table in boards_tables
            for row in table.rows
        },
        "boards": boards,
        "reported": facts.compare(boards_tables, reported) if reported else None,
    }
    return Site(page, chunks, boards_tables)


def _board(number: int, table: Table, records: Sequence[Record]) -> dict[str, Any]:
    sample = {column_of(record): record for record in records}
    costs, names = _costs(records), names_of(map(row_key, table.rows))
    return {
        "protocol": table.protocol,
        "protocol_hash": table.protocol_hash,
        "kind": table.kind,
        "scale": table.scale,
        "metrics": table.metrics,
        "rank_by": table.rank_by,
        "rank_choice": table.rank_choice,
        "notes": text.notes(table),
        "flags": table.flags,
        "areas": [_area(table, area) for area in table.areas],
        "attacks": [facts.attack_facts(sample[table.columns_of(name)[0]]) for name in table.attacks],
        "datasets": [
            {
                "name": name,
                "title": table.column_title(next(c for c in table.columns if c.dataset_hash == digest)),
                "hash": digest,
                "domain": next(s.dataset_domain for c, s in sample.items() if c.dataset_hash == digest),
            }
            for name, digest in table.datasets
        ],
        "columns": [
            {
                "attack": table.attacks.index(column.attack),
                "dataset": table.datasets.index((column.dataset, column.dataset_hash)),
                "title": _title(table, column),
                "images": table.images[column],
                "of": table.complete[column],
                "chunk": cells.chunk_name(number, index),
            }
            for index, column in enumerate(table.columns)
        ],
        "rows": [_row(table, row, costs.get(row_key(row), {}), names[row_key(row)]) for row in table.rows],
        "flagged": _flagged(table, records),
        "means": {
            name: [[_mean(name, row.means.get((name, c))) for c in table.columns] for row in table.rows]
            for name in table.metrics
        },
        "average": {
            name: [[_mean(name, row.average.get((name, a))) for a in table.attacks] for row in table.rows]
            for name in table.metrics
        },
        "gap": {
            name: [[_number(name, _gap(table, row, name, a)) for a in table.attacks] for row in table.rows]
            for name in table.metrics
        },
        "ranks": _ranks(table, records),
        "fill": {"pictures": asdict(pictures_command(records)), "curves": asdict(curves_command(records))},
    }


def _area(table: Table, area: Area) -> dict[str, Any]:
    keys = [row_key(row) for row in table.rows]
    ratios = {"over_bicubic": area.over_bicubic, "over_noise": area.over_noise}
    return {
        "row": keys.index(area.row),
        "line": area.attack,
        "norm": area.norm,
        "last": area.radii[-1],
        "sets": len(area.datasets),
        "area": _mean(table.rank_by, area.value),
        **{name: _ratio(ratio) if ratio else None for name, ratio in ratios.items()},
    }


def _ratio(mean: Mean) -> list[float | None]:
    return [round(v, 5) if math.isfinite(v) else None for v in (mean.value, mean.low, mean.high)]


def _title(table: Table, column: Column) -> str:
    """Return the data set's name, with the attack's hash where one attack's name has two settings."""
    alike = [c for c in table.columns_of(column.attack) if c.dataset_hash == column.dataset_hash]
    title = table.column_title(column)
    return title if len(alike) == 1 else f"{title} #{column.attack_hash[:6]}"


def _about(row: Row) -> str:
    """Return the key of what is known of a row's model: models of one name may be several."""
    return f"{row.model} {row.weights_sha256}".strip()


def _row(table: Table, row: Row, cost: dict[str, float], name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": row.model,
        "about": _about(row),
        "label": row.label,
        "title": row.title,
        "trained": row.training_domain,
        "trained_for": text.trained_for(row),
        "weights": row.weights_sha256,
        "partial": row.partial,
        "marks": [row.marks[column] for column in table.columns],
        "cost": cost,
    }


def _costs(records: Sequence[Record]) -> dict[RowKey, dict[str, float]]:
    """Return, by row, mean seconds per clean image, and what the network takes by its records or its card."""
    seconds: dict[RowKey, list[float]] = defaultdict(list)
    counted: dict[RowKey, dict[str, float]] = {}
    for record in records:
        spent = seconds[row_key(record)]
        if not record.attack_hash and not record.made_elsewhere:  # which took no time here
            spent.append(record.seconds)
        if record.cost:
            counted[row_key(record)] = record.cost
    return {
        key: ({"seconds": fmean(spent)} if spent else {}) | (counted.get(key) or facts.card_cost(key[0]))
        for key, spent in seconds.items()
    }


def _gap(table: Table, row: Row, name: str, attack: str) -> float:
    """Return the mean over out-of-domain sets minus that over in-domain sets.

    It is NaN where either is missing, and where a mean is not over every image of its set.
    """
    sides: dict[str, list[float]] = {"in-domain": [], "out-of-domain": []}
    for column in table.columns_of(attack):
        if (mean := row.means.get((name, column))) and row.marks[column] in sides:
            sides[row.marks[column]].append(mean.value if mean.whole else math.nan)
    return fmean(sides["out-of-domain"]) - fmean(sides["in-domain"]) if all(sides.values()) else math.nan


def _flagged(table: Table, records: Sequence[Record]) -> list[list[int]]:
    """Return row, column and number of images with a failed check."""
    rows = {row_key(row): index for index, row in enumerate(table.rows)}
    columns = {column: index for index, column in enumerate(table.columns)}
    counts = Counter((rows[row_key(r)], columns[column_of(r)]) for r in records if r.flags)
    return sorted([row, column, count] for (row, column), count in counts.items())


def _ranks(table: Table, records: Sequence[Record]) -> dict[str, Any]:
    """Return the rank of every row with its best and worst, by metric, then by view; null where partial.

    A view is an attack over all its data sets (``"0"``, the attack's index) or over one of them
    (``"0/2"``, the attack's and the data set's index). Each is ranked as a leaderboard of its own.
    """
    views: dict[str, list[Column]] = defaultdict(list)
    for column in table.columns:
        attack = table.attacks.index(column.attack)
        views[f"{attack}"].append(column)
        views[f"{attack}/{table.datasets.index((column.dataset, column.dataset_hash))}"].append(column)
    return {
        name: {
            view: [rank and [rank.place, rank.place, rank.last] for rank in row_ranks]
            for view, row_ranks in ranked.items()
        }
        for name, ranked in compute.view_ranks(table, records, views).items()
    }


def _mean(name: str, mean: Mean | None) -> list[float | int | None] | None:
    """Return value, interval, and of how many images, of how many; null where there is no mean."""
    if mean is None or mean.n == 0:
        return None
    return [_number(name, v) for v in (mean.value, mean.low, mean.high)] + [mean.n, mean.of]


def _number(name: str, value: float) -> float | None:
    """Round to two digits more than are shown, which sorting and differences need."""
    return round(value, metric(name).decimals + 2) if math.isfinite(value) else None
