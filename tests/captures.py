"""Write what commands print on terminals of 80 and 120 columns: ``python tests/captures.py [FILE]``.

It is standard output as it is, but for what :data:`OF_THE_MACHINE` names.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import tempfile
from pathlib import Path

import pytest

from srbench.cli import app
from srbench.store.provenance import versions

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "terminal.md"
WIDTHS = (80, 120)
_MINI = "--records leaderboards/entries"
MEASURING = {
    "Evaluate": "srbench evaluate --models bicubic,esrgan-mini,rsr-mini --datasets ntire,aim --limit 2 "
    "--metrics psnr,ssim,lpips-lite",
    "Attack": "srbench attack bicubic --datasets clean-mini --limit 1 --eps 4,14 "
    "--metrics psnr,ssim,lpips-lite",
}
"""Commands that run models, by what stands above them."""
READING = {
    "Leaderboard": f"srbench leaderboard {_MINI}",
    "Compare": f"srbench compare rsr-mini esrgan-mini {_MINI}",
    "Models": "srbench models",
    "Data sets": "srbench datasets",
    "Doctor": "srbench doctor",
    "Help": "srbench --help",
    "Help of a command": "srbench evaluate --help",
}
"""Commands that do not."""
COMMANDS = MEASURING | READING
OF_THE_MACHINE = (
    "Python",
    *versions(),
    *("commit", "device", "cores", "SRBENCH_HOME", "weights from", "records in"),
)
"""What ``doctor`` says of the machine, by its name in the first column."""
TEXT = """\
# What one sees

Made by `python tests/captures.py` on terminals of 80 and of 120 columns, without weights, data or a network.
A test compares this page with what the commands print. Columns give way by importance where there is no room,
and a line says which; a number is never cut, a name never split. Notices and progress go to standard error
and are not shown. What `doctor` says of the machine (versions, folders, cores) is replaced by `(yours)`.
"""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def capture(command: str, width: int) -> str:
    """What a command prints on a terminal of some width, with an empty home, no network and no colours."""
    settings = {"COLUMNS": str(width), "LINES": "50", "TERM": "dumb", "SRBENCH_OFFLINE": "1"}
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
        for name, value in (settings | {"SRBENCH_HOME": home}).items():
            patch.setenv(name, value)
        patch.delenv("SRBENCH_WEIGHTS", raising=False)
        patch.chdir(ROOT)
        with contextlib.redirect_stdout(_Terminal()) as printed, contextlib.redirect_stderr(io.StringIO()):
            app(shlex.split(command)[1:], prog_name="srbench", standalone_mode=False)
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    return "\n".join(_normal(lines) if command == "srbench doctor" else lines).strip("\n")


def _normal(lines: list[str]) -> list[str]:
    """Without what is of the machine, which may go on below its name."""
    end = next(place for place, line in enumerate(lines[1:], 1) if not line.startswith(" "))
    shown: list[str] = []
    hidden = False
    for line in lines[1:end]:
        if named := re.match(r"(  (\S+(?: \S+)*) +)\S", line):
            hidden = named[2] in OF_THE_MACHINE
            shown.append(f"{named[1]}(yours)" if hidden else line)
        elif not hidden:
            shown.append(line)
    return [lines[0], *shown, *lines[end:]]


def section(title: str, command: str) -> str:
    """What the page has of a command."""
    parts = [f"## {title}\n"]
    for width in WIDTHS:
        parts.append(
            f"### {title}, {width} columns\n\n```text\n$ {command}\n{capture(command, width)}\n```\n"
        )
    return "\n".join(parts)


def main() -> None:
    file = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PAGE
    sections = [section(title, command) for title, command in COMMANDS.items()]
    file.write_text("\n".join([TEXT, *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
