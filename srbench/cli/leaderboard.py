"""``srbench leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli import app
from srbench.cli.console import out, words


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
) -> None:
    """Rebuild the leaderboards from stored records, without running any model."""
    from fnmatch import fnmatchcase

    from srbench.errors import BadInput
    from srbench.evaluate import default_store
    from srbench.leaderboard import files, terminal
    from srbench.leaderboard.compute import tables
    from srbench.store import Store

    root = store or default_store()

    def wanted(name: str, patterns: tuple[str, ...]) -> bool:
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)

    records = [
        record
        for record in Store(root)
        if wanted(record.model, words(models))
        and wanted(record.dataset, words(datasets))
        and wanted(record.protocol, words(protocol))
    ]
    if not records:
        raise BadInput(f"{root} has no such records: run `srbench evaluate` first, or name another --store")
    found = tables(records, dataset_order=words(datasets))
    if out_dir is not None:
        files.write_all(out_dir, found, records, [])
    if as_json:
        typer.echo(files.as_json(found), nl=False)
        return
    screen = out()
    for table in found:
        terminal.show(screen, table)
