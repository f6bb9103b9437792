"""``srbench models``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import HAVE, app
from srbench.cli.console import out
from srbench.cli.options import Json
from srbench.cli.panels import OUTPUT, WHERE

if TYPE_CHECKING:
    from srbench.zoo.weights import Status

models_app = typer.Typer(help="List the model zoo, install weights.", invoke_without_command=True)
app.add_typer(models_app, name="models", rich_help_panel=HAVE)


@models_app.callback()
def models(
    context: typer.Context,
    full: Annotated[bool, OUTPUT.flag("--full", "Say where each missing one comes from.")] = False,
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
    from srbench.support import screen
    from srbench.support.screen import states_column, words_column

    cards, states = [card for card, _ in rows], [_state(status) for _, status in rows]
    columns = [
        words_column("Name", [card.name for card in cards]),
        words_column("Title", [card.title for card in cards], gives_way=2, wraps=24),
        words_column("Trained for", [card.domain for card in cards], gives_way=1),
        words_column("Licence", [card.licence for card in cards], gives_way=3, wraps=28),
        states_column("Status", states, lambda state: _COLOURS.get(state, "")),
    ]
    console = out()
    gone = screen.show(console, columns)
    console.print()
    for card, status in rows:
        if status.identity:
            screen.line(console, f"{card.name}: {status.identity}, as its authors publish none")
    missing = [(card.name, status.how) for card, status in rows if not status.installed]
    if full:
        screen.pairs(console, missing)
        return
    commands = [(name, how.partition("  #")[0]) for name, how in missing]
    by_hand = [f"`{command}`" for _, command in commands if "--from" in command]
    if missing:
        also = f", but {', '.join(by_hand)}" if by_hand else ""
        screen.line(console, f"{len(missing)} missing: `srbench models install NAME`{also}.")
        screen.line(console, "`srbench install recommended` gets the usual ones; --full says where each is.")
    if gone:
        screen.line(console, f"No room for: {', '.join(gone)} (--json prints all).")


_COLOURS = {"installed": "green", "installed, not verified": "yellow"}


def _state(status: Status) -> str:
    if status.identity:
        return "installed, not verified"
    return "installed" if status.installed else "missing"


@models_app.command()
def install(
    name: Annotated[str, typer.Argument(help="A model from `srbench models`.")],
    source: Annotated[
        Path | None, WHERE.value("--from", "FILE", "The published weight file, fetched by hand.")
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
