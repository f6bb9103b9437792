"""Turn records into ranked tables; records of different protocol hashes or scales never share one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np

from srbench import attacks, protocols
from srbench.boards.areas import areas
from srbench.boards.flags import flags
from srbench.boards.index import Index
from srbench.boards.ranks import Rank, ranks
from srbench.boards.stats import summarise
from srbench.boards.table import Column, Row, RowKey, Table, column_of, row_key
from srbench.errors import BadInput
from srbench.metrics import metric, registry
from srbench.store.record import Record
from srbench.support.scales import SCALE

GENERALISTS = ("adversarial", "blind")


class BoardKey(NamedTuple):
    """Say what the records of one table have in common."""

    protocol: str
    protocol_hash: str
    kind: str
    scale: int


def board_key(record: Record) -> BoardKey:
    """Return which table a record belongs to."""
    return BoardKey(record.protocol, record.protocol_hash, record.dataset_kind, record.scale)


def boards(records: Iterable[Record]) -> dict[BoardKey, list[Record]]:
    """Group the records of each table, by scale, protocol, its hash and kind of set; paired sets first."""
    groups: dict[BoardKey, list[Record]] = defaultdict(list)
    for record in records:
        groups[board_key(record)].append(record)
    # The usual scale first.
    order = {key: (key.scale != SCALE, key.scale, *key[:2], key.kind != "paired") for key in groups}
    return dict(sorted(groups.items(), key=lambda item: order[item[0]]))


def tables(
    records: Iterable[Record], *, dataset_order: Sequence[str] = (), metrics: Sequence[str] = ()
) -> list[Table]:
    """Compute all leaderboards the records give, paired sets first.

    Args:
        dataset_order: data sets in the order of the columns; others follow by name.
        metrics: the metrics that get a column, even where no record has them; every recorded one if empty.
    """
    return [_table(key, group, dataset_order, metrics) for key, group in boards(records).items()]


def _table(
    group: BoardKey, records: list[Record], dataset_order: Sequence[str], wanted: Sequence[str]
) -> Table:
    protocol, protocol_hash, kind, scale = group
    place = {name: i for i, name in enumerate(dataset_order)}
    noise = {column_of(record) for record in records if attacks.is_noise(record.attack_settings)}
    columns = sorted(
        {column_of(record) for record in records},
        key=lambda c: (_attack_place(c, noise), place.get(c.dataset, len(place)), c.dataset),
    )
    shown = set(wanted) or {name for record in records for name in record.metrics}
    kinds = ("FR", "NR") if kind == "paired" else ("NR",)
    metrics = [m.name for m in registry().values() if m.name in shown and m.kind in kinds]
    _refuse_mixed_settings(records)
    data = Index(records)
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
        scale=scale,
    )
    table.rows = [_row(table, data, row_key) for row_key in data.rows]
    for attack in table.attacks:
        for key, row in zip(data.rows, table.rows, strict=True):
            _fill(table, data, key, row, attack)
        data.forget_draws()  # 80 kB a number
    for row in table.rows:
        row.partial = _partial(table, row, table.columns_of(table.attacks[0]), table.rank_by)
    _rank(table, data)
    first = table.columns_of(table.attacks[0])
    table.photographs = data.sources.of(first)
    table.recorded = any(data.sources.recorded(column) for column in first)
    table.flags = flags(table, data, noise)
    table.areas = areas(table, data, records)
    return table


def _refuse_mixed_settings(records: Sequence[Record]) -> None:
    """Refuse values of one metric that different settings gave; what an older record has, its protocol tells.

    Raises:
        BadInput: there are such.
    """
    settings: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for name, value in record.metric_settings.items():
            settings[name].add(value)
    for name, found in settings.items():
        if len(found) > 1:
            raise BadInput(
                f"the records of {name} were made with different settings ({', '.join(sorted(found))}): "
                "evaluate these models once more, or leave some out with --models or --datasets"
            )


def _attack_place(column: Column, noise: Set[Column]) -> tuple[bool, bool, str]:
    """Clean first, then random noise, which every attack is read against, then the others by name."""
    return bool(column.attack_hash), column not in noise, column.attack


def _ranking(protocol: str, kind: str, metrics: list[str], data: Index) -> tuple[str, str]:
    """The first metric of the protocol's ranking list that every row has on every column it ran."""
    known = protocols.protocol(protocol)
    choices = known.rank if kind == "paired" else known.rank_no_reference
    for name in filter(metrics.__contains__, choices):
        if all(any(name in m for m in cell.values()) for cell in data.cells.values()):
            return name, choices[0]
    fallback = [name for name in choices if name in metrics] or metrics
    if not fallback:
        known_kind = "metric" if kind == "paired" else "no-reference metric"
        raise BadInput(
            f"the records of protocol {protocol} on {kind} sets have no {known_kind} that this srbench "
            "knows: leave them out with --datasets or --protocol"
        )
    return fallback[0], choices[0]


