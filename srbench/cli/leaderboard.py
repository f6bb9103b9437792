"""``srbench leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli import app
from srbench.cli.console import err, out, words

if TYPE_CHECKING:
    from srbench.records import Record


@app.command()
def leaderboard(
    store: Annotated[Path | None, typer.Option(help="Directory of records.")] = None,
    models: Annotated[str | None, typer.Option(help="Only these models (wildcards allowed).")] = None,
    datasets: Annotated[str | None, typer.Option(help="Only these data sets (wildcards allowed).")] = None,
    protocol: Annotated[str | None, typer.Option(help="Only this protocol.")] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write leaderboard.md/.csv/.json and records.csv here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the leaderboard as JSON.")] = False,
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
    from fnmatch import fnmatchcase

    from srbench.boards import files, terminal
    from srbench.boards.compute import tables
    from srbench.boards.site.build import build, read_any
    from srbench.evaluation import default_store

    root = store or default_store()

    def wanted(name: str, patterns: tuple[str, ...]) -> bool:
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)

    def chosen(record: Record) -> bool:
        return (
            wanted(record.model, words(models))
            and wanted(record.dataset, words(datasets))
            and wanted(record.protocol, words(protocol))
        )

    records, kept = read_any(records_csv, root, chosen)
    if html is not None:
        order = words(datasets)
        build(
            html, records, kept=kept, data=words(data), images=images, dataset_order=order, reported=reported
        )
        err().print(f"{html / 'index.html'} shows {len(records)} records", style="dim", highlight=False)
        if out_dir is None and not as_json:
            return
    found = tables(records, dataset_order=words(datasets))
    if out_dir is not None:
        files.write_all(out_dir, found, records, [])
    if as_json:
        typer.echo(files.as_json(found), nl=False)
        return
    screen = out()
    for table in found:
        terminal.show(screen, table)
