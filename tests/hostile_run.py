"""Run the command line on hostile files, one after the other in one process with bounded memory and time.

``python hostile_run.py OUT OPTION REST VALUES`` runs ``srbench evaluate REST OPTION VALUE`` for every value
(the last two are files of JSON lists) and writes to OUT, as JSON, for each its exit code, output, CPU seconds
and what it executed by Python's audit events; and the peak memory of them all in MB.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from typer.main import get_command

from srbench import cli

ADDRESS_SPACE = 6 << 30
SECONDS = 20
WATCHED = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn")


def run(command: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    sys.argv = ["srbench", *command]
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        except BaseException as error:
            code, _ = -1, err.write(f"{type(error).__name__}: {error}")
    return code, out.getvalue(), err.getvalue()


def late(signum: int, frame: FrameType | None) -> NoReturn:
    """Not an Exception, so that nothing on the way takes it for a damaged file."""
    raise KeyboardInterrupt(f"more than {SECONDS} s")


def all_of(option: str, rest: list[str], values: list[str]) -> list[dict[str, Any]]:
    """The outcome of every value, in order."""
    cli.app = get_command(cli.app)  # type: ignore[assignment]  # built once instead of 0.1 s a command
    executed: list[str] = []
    import torch  # noqa: F401 - its CUDA build runs a program as it is imported

    sys.addaudithook(lambda event, _: executed.append(event) if event in WATCHED else None)
    found = []
    for value in values:
        executed.clear()
        signal.alarm(SECONDS)
        started = time.process_time()
        code, out, err = run(["evaluate", *rest, option, value])
        signal.alarm(0)
        seconds = time.process_time() - started
        found.append({"code": code, "out": out, "err": err, "seconds": seconds, "executed": [*executed]})
    return found


if __name__ == "__main__":
    target, option, rest, values = sys.argv[1:]
    signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    results = all_of(option, json.loads(Path(rest).read_text()), json.loads(Path(values).read_text()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Path(target).write_text(json.dumps({"results": results, "peak": peak}))