def _row(table: Table, data: Index, key: RowKey) -> Row:
    """A row without its numbers."""
    first = data.rows[key]
    _, weights, precision, tile, halo = key
    row = Row(first.model, first.model_title, first.training_domain, weights, precision, tile, halo)
    for column in table.columns:
        row.images[column] = len(data.cells.get((key, column), {}))
        row.marks[column] = "" if row.identity else mark(first.training_domain, data.domains[column])
    return row


def _fill(table: Table, data: Index, key: RowKey, row: Row, attack: str) -> None:
    """Put a row's numbers under an attack in."""
    columns = table.columns_of(attack)
    for column in columns:
        for name in table.metrics:
            values = data.values(key, column, name)
            n = int(np.isfinite(values).sum())
            if n:
                mean, of = float(np.nanmean(values)), data.comparable(column, name)
                row.means[name, column] = summarise(mean, data.draws(key, column, name), n, of)
    for name in table.metrics:
        if all((name, column) in row.means for column in columns):
            stacked = np.stack([data.draws(key, column, name) for column in columns])
            means = [row.means[name, column] for column in columns]
            mean = float(np.mean([m.value for m in means]))
            n, of = sum(m.n for m in means), sum(m.of for m in means)
            row.average[name, attack] = summarise(mean, stacked.mean(axis=0), n, of)
    overall = row.average.get((table.rank_by, attack))
    if overall and overall.whole:
        reached = [row.means[table.rank_by, column].value for column in columns]
        row.worst[attack] = min(reached) if metric(table.rank_by).higher_is_better else max(reached)


def _partial(table: Table, row: Row, columns: Sequence[Column], name: str) -> str:
    """Why a row cannot be ranked beside the fullest row by a metric on these columns, or nothing."""
    for column in columns:
        if row.images[column] < table.images[column]:
            return f"{row.images[column]} of {table.images[column]} images on {table.column_title(column)}"
        mean = row.means.get((name, column))
        if mean is None:
            return f"no {metric(name).title} on {table.column_title(column)}"
        if not mean.whole:
            reached = f"{metric(name).title} on only {mean.n} of {mean.of} images"
            return f"{reached} of {table.column_title(column)}"
    return ""


def mark(training: str, shown: str) -> str:
    """Say what a model is on a set by its training domain, as in :attr:`srbench.boards.table.Row.marks`."""
    if training in GENERALISTS:
        return "generalist"
    if training in ("none", "unknown") or shown == "unknown":
        return ""
    return "in-domain" if training == shown else "out-of-domain"


def _rank(table: Table, data: Index) -> None:
    """Order rows by the ranking metric's average on the first attack; partial rows come last, unranked."""
    attack = table.attacks[0]
    sign = -1.0 if metric(table.rank_by).higher_is_better else 1.0

    def key(row: Row) -> tuple[bool, float, str]:
        mean = row.average.get((table.rank_by, attack))
        return bool(row.partial), math.inf if mean is None else sign * mean.value, row.label

    table.rows.sort(key=key)
    for row, rank in zip(
        table.rows, _ranks(table, data, table.columns_of(attack), table.rank_by), strict=True
    ):
        if rank:
            row.rank, row.rank_interval = rank.place, (rank.place, rank.last)


def _ranks(table: Table, data: Index, columns: Sequence[Column], name: str) -> list[Rank | None]:
    """The rank of every row by its mean over these columns; None for a row that is partial there."""
    ranked = [row for row in table.rows if not _partial(table, row, columns, name)]
    if not ranked:
        return [None] * len(table.rows)
    keys = [row_key(row) for row in ranked]
    view = data.view(keys, columns, name)
    by_row = dict(zip(keys, ranks(view, higher_is_better=metric(name).higher_is_better), strict=True))
    return [by_row.get(row_key(row)) for row in table.rows]


def view_ranks(
    table: Table, records: Sequence[Record], views: Mapping[str, Sequence[Column]]
) -> dict[str, dict[str, list[Rank | None]]]:
    """Rank every row of a table by metric and view, as if the view's columns were a leaderboard.

    Args:
        table, records: a leaderboard, and the records it was made of.
        views: the columns of each view, all of one attack.
    """
    data = Index(list(records))
    return {
        name: {view: _ranks(table, data, columns, name) for view, columns in views.items()}
        for name in table.metrics
    }
