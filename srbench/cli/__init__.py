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
from srbench.errors import Interrupted, SrbenchError, one_line
from srbench.support import sigterm

# 128 + SIGINT, what shells report for a command stopped by Ctrl-C; typer returns it too.
INTERRUPTED = 130


def main() -> None:
    """Run the command line; every expected failure is one line on stderr and an exit code.

    SIGTERM stops every command as Ctrl-C does, with an exit code of its own.
    """
    with sigterm.as_ctrl_c():
        code, message = _run(sys.argv[1:])
        if message:
            print(f"srbench: {one_line(message)}", file=sys.stderr)
        if sigterm.terminated():
            sigterm.leave_threads(code)
    sys.exit(code)


def _run(arguments: list[str]) -> tuple[int, str]:
    """Run a command; its exit code, and the line to end with, if any."""
    debug = "--debug" in arguments
    code: object = INTERRUPTED
    try:
        code = app([a for a in arguments if a != "--debug"], standalone_mode=False)
    except Interrupted as error:
        return error.exit_code, str(error)
    except (KeyboardInterrupt, typer.Abort):
        pass
    except BrokenPipeError:
        # The reader of our output has left (head, less): nothing to say, and nowhere to say it.
        sys.stderr.close()
        return 0, ""
    except (Exception, SystemExit) as error:
        # A library may have made something else of what SIGTERM raised.
        if not sigterm.terminated():
            if debug or isinstance(error, SystemExit):
                raise
            return _failure(error)
    if sigterm.terminated():
        return sigterm.EXIT_CODE, "stopped by SIGTERM; what was finished is kept and the same command resumes"
    if code == INTERRUPTED:
        return INTERRUPTED, "stopped; what was measured is kept and the same command resumes"
    return (code, "") if isinstance(code, int) else (0, "")


def _failure(error: Exception) -> tuple[int, str]:
    if isinstance(error, SrbenchError):
        return error.exit_code, str(error)
    if hasattr(error, "exit_code") and hasattr(error, "show"):
        error.show()
        return int(error.exit_code), ""
    name = type(error).__name__
    return 1, f"unexpected {name}: {' '.join(str(error).split())[:500]} (--debug shows where)"
