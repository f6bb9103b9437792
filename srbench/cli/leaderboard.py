"""``srbench leaderboard``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import READ, app
from srbench.cli.console import err, out
from srbench.cli.groups import expand_options
from srbench.cli.options import (
    ExplorerData,
    ExplorerImages,
    Full,
    Json,
    OnlyAttacks,
    OnlyDatasets,
    OnlyModels,
    OnlyProtocol,
    OnlyScale,
    Records,
    Reported,
    StorePlace,
)
from srbench.cli.panels import OUTPUT, WHAT
from srbench.support.words import matches, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srbench.boards.table import Table
    from srbench.store.record import Record


class Format(StrEnum):
    screen = "screen"
    latex = "latex"
    markdown = "markdown"
    csv = "csv"
    json = "json"


@app.command(rich_help_panel=READ)
@expand_options
def leaderboard(
    store: StorePlace = None,
    models: OnlyModels = None,
    datasets: OnlyDatasets = None,
    attacks: OnlyAttacks = None,
    protocol: OnlyProtocol = None,
    scale: OnlyScale = None,
    metrics: Annotated[
        str | None,
        WHAT.value("--metrics", "NAMES", "Only these and the one that ranks, by commas.", show_default="all"),
    ] = None,
    out_dir: Annotated[
        Path | None, OUTPUT.value("--out", "DIR", "Write leaderboard.md/.csv/.json and records.csv here.")
    ] = None,
    shape: Annotated[
        Format,
        OUTPUT.value(
            "--format", "FORMAT", "screen, markdown, latex (a booktabs table for a paper), csv or json."
        ),
    ] = Format.screen,
    full: Full = False,
    as_json: Json = False,
    html: Annotated[
        Path | None, OUTPUT.value("--html", "DIR", "Write the page into this folder; open its index.html.")
    ] = None,
    records_csv: Records = None,
    data: ExplorerData = None,
    reported: Reported = None,
    images: ExplorerImages = 6,
) -> None:
    """Rebuild the leaderboards from stored records, without running any model."""
    from srbench.boards import files, terminal
    from srbench.boards.compute import boards, tables
    from srbench.boards.site.build import build_page
    from srbench.entries.sources import read_records
    from srbench.errors import BadInput
    from srbench.metrics import metric
    from srbench.run.options import default_store
    from srbench.support.scales import checked_scale

    if as_json and shape not in (Format.screen, Format.json):
        raise BadInput(f"--json and --format {shape.value} cannot both be printed: leave one out")
    shape = Format.json if as_json else shape
    shown = [metric(name).name for name in words(metrics)]
    root = store or default_store()

    under = (*words(attacks), "none") if words(attacks) else ()
    only = None if scale is None else checked_scale(scale)

    def chosen(record: Record) -> bool:
        return (
            matches(record.model, words(models))
            and matches(record.dataset, words(datasets))
            and matches(record.attack, under)
            and matches(record.protocol, words(protocol))
            and only in (None, record.scale)
        )

    found = read_records(records_csv, root, chosen)
    records = found.records
    if html is not None:
        order = words(datasets)
        build_page(
            html,
            records,
            pictures=found.pictures,
            data=words(data),
            images=images,
            dataset_order=order,
            reported=reported,
            told=found.told,
        )
        said = f"{html / 'index.html'} shows {len(records)} records"
        err().print(said, style="dim", highlight=False, markup=False)
        if out_dir is None and shape is Format.screen:
            return
    boards_shown = tables(records, dataset_order=words(datasets))
    if shown:
        order, ranks = words(datasets), [table.rank_by for table in boards_shown]
        groups = zip(boards(records).values(), ranks, strict=True)
        boards_shown = [
            table
            for group, rank in groups
            for table in tables(group, dataset_order=order, metrics=[*shown, rank])
        ]
    if out_dir is not None:
        files.write_all(out_dir, boards_shown, records, [])
    if shape is Format.screen:
        terminal.show_all(out(), boards_shown, asked=words(datasets), metrics=shown, full=full)
    else:
        _print(boards_shown, shape)


def _print(tables: Sequence[Table], shape: Format) -> None:
    from srbench.boards import files
    from srbench.boards.latex import latex

    if shape is Format.latex:
        printed = latex(tables)
    elif shape is Format.markdown:
        printed = files.markdown(tables)
    elif shape is Format.csv:
        printed = files.means_frame(tables).to_csv(index=False, lineterminator="\n")
    else:
        printed = files.as_json(tables)
    typer.echo(printed, nl=False)
