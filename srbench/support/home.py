"""Say where srbench keeps and finds files; nothing else reads its environment variables.

==================  =====================================================================
``SRBENCH_HOME``    weights, registered data sets and records (default: the user's cache)
``SRBENCH_WEIGHTS``  further directories to search for weights, separated as PATH is
``SRBENCH_OFFLINE``  1 means: never touch the network
==================  =====================================================================
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from srbench.errors import BadInput, RunFailed

_UNFINISHED = ".srbtmp"


def home() -> Path:
    """Return the directory srbench owns; it is not created until something is written."""
    if value := os.environ.get("SRBENCH_HOME"):
        return Path(value).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("srbench"))


def user_path(text: str) -> Path:
    """Return the path a user wrote, ``~`` resolved; BadInput for one that no file can have."""
    try:
        path = Path(text).expanduser()
        path.exists()  # raises for a name that is too long and for a folder that may not be searched
    except (OSError, RuntimeError) as error:  # RuntimeError: the home of a user who is not there
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"{text[:200]} is no path that can be used ({reason})") from error
    return path


def offline() -> bool:
    """Return whether the user forbade any network access (``SRBENCH_OFFLINE=1``)."""
    return os.environ.get("SRBENCH_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def weight_dirs() -> list[Path]:
    """Return the directories searched for weights, in order: ``SRBENCH_WEIGHTS`` entries, then the home.

    Raises:
        BadInput: an entry of ``SRBENCH_WEIGHTS`` is not a directory.
    """
    listed = [Path(p).expanduser() for p in os.environ.get("SRBENCH_WEIGHTS", "").split(os.pathsep) if p]
    for path in listed:
        if not path.is_dir():
            raise BadInput(f"SRBENCH_WEIGHTS names {path}, which is not a directory: mend or unset it")
    return [*listed, home() / "weights"]


def weight_files() -> list[Path]:
    """Return every file below :func:`weight_dirs`: directories as listed, then by path."""
    return [file for root in weight_dirs() for file in _walk(str(root))]


@lru_cache(maxsize=16)
def _walk(root: str) -> tuple[Path, ...]:
    files = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return tuple(sorted(files))


def forget_weight_files() -> None:
    """Drop the cached listing after a file was added below one of :func:`weight_dirs`."""
    _walk.cache_clear()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file, 64 hex digits; it is remembered while size and modification time stay."""
    stat = path.stat()
    return _sha256(str(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _sha256(path: str, size: int, mtime_ns: int) -> str:
    with open(path, "rb") as file:  # noqa: PTH123
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` that becomes ``target`` on success and vanishes on failure.

    Where the process is killed meanwhile, the next one that writes into the folder removes it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(str(target.parent))
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_UNFINISHED, dir=target.parent)
    temporary = Path(name)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield temporary
        # mkstemp makes files only their owner can read, and so do libraries that put a file of their own in
        # the place of this one; results are meant to be shared.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


@lru_cache(maxsize=256)  # once a process and folder
def _sweep(folder: str) -> None:
    """Remove temporary files whose writers are dead: the lock a writer holds dies with it."""
    for left in Path(folder).glob(f".*{_UNFINISHED}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A file is locked just after it is made, not while it is.
            if time.time() - os.fstat(file.fileno()).st_mtime > 1:
                left.unlink()


@contextmanager
def cannot_write(place: Path, cure: str = "") -> Iterator[None]:
    """Turn an OSError into RunFailed: one line that says what cannot be written, why, and what helps."""
    try:
        yield
    except OSError as error:
        helps = f": {cure}" if cure else ""
        raise RunFailed(f"{place} cannot be written ({error.strerror or error}){helps}") from error


@contextmanager
def output_path(target: Path) -> Iterator[Path]:
    """Yield :func:`atomic_path` of what a command writes where ``--out`` says.

    Raises:
        RunFailed: it cannot be written.
    """
    cure = "free space or name another --out; what was measured is kept, the same command resumes"
    with cannot_write(target, cure), atomic_path(target) as temporary:
        yield temporary


def write_atomic(target: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``target`` so that no reader ever sees half of it."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
