"""From records to ranked tables. Records of different protocol hashes never share a table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from srbench import protocols
from srbench.boards.stats import Array, Mean, resample_counts, resampled_means, summarise
from srbench.metrics import metric, registry
from srbench.records import Record

GENERALISTS = ("adversarial", "blind")


@dataclass(frozen=True, order=True)
class Column:
    """One data set under one attack. ``dataset_hash`` keeps two contents of one name apart."""

    attack: str
    attack_hash: str
    dataset: str
    dataset_hash: str


@dataclass
class Row:
    """One model (with its weights, precision and tiling) across the columns.

    Attributes:
        means: by metric and column.
        average: by metric and attack, the mean over that attack's columns; only where every one is there.
        marks: by column: "in-domain", "out-of-domain", "generalist", or "" (no training domain known).
        worst: by attack, the worst column mean of the ranking metric.
        images: measured images by column.
        partial: why the row is not ranked; empty for a ranked row.
        rank: 1 is best; None where not ranked.
    """

    model: str
    title: str
    training_domain: str
    weights_sha256: str
    precision: str
    tile: int | None
    means: dict[tuple[str, Column], Mean] = field(default_factory=dict)
    average: dict[tuple[str, str], Mean] = field(default_factory=dict)
    marks: dict[Column, str] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)
    images: dict[Column, int] = field(default_factory=dict)
    partial: str = ""
    rank: int | None = None

    @property
    def label(self) -> str:
        """The model's name, with what sets this row apart from another of the same name."""
        extras = [self.precision] if self.precision != "fp32" else []
        extras += [f"tile {self.tile}"] if self.tile else []
        return self.model + (f" ({', '.join(extras)})" if extras else "")


@dataclass
class Table:
    """A leaderboard over data sets of one kind, under one protocol.

    Attributes:
        kind: "paired" or "no-reference".
        metrics: names of the metrics present, in table order.
        rank_by: the metric the rows are ordered by.
        rank_choice: what the protocol would have ranked by.
        images: by column, how many images the fullest row has; ``complete`` how many the set has.
        flags: what the attack-strength checks found, one line each.
    """

    protocol: str
    protocol_hash: str
    kind: str
    columns: list[Column]
    metrics: list[str]
    rank_by: str
    rank_choice: str
    rows: list[Row]
    images: dict[Column, int]
    complete: dict[Column, int]
    flags: list[str] = field(default_factory=list)

    @property
    def attacks(self) -> list[str]:
        return list(dict.fromkeys(column.attack for column in self.columns))

    def columns_of(self, attack: str) -> list[Column]:
        return [column for column in self.columns if column.attack == attack]

    def column_title(self, column: Column) -> str:
        """The data set's name, with eight digits of its hash where two contents share the name."""
        same = {c.dataset_hash for c in self.columns if c.dataset == column.dataset}
        return column.dataset + (f"@{column.dataset_hash[:8]}" if len(same) > 1 else "")


RowKey = tuple[str, str, str, int | None]
"""What makes records one row: model, weights, precision, tile."""


def row_key(thing: Row | Record) -> RowKey:
    """Which row a record belongs to."""
    return thing.model, thing.weights_sha256, thing.precision, thing.tile


def column_of(record: Record) -> Column:
    """Which column a record belongs to."""
    return Column(record.attack, record.attack_hash, record.dataset, record.dataset_hash)


def boards(records: Iterable[Record]) -> dict[tuple[str, str, str], list[Record]]:
    """The records of each table, by protocol, its hash and kind of set; paired sets first."""
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[record.protocol, record.protocol_hash, record.dataset_kind].append(record)
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] != "paired")))


def tables(
    records: Iterable[Record], *, dataset_order: Sequence[str] = (), metrics: Sequence[str] = ()
) -> list[Table]:
    """All leaderboards the records give, paired sets first.

    Args:
        dataset_order: data sets in the order of the columns; others follow by name.
        metrics: the metrics that get a column, even where no record has them; every recorded one if empty.
    """
    return [_table(key, group, dataset_order, metrics) for key, group in boards(records).items()]


