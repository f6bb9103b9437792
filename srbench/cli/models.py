"""``srbench models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli.app import app
from srbench.cli.console import out
from srbench.cli.options import Json

models_app = typer.Typer(help="List the model zoo, install weights.", invoke_without_command=True)
app.add_typer(models_app, name="models")


@models_app.callback()
def models(
    context: typer.Context,
    as_json: Json = False,
) -> None:
    """List every model with its training domain, licence and whether its weights are here."""
    if context.invoked_subcommand is not None:
        return
    from srbench import zoo
    from srbench.zoo import community

    rows = [(zoo.card(name), zoo.status(name)) for name in zoo.names()] + community.installed()
    if as_json:
        import json

        listed = [
            card.model_dump(mode="json")
            | {
                "installed": s.installed,
                "path": str(s.path) if s.path else None,
                "sha256": s.sha256,
                "verified": s.verified,
                "origin": s.origin,
                "how": s.how,
            }
            for card, s in rows
        ]
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(title="Models", title_justify="left")
    for heading in ("Name", "Title", "Trained for", "Licence", "Status"):
        table.add_column(heading, overflow="fold")
    for card, status in rows:
        state = "[green]installed[/green]" if status.installed else "missing"
        state = "[yellow]installed, not verified[/yellow]" if status.identity else state
        table.add_row(card.name, card.title, card.domain, card.licence, state)
    screen = out()
    screen.print(table)
    for card, status in rows:
        if status.identity:
            line = f"{card.name}: {status.identity}, as its authors publish none"
            screen.print(line, highlight=False, soft_wrap=True, markup=False)
        if not status.installed:
            screen.print(f"{card.name}: {status.how}", highlight=False, soft_wrap=True, markup=False)


@models_app.command()
def install(
    name: Annotated[str, typer.Argument(help="A model from `srbench models`.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="The published weight file, fetched by hand.")
    ] = None,
) -> None:
    """Download published weights, or take a file; verify it, convert it to safetensors, record its sha256.

    The name of a family (impressionism, esrgan-fs) stands for all its models; `recommended` for a handful
    that makes a meaningful board and comes from the index pip is configured with. openmodeldb:NAME and
    hf:OWNER/REPOSITORY/FILE are models of a community.
    """
    from srbench import zoo
    from srbench.errors import BadInput
    from srbench.zoo import community

    if community.is_community(name):
        if source:
            raise BadInput(f"--from is for models of the zoo: a file of your own is --models {source}")
        (ref,) = zoo.resolve([name])
        typer.echo(f"{ref.note}; sha256 of the source {ref.weights_sha256}")
        return
    members = zoo.family(name)
    if source and len(members) > 1:
        raise BadInput(f"{name} is {len(members)} models ({', '.join(members)}): say which one {source} is")
    if source:
        statuses = iter([(members[0], zoo.install(members[0], source))])
    else:
        statuses = zoo.download_all(members, say=typer.echo)
    for member, status in statuses:
        origin = f" from {status.origin}" if status.origin else ""
        unverified = f"{status.identity}{origin}, as its authors publish none; a later change is refused"
        identity = unverified if status.identity else f"sha256 of the source {status.sha256}"
        typer.echo(f"{member} is installed: {status.path} ({identity})")
