"""Choose the one leaderboard a figure is drawn from."""

from __future__ import annotations

from collections.abc import Sequence

from srbench.boards.compute import boards, tables
from srbench.boards.table import Table
from srbench.errors import BadInput, unknown
from srbench.metrics import metric
from srbench.store.record import Record
from srbench.zoo.schema import DOMAINS


def one_board(records: Sequence[Record], name: str | None) -> tuple[list[Record], str]:
    """Return the records that make one leaderboard with the metric: of paired sets, where there are any.

    Args:
        name: of the metric; None for what the table is ranked by.

    Returns:
        The records, and the metric's name.

    Raises:
        BadInput: an unknown metric, or one that no record has, or records of several protocols.
    """
    if name is not None:
        metric(name)
    groups = boards(records)
    having = {
        key: group
        for key, group in groups.items()
        if name is None or any(r.metrics.get(name) is not None for r in group)
    }
    if not having:
        known = {n for record in records for n, v in record.metrics.items() if v is not None}
        raise unknown("recorded metric", str(name), sorted(known), "srbench leaderboard")
    paired = {key: group for key, group in having.items() if key.kind == "paired"} or having
    if len(paired) > 1:
        if len({key.scale for key in paired}) > 1:
            scales = ", ".join(f"x{key.scale}" for key in paired)
            raise BadInput(f"the records are of several scales, {scales}: name another --store or --datasets")
        several = ", ".join(f"{key.protocol} ({key.protocol_hash[:8]})" for key in paired)
        raise BadInput(f"the records are of several protocols, {several}: choose one with --protocol")
    (group,) = paired.values()
    return group, name or tables(group)[0].rank_by


def table_of(records: Sequence[Record], name: str) -> Table:
    """Return the leaderboard of the records of one board, with one metric; no order of records shows.

    The data sets come in the order of the degradations they show, and by name.
    """
    sets = sorted({(domain_place(r.dataset_domain), r.dataset) for r in records})
    (table,) = tables(records, dataset_order=[dataset for _, dataset in sets], metrics=[name])
    return table


def domain_place(domain: str) -> int:
    """Return a degradation's place among all: nothing, clean, the data sets', then the generalists'."""
    return DOMAINS.index(domain) if domain in DOMAINS else len(DOMAINS)
