"""Files that are no entry and would take the machine: each refused in a line, time and memory bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEMORY = 512  # MiB beyond what Python and the package take
SECONDS = 10
ENTRY = Path(__file__).parents[1] / "leaderboards" / "entries" / "bicubic.json"


def written(text: Callable[[], str]) -> Callable[[Path], Any]:
    return lambda path: path.write_text(text())


def begun(rest: str) -> Callable[[Path], Any]:
    """What begins as an entry."""
    return written(lambda: '{"format":"srbench entry","schema_version":1,' + rest)


def images(content: str, count: int, cells: int = 1) -> str:
    """A real entry whose cells hold so many images of this content."""
    entry = json.loads(ENTRY.read_text())
    entry["cells"] = [entry["cells"][0] | {"images": "HERE"}] * cells
    return json.dumps(entry).replace('"HERE"', f"[{','.join([content] * count)}]")


KINDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "7 million objects": (begun('"cells":[' + "{}," * 7_000_000 + "{}]}"), "larger than 16 MiB"),
    "5 million objects": (begun('"cells":[' + "{}," * 5_000_000 + "{}]}"), "more than 200,000 values"),
    "as many as may be": (begun('"means":[' + "{}," * 99_000 + "{}]}"), "not valid"),
    "as many cells": (begun('"cells":[' + "{}," * 99_000 + "{}]}"), "not valid"),
    "as many keys": (begun(",".join(f'"{n}":{n}' for n in range(99_000)) + "}"), "not valid"),
    "as many images": (written(lambda: images("{}", 9_999)), "not valid"),
    "as many numbers for images": (written(lambda: images("1", 9_999)), "not valid"),
    "as many cells of images": (written(lambda: images("{}", 900, 100)), "not valid"),
    "digits": (lambda path: path.write_text("1" * (16 << 20)), "no JSON"),
    "lists in lists": (lambda path: path.write_text("[" * 199_000), "no JSON"),
    "a text of zeros": (lambda path: path.write_text('"' + "\\u0000" * 2_700_000 + '"'), "it lacks"),
    "blanks": (lambda path: path.write_text(" " * (16 << 20)), "no JSON"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
    "a FIFO": (os.mkfifo, "no regular file"),
    "a folder": (Path.mkdir, "Is a directory"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "cannot be read"),
}
READ = f"""
import json, resource, sys, time
from pathlib import Path
from srbench.entries.validate import validate
from srbench.errors import BadInput
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + ({MEMORY} << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for file in sys.argv[1:]:
    started = time.process_time()
    try:
        problems = validate(Path(file), again=0).problems
        said = f"{{file}} is not valid: {{len(problems)}} and more"
    except BadInput as error:
        said = str(error)
    print(json.dumps([said, time.process_time() - started]))
"""


def test_each_is_refused_in_a_line_in_bounded_time_and_memory(tmp_path: Path) -> None:
    files = []
    for number, (make, _) in enumerate(KINDS.values()):
        files.append(tmp_path / f"{number}.json")
        make(files[-1])
    done = subprocess.run(
        [sys.executable, "-c", READ, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    for (kind, (_, words)), file, line in zip(KINDS.items(), files, lines, strict=True):
        said, seconds = json.loads(line)
        assert said.startswith(f"{file} ") and words in said, (kind, said)
        assert len(said) < 400 and seconds < SECONDS, (kind, seconds)
