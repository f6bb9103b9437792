"""The command line. Commands import what they need when they run, so that ``--help`` is instant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from srbench.errors import SrbenchError, one_line
from srbench.version import __version__

# 128 + SIGINT, what shells report for a command stopped by Ctrl-C; typer returns it too.
INTERRUPTED = 130

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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options every command takes."""


def main() -> None:
    """Run the command line; every expected failure is one line on stderr and an exit code."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        code = app([a for a in arguments if a != "--debug"], standalone_mode=False)
    except SrbenchError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (head, less): nothing to say, and nowhere to say it.
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            error.show()
            sys.exit(error.exit_code)
        name = type(error).__name__
        _fail(f"unexpected {name}: {' '.join(str(error).split())[:500]} (--debug shows where)", 1)
    if code == INTERRUPTED:
        _fail("stopped; what was measured is kept and the same command resumes", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    print(f"srbench: {one_line(message)}", file=sys.stderr)
    sys.exit(code)


from srbench.cli import (  # noqa: E402 - commands register on app
    attack,
    compare,
    datasets,
    doctor,
    evaluate,
    figure,
    leaderboard,
    metrics,
    models,
    serve,
    submit,
    train,
    validate,
)

__all__ = [
    "app",
    "attack",
    "compare",
    "datasets",
    "doctor",
    "evaluate",
    "figure",
    "leaderboard",
    "main",
    "metrics",
    "models",
    "serve",
    "submit",
    "train",
    "validate",
]
