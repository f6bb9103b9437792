"""Strike a work again and again, let the same command go on, and compare the end with a quiet run."""

from __future__ import annotations

import random
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from blows import Kill
from work import RUN, Ended, Work, finish

PROCESSES = 4


@dataclass
class Row:
    """What came of one fault to one work.

    Attributes:
        problems: one line each.
    """

    fault: str
    work: str
    tried: int = 0
    survived: int = 0
    problems: list[str] = field(default_factory=list)

    def count(self, tried: int, problems: list[str]) -> None:
        """Add a round: all of its faults were survived, or none is known to have been."""
        self.tried += tried
        self.survived += 0 if problems else tried
        self.problems += problems


def endure(fault: Kill, work: Work, count: int, seed: int, scratch: Path) -> Row:
    """Do a fault to a work ``count`` times, round after round, until it is finished each time."""
    row, draw = Row(fault.name, work.name), random.Random(f"{seed} {fault.name} {work.name}")
    rounds = 0
    while row.tried < count:
        rounds += 1
        if rounds > 3 * count + 3:
            row.problems.append(f"only {row.tried} of {count} met the work before it was done")
            break
        ground = scratch / f"round-{rounds}"
        ground.mkdir(parents=True)
        with fault.ground(ground):
            tried, problems = _round(fault, work, count - row.tried, draw, ground)
            row.count(tried, problems)
        if not problems:
            shutil.rmtree(ground)
    return row


def _round(fault: Kill, work: Work, most: int, draw: random.Random, ground: Path) -> tuple[int, list[str]]:
    tried, folder = 0, ground / "work"
    folder.mkdir()
    while tried < most:
        safe = work.safe(folder)
        fault.prepare(ground, work, draw)
        running = work.start(folder)
        try:
            fault.strike(running, ground, work, draw)
            ended = finish(running)
        finally:
            running.kill()  # where the bench itself was stopped
            fault.mend(ground)
        if ended.code == 0:
            return tried, work.differences(folder)
        tried += 1
        problems = [f"{name} was lost" for name in sorted(safe - work.safe(folder))]
        if ended.code != fault.code:
            problems.append(f"exit code {ended.code} where {fault.code} was due: {ended.errors[-300:]}")
        if problems := problems + (unclear(ended) if ended.code > 0 else []):
            return tried, problems
    return tried, undisturbed(work, folder)


def undisturbed(work: Work, folder: Path) -> list[str]:
    """Let the command go on to its end; what is wrong then."""
    ended = finish(work.start(folder))
    if ended.code != 0:
        return [f"the command does not go on, exit code {ended.code}: {ended.errors[-300:]}"]
    return work.differences(folder)


def unclear(ended: Ended) -> list[str]:
    """What is wrong with how a failure was told: one line, or one a cell that failed, and a right code."""
    told = [line for line in ended.errors.splitlines() if line.startswith(("srbench: ", "failed: "))]
    wrong = re.search(
        r"Traceback|Exception (in|ignored)|srbench: unexpected|Error: |terminate called", ended.errors
    )
    if told and not wrong and sum(line.startswith("srbench: ") for line in told) <= 1:
        return [] if ended.code in (1, 2, 130) else [f"exit code {ended.code}"]
    return [f"not one clear line: {ended.errors[-600:]!r}"]


def tear_records(work: Work, count: int, seed: int, scratch: Path) -> Row:
    """End cells' files as a crash may: in the middle of the last record, or with what is no record."""
    row, draw = Row("torn last record", work.name), random.Random(f"{seed} torn")
    while row.tried < count:
        folder = _copy(work, scratch / f"torn-{row.tried}")
        files = sorted(folder.rglob("*.jsonl"))[: count - row.tried]
        for file in files:
            whole = file.read_bytes()
            last = whole.rfind(b"\n", 0, -1) + 1
            cut = whole[: draw.randrange(last + 1, len(whole))]
            garbage = draw.randbytes(draw.randint(1, 300)).replace(b"\n", b" ")
            file.write_bytes(draw.choice((cut, cut + garbage, whole + garbage, whole + bytes(200))))
        row.count(len(files), undisturbed(work, folder))
    return row


def spoil_lines(work: Work, count: int, seed: int, scratch: Path) -> Row:
    """Put a line that is no record among the others: it is named, and deleting it helps."""
    row, draw = Row("line that is no record", work.name), random.Random(f"{seed} spoilt")
    for number in range(count):
        folder = _copy(work, scratch / f"spoilt-{number}")
        file = draw.choice(sorted(folder.rglob("*.jsonl")))
        lines = file.read_bytes().splitlines(keepends=True)
        at = draw.randint(0, len(lines))
        lines.insert(at, lines[0][: draw.randrange(1, len(lines[0]) - 2)] + b"\n")
        file.write_bytes(b"".join(lines))
        ended = finish(work.start(folder))
        problems = unclear(ended)
        if ended.code != 2 or f"{file} line {at + 1} " not in ended.errors:
            problems.append(f"exit code {ended.code}, {file} line {at + 1} not named: {ended.errors[-300:]}")
        file.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))
        row.count(1, problems or undisturbed(work, folder))
    return row


def tear_checkpoints(work: Work, count: int, seed: int, scratch: Path) -> Row:
    """Damage the last checkpoint: the one before is taken, and the same weights come out."""
    row, draw = Row("torn last checkpoint", work.name), random.Random(f"{seed} checkpoint")
    for number in range(count):
        folder = _copy(work, scratch / f"checkpoint-{number}")
        file = max((folder / RUN / "checkpoints").glob("0*.pt"))
        whole = file.read_bytes()
        at = draw.randrange(len(whole))
        rest = draw.choice((b"", bytes(len(whole) - at), draw.randbytes(len(whole) - at)))
        file.unlink()  # best.pt may be another name of it
        file.write_bytes(whole[:at] + rest)
        row.count(1, undisturbed(work, folder))
    return row


def together(work: Work, count: int, scratch: Path) -> Row:
    """Four processes at once on one folder: they share the work, and all end well."""
    row = Row("four processes at once", work.name)
    for number in range(count):
        folder = scratch / f"together-{number}"
        folder.mkdir(parents=True)
        running = [work.start(folder) for _ in range(PROCESSES)]
        problems = [f"exit code {e.code}: {e.errors[-300:]}" for e in map(finish, running) if e.code != 0]
        row.count(PROCESSES, problems or work.differences(folder))
    return row


def _copy(work: Work, folder: Path) -> Path:
    shutil.copytree(work.quiet, folder)
    return folder
