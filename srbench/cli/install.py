"""``srbench install``."""

from __future__ import annotations

from typing import Annotated

import typer

from srbench.cli.app import HAVE, app


@app.command(rich_help_panel=HAVE)
def install(
    what: Annotated[str, typer.Argument(help="recommended: the models and metrics a board is made with.")],
) -> None:
    """Fetch the recommended models and the weights of the recommended metrics; what is here stays.

    What cannot be fetched is named at the end, and the same command tries it again.
    """
    from srbench import zoo
    from srbench.errors import BadInput, RunFailed, SrbenchError
    from srbench.metrics import installing

    if what != installing.RECOMMENDED:
        raise BadInput(
            f"'{what}' is not installed as a whole: `srbench install recommended`, or one by one with "
            "`srbench models install`, `srbench metrics install`, `srbench datasets install`"
        )

    failures = []
    try:
        for name, status in zoo.download_all(zoo.family(what), say=typer.echo):
            typer.echo(f"{name} is installed: {status.path}")
    except SrbenchError as error:
        failures.append(str(error))
    try:
        installing.install_group(what, typer.echo)
    except RunFailed as error:
        failures.append(str(error))
    if failures:
        raise RunFailed("; ".join(failures))
