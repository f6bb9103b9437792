"""The command line. Commands import what they need when they run, so that ``--help`` is instant."""

from __future__ import annotations

import sys

import typer

from srbench.cli import (  # noqa: F401 - commands register on app
    attack,
    certify,
    compare,
    datasets,
    doctor,
    evaluate,
    figure,
    install,
    leaderboard,
    maintain,
    metrics,
    models,
    serve,
    submit,
    train,
    validate,
)
from srbench.cli.app import app
from srbench.errors import SrbenchError, one_line

# 128 + SIGINT, what shells report for a command stopped by Ctrl-C; typer returns it too.
INTERRUPTED = 130


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
