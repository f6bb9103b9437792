"""The root of the command line, which every command registers on."""

from __future__ import annotations

from typing import Annotated

import typer

from srbench.version import __version__

# Under which the commands stand in the help.
MEASURE = "Measure"
READ = "Read what was measured"
HAVE = "Models, data sets, metrics"
TRAIN = "Train"
GIVE = "Take part"

app = typer.Typer(
    name="srbench",
    help="Does a super-resolution model still work on inputs it was not trained for?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"srbench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit.", metavar=""
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", metavar="")
    ] = False,
) -> None:
    """Does a super-resolution model still work on inputs it was not trained for?"""