def _table(
    key: tuple[str, str, str], records: list[Record], dataset_order: Sequence[str], wanted: Sequence[str]
) -> Table:
    protocol, protocol_hash, kind = key
    place = {name: i for i, name in enumerate(dataset_order)}
    columns = sorted(
        {column_of(record) for record in records},
        key=lambda c: (_attack_place(c), place.get(c.dataset, len(place)), c.dataset),
    )
    shown = set(wanted) or {name for record in records for name in record.metrics}
    kinds = ("FR", "NR") if kind == "paired" else ("NR",)
    metrics = [m.name for m in registry().values() if m.name in shown and m.kind in kinds]
    data = _Data(records)
    rank_by, rank_choice = _ranking(protocol, kind, metrics, data)
    table = Table(
        protocol,
        protocol_hash,
        kind,
        columns,
        metrics,
        rank_by,
        rank_choice,
        rows=[],
        images={c: len(data.images[c]) for c in columns},
        complete={c: data.complete[c] for c in columns},
    )
    table.rows = [_row(table, data, row_key) for row_key in data.rows]
    _rank(table)
    table.flags = _flags(table, data)
    return table


def _attack_place(column: Column) -> tuple[bool, bool, str]:
    """Clean first, then random noise, which every attack is read against, then the others by name."""
    return bool(column.attack_hash), not column.attack.startswith("random"), column.attack


class _Data:
    """Records indexed by row, column and image, and the resampling draws of each column."""

    def __init__(self, records: list[Record]) -> None:
        self.rows: dict[RowKey, Record] = {}
        self.cells: dict[tuple[RowKey, Column], dict[str, Mapping[str, float | None]]] = defaultdict(dict)
        images: dict[Column, set[str]] = defaultdict(set)
        self.complete: dict[Column, int] = {}
        self.domains: dict[Column, str] = {}
        self.radius: dict[Column, tuple[str, float]] = {}
        self.remarks: set[tuple[str, str]] = set()
        self.flagged: dict[tuple[RowKey, Column, str], list[str]] = defaultdict(list)
        for record in records:
            key = row_key(record)
            column = column_of(record)
            self.rows.setdefault(key, record)
            self.cells[key, column][record.image] = record.metrics
            images[column].add(record.image)
            self.complete[column] = record.dataset_images
            self.domains[column] = record.dataset_domain
            if record.attack_settings:
                if "eps" in record.attack_settings:  # a natural corruption has none
                    norm = str(record.attack_settings.get("norm", "linf"))
                    self.radius[column] = (norm, float(record.attack_settings["eps"]))
                if note := record.attack_settings.get("note"):
                    self.remarks.add((record.attack, note))
            for check, finding in record.flags.items():
                self.flagged[key, column, check].append(finding)
        self.images = {column: sorted(ids) for column, ids in images.items()}
        self._counts: dict[tuple[str, int], Array] = {}

    def values(self, row: RowKey, column: Column, name: str) -> Array:
        """The metric over the column's images, NaN where not measured or undefined."""
        cell = self.cells.get((row, column), {})
        found = (cell.get(image, {}).get(name) for image in self.images[column])
        return np.array([math.nan if value is None else value for value in found], dtype=np.float64)

    def counts(self, column: Column) -> Array:
        key = (column.dataset_hash, len(self.images[column]))
        if key not in self._counts:
            self._counts[key] = resample_counts(key[1], key[0])
        return self._counts[key]


def _ranking(protocol: str, kind: str, metrics: list[str], data: _Data) -> tuple[str, str]:
    """The first metric of the protocol's ranking list that every row has on every column it ran."""
    known = protocols.protocol(protocol)
    choices = known.rank if kind == "paired" else known.rank_no_reference
    for name in filter(metrics.__contains__, choices):
        if all(any(name in m for m in cell.values()) for cell in data.cells.values()):
            return name, choices[0]
    fallback = [name for name in choices if name in metrics] or metrics
    return fallback[0], choices[0]


