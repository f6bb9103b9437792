"""``srbench datasets``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli import app
from srbench.cli.console import err, out

datasets_app = typer.Typer(
    help="List data sets, register and verify local copies.", invoke_without_command=True
)
app.add_typer(datasets_app, name="datasets")


@datasets_app.callback()
def datasets(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List every data set and whether a copy is registered."""
    if context.invoked_subcommand is not None:
        return
    from srbench import datasets as sets

    rows = [(sets.manifest(name), sets.status(name)) for name in sets.names()]
    if as_json:
        import json

        listed = [
            manifest.model_dump(mode="json")
            | {"available": s.available, "here": s.images, "content_hash": s.content_hash, "how": s.how}
            for manifest, s in rows
        ]
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(title="Data sets", title_justify="left")
    for heading in ("Name", "Title", "Degradation", "Kind", "Images", "Content", "Status"):
        table.add_column(heading, overflow="fold")
    for manifest, status in rows:
        state = "[green]available[/green]" if status.available else "not registered"
        images = status.images or manifest.images
        content = (status.content_hash or "")[:8]
        table.add_row(
            manifest.name, manifest.title, manifest.domain, manifest.kind, str(images or "–"), content, state
        )
    screen = out()
    screen.print(table)
    for manifest, status in rows:
        if not status.available:
            screen.print(f"{manifest.name}: {status.how}", highlight=False, soft_wrap=True, markup=False)


@datasets_app.command()
def add(
    name: Annotated[str, typer.Argument(help="A data set from `srbench datasets`.")],
    lr: Annotated[Path, typer.Option("--lr", help="Directory of LR images.")],
    hr: Annotated[Path | None, typer.Option("--hr", help="Directory of HR images, for paired sets.")] = None,
) -> None:
    """Check a local copy, register it and record a hash of its content."""
    from srbench import datasets as sets

    with err().status(f"checking {name}"):
        status = sets.add(name, lr, hr)
    typer.echo(f"{name} is registered: {status.images} images, content {status.content_hash}")
    if status.note:
        typer.echo(status.note)


@datasets_app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets; all registered ones if none is named.")
    ] = None,
) -> None:
    """Check that registered copies still have the content they were registered with."""
    from srbench import datasets as sets
    from srbench.errors import BadInput

    chosen = names or [name for name in sets.names() if sets.status(name).available]
    failures = []
    for name in chosen:
        try:
            status = sets.verify(name)
            typer.echo(f"{name}: {status.images} images, content {status.content_hash}: as registered")
        except BadInput as error:
            failures.append(str(error))
    if failures:
        raise BadInput("; ".join(failures))
