"""Run commands on hostile files, one after the other in one process with bounded memory and time.

``python hostile_run.py OUT COMMANDS`` runs every command (COMMANDS is a file of JSON, a list of lists) and
writes to OUT, as JSON, for each its exit code, output, CPU seconds (with those of the process that reads
checkpoints) and what it executed by Python's audit events; and the peak memory in MB of both processes, after
the first command and after all.
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

import psutil
from typer.main import get_command

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from peak import peak_mib

from srbench import cli
from srbench.zoo import contained

ADDRESS_SPACE = 6 << 30
SECONDS = 120  # on a busy machine; a file's CPU seconds are what tests look at
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


def cpu_seconds() -> float:
    """Of this process, and of the one that reads checkpoints with all it has ended."""
    seconds = time.process_time()
    if (reader := contained._process._running) is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            seconds += sum(psutil.Process(reader.pid).cpu_times()[:4])
    return seconds


READERS: list[int] = [0]
"""Peak memory in kB of what read each checkpoint, as the process says that made it."""


def watched(request: dict[str, Any], ask: Any = contained._process.ask) -> dict[str, Any]:
    """Ask the process that reads checkpoints, and remember what memory it took."""
    answer: dict[str, Any] = ask(request)
    READERS.append(answer["peak"])
    return answer


def peaks() -> dict[str, float]:
    """Peak memory in MB of this process, and of the largest that read a checkpoint."""
    return {"srbench": peak_mib(), "reader": max(READERS) / 1024}


def all_of(commands: list[list[str]]) -> dict[str, Any]:
    """The outcome of every command, in order, and the peaks."""
    contained._process.ask = watched  # type: ignore[method-assign]
    cli.app = get_command(cli.app)  # type: ignore[assignment]  # built once instead of 0.1 s a command
    executed: list[str] = []
    import torch  # noqa: F401 - its CUDA build runs a program as it is imported

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in WATCHED and "unpack.py" not in str(arguments[1:2]):
            executed.append(event)

    sys.addaudithook(heard)
    found = []
    first: dict[str, float] = {}
    for command in commands:
        executed.clear()
        signal.alarm(SECONDS)
        started = cpu_seconds()
        code, out, err = run(command)
        signal.alarm(0)
        seconds = max(cpu_seconds() - started, 0.0)
        found.append({"code": code, "out": out, "err": err, "seconds": seconds, "executed": [*executed]})
        first = first or peaks()
    return {"results": found, "first": first, "peaks": peaks()}


if __name__ == "__main__":
    target, commands = sys.argv[1:]
    signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    Path(target).write_text(json.dumps(all_of(json.loads(Path(commands).read_text()))))