def _row(table: Table, data: _Data, key: RowKey) -> Row:
    first = data.rows[key]
    row = Row(first.model, first.model_title, first.training_domain, first.weights_sha256, key[2], key[3])
    draws: dict[tuple[str, Column], Array] = {}
    for column in table.columns:
        row.images[column] = len(data.cells.get((key, column), {}))
        row.marks[column] = _mark(first.training_domain, data.domains[column])
        for name in table.metrics:
            values = data.values(key, column, name)
            n = int(np.isfinite(values).sum())
            if n:
                draws[name, column] = resampled_means(values, data.counts(column))
                mean = float(np.nanmean(values))
                row.means[name, column] = summarise(mean, draws[name, column], n)
    for attack in table.attacks:
        columns = table.columns_of(attack)
        for name in table.metrics:
            if all((name, column) in row.means for column in columns):
                stacked = np.stack([draws[name, column] for column in columns])
                mean = float(np.mean([row.means[name, column].value for column in columns]))
                n = sum(row.means[name, column].n for column in columns)
                row.average[name, attack] = summarise(mean, stacked.mean(axis=0), n)
        reached = [row.means[table.rank_by, c].value for c in columns if (table.rank_by, c) in row.means]
        if reached:
            row.worst[attack] = min(reached) if metric(table.rank_by).higher_is_better else max(reached)
    row.partial = _partial(table, row)
    return row


def _partial(table: Table, row: Row) -> str:
    """Why a row cannot be ranked beside the fullest row, or nothing."""
    for column in table.columns_of(table.attacks[0]):
        if row.images[column] < table.images[column]:
            return f"{row.images[column]} of {table.images[column]} images on {table.column_title(column)}"
        if (table.rank_by, column) not in row.means:
            return f"no {metric(table.rank_by).title} on {table.column_title(column)}"
    return ""


def _flags(table: Table, data: _Data) -> list[str]:
    """Failed checks of single images, and attacks that random noise of the same radius beats."""
    lines = [f"{attack}: {note}" for attack, note in sorted(data.remarks)]
    lines += [
        f"{data.rows[key].model}, {table.column_title(column)}, {column.attack}: {check} failed on "
        f"{len(findings)} images ({findings[0]})"
        for (key, column, check), findings in sorted(data.flagged.items(), key=str)
    ]
    noise = {(c.dataset_hash, data.radius.get(c)): c for c in table.columns if c.attack.startswith("random")}
    sign = -1.0 if metric(table.rank_by).higher_is_better else 1.0
    for row in table.rows:
        for column in table.columns:
            random = noise.get((column.dataset_hash, data.radius.get(column)))
            if not column.attack_hash or random is None or random == column:
                continue
            pair = [row.means.get((table.rank_by, c)) for c in (column, random)]
            if pair[0] and pair[1] and sign * pair[0].value <= sign * pair[1].value:
                where = f"{row.label}, {table.column_title(column)}"
                damage = f"{metric(table.rank_by).title} damage"
                lines.append(
                    f"weak attack: {column.attack} on {where} does no more {damage} than random noise "
                    "of the same radius"
                )
    return lines


def _mark(training: str, shown: str) -> str:
    if training in GENERALISTS:
        return "generalist"
    if training in ("none", "unknown") or shown == "unknown":
        return ""
    return "in-domain" if training == shown else "out-of-domain"


def _rank(table: Table) -> None:
    """Order rows by the ranking metric's average on the first attack; partial rows come last, unranked."""
    attack = table.attacks[0]
    sign = -1.0 if metric(table.rank_by).higher_is_better else 1.0

    def key(row: Row) -> tuple[bool, float, str]:
        mean = row.average.get((table.rank_by, attack))
        return bool(row.partial), math.inf if mean is None else sign * mean.value, row.label

    table.rows.sort(key=key)
    ranked = [row for row in table.rows if not row.partial]
    for place, row in enumerate(ranked, start=1):
        row.rank = place
