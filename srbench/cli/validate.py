"""``srbench validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli.app import app
from srbench.cli.console import err
from srbench.cli.options import Device


@app.command()
def validate(
    entries: Annotated[list[Path], typer.Argument(metavar="ENTRY...", help="Files srbench submit wrote.")],
    rerun: Annotated[
        int,
        typer.Option(
            min=0,
            help="Images of every data set to measure again, under every attack of the entry, all of a set "
            "that has no more; 0: none.",
        ),
    ] = 24,
    seed: Annotated[
        int | None,
        typer.Option(help="Draw these images as a run before did, which said its seed; default: anew."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model, where it is not of the zoo: its file must have the entry's sha256."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Check entries: form, hashes, invariants, this machine's data and weights, and a few images anew.

    Every violation is one line, and then the exit code is 1; it is 2 for a file that is no entry. Which
    images of a large set are measured again is drawn anew every time, and said with the chance that changed
    ones are not among them.
    """
    from rich.markup import escape
    from rich.status import Status

    from srbench.entries.validate import validate as check

    console = err()
    invalid = 0
    for file in entries:
        with console.status(escape(f"checking {file}")) as shown:

            def started(cell: str, shown: Status = shown) -> None:
                shown.update(escape(cell))

            report = check(file, again=rerun, seed=seed, model=model, device=device, started=started)
        for line in report.problems:
            typer.echo(f"{file}: {line}")
        for line in report.notes:
            typer.echo(f"{file}: note: {line}")
        invalid += not report.valid
        typer.echo(f"{file}: {report.verdict}")
    if invalid:
        raise typer.Exit(1)
