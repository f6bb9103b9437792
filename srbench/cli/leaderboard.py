"""``srbench leaderboard``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli import app
from srbench.cli.console import err, matches, out, words

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


@app.command()
def leaderboard(
    store: Annotated[str | None, typer.Option(help="Directory of records, or an address (s3://…).")] = None,
    models: Annotated[str | None, typer.Option(help="Only these models (wildcards allowed).")] = None,
    datasets: Annotated[str | None, typer.Option(help="Only these data sets (wildcards allowed).")] = None,
    protocol: Annotated[str | None, typer.Option(help="Only this protocol.")] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Only these metrics and the one that ranks, separated by commas.")
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write leaderboard.md/.csv/.json and records.csv here.")
    ] = None,
    shape: Annotated[
        Format, typer.Option("--format", help="What is printed; latex is a booktabs table for a paper.")
    ] = Format.screen,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write the page into this folder; open its index.html.")
    ] = None,
    records_csv: Annotated[
        Path | None, typer.Option("--records", help="A records.csv that --out wrote, in place of a store.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="With --html: data sets whose LR and HR are shown, as for --datasets: pairs:LR_DIR:HR_DIR."
        ),
    ] = None,
    reported: Annotated[
        Path | None, typer.Option(help="With --html: published numbers, as in paper.json.")
    ] = None,
    images: Annotated[
        int, typer.Option(min=0, help="With --html: images of a data set in the explorer.")
    ] = 6,
) -> None:
    """Rebuild the leaderboards from stored records, without running any model."""
    from srbench.boards import files
    from srbench.boards.compute import boards, tables
    from srbench.boards.site.build import build, read_any
    from srbench.errors import BadInput
    from srbench.evaluation import default_store
    from srbench.metrics import metric

    if as_json and shape not in (Format.screen, Format.json):
        raise BadInput(f"--json and --format {shape.value} cannot both be printed: leave one out")
    shape = Format.json if as_json else shape
    shown = [metric(name).name for name in words(metrics)]
    root = store or default_store()

    def chosen(record: Record) -> bool:
        return (
            matches(record.model, words(models))
            and matches(record.dataset, words(datasets))
            and matches(record.protocol, words(protocol))
        )

    records, kept = read_any(records_csv, root, chosen)
    if html is not None:
        order = words(datasets)
        build(
            html, records, kept=kept, data=words(data), images=images, dataset_order=order, reported=reported
        )
        said = f"{html / 'index.html'} shows {len(records)} records"
        err().print(said, style="dim", highlight=False, markup=False)
        if out_dir is None and shape is Format.screen:
            return
    found = tables(records, dataset_order=words(datasets))
    if shown:
        order, ranks = words(datasets), [table.rank_by for table in found]
        groups = zip(boards(records).values(), ranks, strict=True)
        found = [t for g, rank in groups for t in tables(g, dataset_order=order, metrics=[*shown, rank])]
    if out_dir is not None:
        files.write_all(out_dir, found, records, [])
    _print(found, shape)


def _print(tables: Sequence[Table], shape: Format) -> None:
    from srbench.boards import files, terminal
    from srbench.boards.latex import latex

    if shape is Format.screen:
        screen = out()
        for table in tables:
            terminal.show(screen, table)
        return
    if shape is Format.latex:
        printed = latex(tables)
    elif shape is Format.markdown:
        printed = files.markdown(tables)
    elif shape is Format.csv:
        printed = files.flat(tables).to_csv(index=False, lineterminator="\n")
    else:
        printed = files.as_json(tables)
    typer.echo(printed, nl=False)
