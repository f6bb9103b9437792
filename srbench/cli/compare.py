"""``srbench compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import READ, app
from srbench.cli.console import out
from srbench.cli.groups import expand_options
from srbench.cli.options import (
    Json,
    OneAttack,
    OneMetric,
    OnlyDatasets,
    OnlyProtocol,
    OnlyScale,
    Records,
    StorePlace,
)
from srbench.support.words import matches, words

if TYPE_CHECKING:
    from rich.console import Console

    from srbench.boards.comparison import Pair
    from srbench.store.record import Record


@app.command(rich_help_panel=READ)
@expand_options
def compare(
    models: Annotated[
        list[str],
        typer.Argument(help="Two models or more; MODEL@VERSION where one has records of several versions."),
    ],
    store: StorePlace = None,
    records: Records = None,
    metric: OneMetric = None,
    attack: OneAttack = "none",
    datasets: OnlyDatasets = None,
    protocol: OnlyProtocol = None,
    scale: OnlyScale = None,
    as_json: Json = False,
) -> None:
    """Say whether one model is better than another, on how many images, and how sure that is.

    The interval is a paired bootstrap over photographs; p is Wilcoxon's signed-rank test, Holm's correction
    over all tests of the command. From stored records: no model runs.
    """
    from srbench.boards.comparison import as_dict, pairs
    from srbench.boards.comparison_text import verdict
    from srbench.boards.order import sets_in_order
    from srbench.boards.row_selection import rows_by_name
    from srbench.entries.sources import read_records
    from srbench.errors import BadInput
    from srbench.metrics import metric as known_metric
    from srbench.run.options import default_store
    from srbench.support import screen
    from srbench.support.scales import checked_scale

    if len(models) < 2:
        raise BadInput("name at least two models: srbench compare A B")
    if metric is not None:
        known_metric(metric)

    only = None if scale is None else checked_scale(scale)

    def chosen(record: Record) -> bool:
        wanted = only is None or record.scale == only
        return (
            wanted and matches(record.dataset, words(datasets)) and matches(record.protocol, words(protocol))
        )

    shown_records = read_records(records, store or default_store(), chosen).records
    attacks = sorted({record.attack for record in shown_records})
    if attack not in attacks:
        raise BadInput(f"no records under attack '{attack}': there are {', '.join(attacks)}")
    rows = _one_protocol(
        rows_by_name([record for record in shown_records if record.attack == attack], models)
    )
    made = pairs(rows, metric or _ranking_metric(rows), attack)
    if as_json:
        import json

        shown = [as_dict(pair) | {"words": verdict(pair)} for pair in made]
        typer.echo(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    console = out()
    for pair in (sets_in_order(each, words(datasets)) for each in made):
        screen.line(console, verdict(pair))
        _show(console, pair)


def _one_protocol(rows: dict[str, list[Record]]) -> dict[str, list[Record]]:
    """The records of the protocol that every row has."""
    from srbench.errors import BadInput

    of = [{_measured_by(record) for record in records} for records in rows.values()]
    shared = sorted(set.intersection(*of))
    if not shared:
        raise BadInput(f"{' and '.join(rows)} have no protocol and scale in common: evaluate them under one")
    if len({scale for *_, scale in shared}) > 1:
        known = " or ".join(sorted({f"x{scale}" for *_, scale in shared}))
        raise BadInput(f"{' and '.join(rows)} have records of several scales, {known}: name one with --scale")
    if len(shared) > 1:
        known = " or ".join(f"{name} ({digest[:8]})" for name, digest, _ in shared)
        raise BadInput(
            f"{' and '.join(rows)} have records of several protocols, {known}: "
            "name one with --protocol, or another --store"
        )
    return {
        name: [record for record in records if _measured_by(record) == shared[0]]
        for name, records in rows.items()
    }


def _measured_by(record: Record) -> tuple[str, str, int]:
    return record.protocol, record.protocol_hash, record.scale


def _ranking_metric(rows: dict[str, list[Record]]) -> str:
    """What the leaderboard of these rows is ranked by; that of the paired sets where there are both kinds."""
    from srbench.boards.compute import tables

    return tables(record for records in rows.values() for record in records)[0].rank_by


def _show(console: Console, pair: Pair) -> None:
    from srbench.boards.comparison_text import difference_grid
    from srbench.metrics import metric
    from srbench.support import screen
    from srbench.support.screen import Column, plain

    header, lines = difference_grid(pair)
    # Data set, both means, their difference, its interval, won, equal, p, corrected p.
    gives_way = (0, 3, 3, 0, 0, 1, 5, 4, 2)
    columns = []
    for place, heading in enumerate(header):
        cells = [plain(line[place]) for line in lines]
        above = heading.replace(" ", "\n") if place == len(header) - 1 else heading  # p (Holm)
        columns.append(Column(above, cells, right=place > 0, gives_way=gives_way[place]))
    known = metric(pair.metric)
    title = f"{known.title} {known.arrow}, {pair.first} minus {pair.second}"
    if gone := screen.show(console, columns, title):
        screen.line(console, f"No room for: {', '.join(gone)} (--json prints all).", style="dim")
