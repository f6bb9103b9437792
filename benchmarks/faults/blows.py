"""What may happen to a process and its folder: SIGKILL, a full disk, a folder that turns read-only."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from work import POLL, Work, signature

TMPFS_BYTES = 64 << 20


class Kill:
    """SIGKILL at a random moment."""

    name = "SIGKILL"
    code = -9

    @contextmanager
    def ground(self, scratch: Path) -> Iterator[Path]:
        """Where the work is done."""
        yield scratch

    def prepare(self, ground: Path, work: Work, draw: random.Random) -> None:
        """Before the process starts."""

    def strike(self, running: subprocess.Popen[str], ground: Path, work: Work, draw: random.Random) -> None:
        """While it runs."""
        wait(running, ground, work, draw)
        running.kill()

    def mend(self, ground: Path) -> None:
        """After it ended, so that the next one finds everything well."""


class FullDisk(Kill):
    """Room for a random part of what the work still needs; where nothing can be mounted, a limit on files."""

    code = 1

    def __init__(self) -> None:
        self.mounted = mountable()
        self.name = "full disk (tmpfs)" if self.mounted else "full disk (limit on file size)"

    @contextmanager
    def ground(self, scratch: Path) -> Iterator[Path]:
        if not self.mounted:
            yield scratch
            return
        _mount("-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", scratch)
        try:
            yield scratch
        finally:
            _umount(scratch)

    def prepare(self, ground: Path, work: Work, draw: random.Random) -> None:
        if not self.mounted:
            return
        needed = sum(file.stat().st_blocks * 512 for file in work.quiet.rglob("*"))
        with (ground / "filler").open("wb", buffering=0) as filler:
            disk = os.statvfs(ground)
            os.posix_fallocate(
                filler.fileno(), 0, disk.f_bavail * disk.f_frsize - draw.randrange(needed // 3)
            )

    def strike(self, running: subprocess.Popen[str], ground: Path, work: Work, draw: random.Random) -> None:
        if not self.mounted:
            largest = max(file.stat().st_size for file in work.quiet.rglob("*"))
            limit = draw.randrange(largest)
            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (limit, limit))

    def mend(self, ground: Path) -> None:
        (ground / "filler").unlink(missing_ok=True)


class ReadOnly(Kill):
    """The folder turns read-only at a random moment; files that are open by then stay writable."""

    code = 1

    def __init__(self) -> None:
        self.mounted = mountable()
        self.name = "read-only (mount)" if self.mounted else "read-only (chmod)"

    @staticmethod
    def possible() -> bool:
        """Whether it can be done here: chmod does not keep root from writing."""
        return mountable() or os.geteuid() != 0

    def strike(self, running: subprocess.Popen[str], ground: Path, work: Work, draw: random.Random) -> None:
        wait(running, ground, work, draw)
        if self.mounted:
            _read_only(ground)
        else:
            _chmod(ground, 0o555)

    def mend(self, ground: Path) -> None:
        if self.mounted:
            _umount(ground)
        else:
            _chmod(ground, 0o755)


def wait(running: subprocess.Popen[str], ground: Path, work: Work, draw: random.Random) -> None:
    """Until a random moment: of the whole run, or, more often, just after something was written."""
    if draw.random() < 0.2:
        end = time.monotonic() + draw.uniform(0, work.seconds)
        while running.poll() is None and time.monotonic() < end:
            time.sleep(POLL)
        return
    for _ in range(draw.randint(1, max(1, work.changes // 6))):
        seen = signature(ground)
        while running.poll() is None and signature(ground) == seen:
            time.sleep(POLL)
    time.sleep(draw.choice((0.0, draw.uniform(0, 0.03))))


@cache
def mountable() -> bool:
    """Whether this process may mount."""
    with tempfile.TemporaryDirectory() as place:
        try:
            _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
        except (OSError, subprocess.CalledProcessError):
            return False
        _umount(Path(place))
        return True


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _read_only(place: Path) -> None:
    # The folder mounted over itself: the mount below could not change while files on it are open. In the
    # moment between the two commands one may be opened on this mount too.
    for _ in range(100):
        _mount("--bind", place, place)
        try:
            _mount("-o", "remount,bind,ro", place)
        except subprocess.CalledProcessError:
            _umount(place)
        else:
            return
    raise RuntimeError(f"{place} does not turn read-only")


def _umount(place: Path) -> None:
    # Nothing is mounted there where the process, or the bench, ended before its time.
    subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def _chmod(ground: Path, mode: int) -> None:
    for place in (ground, *(p for p in ground.rglob("*") if p.is_dir())):
        place.chmod(mode)
