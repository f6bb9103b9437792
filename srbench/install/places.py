"""Lock and make folders: two processes take turns, and a folder is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srbench.errors import RunFailed
from srbench.support.home import cannot_write


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock of a file or folder that is about to be made; whoever comes second waits and says so.

    The lock is the operating system's on ``.NAME.lock`` beside the target, so it ends with its process,
    however that ends. (The empty file stays: removing it would let two processes hold two locks.)

    Raises:
        RunFailed: the folder cannot be written.
    """
    import filelock

    file = target.with_name(f".{target.name}.lock")
    with cannot_write(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(file)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            print(f"waiting for another srbench process to finish {target.name}", file=sys.stderr, flush=True)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``target`` on success and vanishes on failure.

    Hold the lock of ``target``: what a killed process left of an earlier try is removed.
    """
    new, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def need_space(folder: Path, size: int) -> None:
    """Raise RunFailed, before anything is written, if ``size`` bytes do not fit where ``folder`` is."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise RunFailed(
            f"{folder} has {free:,} bytes free and {size:,} are needed: make room, or choose another place"
        )


def remove(path: Path) -> None:
    """Remove a file or a folder, whether or not it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        path.unlink(missing_ok=True)
