"""``srbench validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli.app import GIVE, app
from srbench.cli.console import err
from srbench.cli.groups import expand_options
from srbench.cli.options import Device
from srbench.cli.panels import HOW, WHAT


@app.command(rich_help_panel=GIVE)
@expand_options
def validate(
    entries: Annotated[list[Path], typer.Argument(metavar="ENTRY...", help="Files srbench submit wrote.")],
    rerun: Annotated[
        int,
        HOW.value(
            "--rerun",
            "N",
            "Images of every set to measure again, under every attack, all of a set with no more; 0: none.",
            min=0,
        ),
    ] = 24,
    seed: Annotated[
        int | None,
        HOW.value("--seed", "N", "Draw these images as a run before did, which said its seed; else anew."),
    ] = None,
    model: Annotated[
        str | None,
        WHAT.value(
            "--model", "NAME", "The model, where it is not of the zoo: its file must have the entry's sha256."
        ),
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
