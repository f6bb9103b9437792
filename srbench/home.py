"""Where srbench keeps and finds files: the one place that reads its environment variables.

==================  =====================================================================
``SRBENCH_HOME``    weights, registered data sets and records (default: the user's cache)
``SRBENCH_WEIGHTS``  further directories to search for weights, separated as PATH is
``SRBENCH_OFFLINE``  1 means: never touch the network
==================  =====================================================================
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from srbench.errors import BadInput


def home() -> Path:
    """The directory srbench owns; not created until something is written."""
    if value := os.environ.get("SRBENCH_HOME"):
        return Path(value).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("srbench"))


def offline() -> bool:
    """Whether the user forbade any network access (``SRBENCH_OFFLINE=1``)."""
    return os.environ.get("SRBENCH_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def weight_dirs() -> list[Path]:
    """Directories searched for weights, in order: ``SRBENCH_WEIGHTS`` entries, then the home.

    Raises:
        BadInput: an entry of ``SRBENCH_WEIGHTS`` is not a directory.
    """
    listed = [Path(p).expanduser() for p in os.environ.get("SRBENCH_WEIGHTS", "").split(os.pathsep) if p]
    for path in listed:
        if not path.is_dir():
            raise BadInput(f"SRBENCH_WEIGHTS names {path}, which is not a directory: mend or unset it")
    return [*listed, home() / "weights"]


def weight_files() -> list[Path]:
    """Every file below :func:`weight_dirs`, in a stable order (directories as listed, then by path)."""
    return [file for root in weight_dirs() for file in _walk(str(root))]


@lru_cache(maxsize=16)
def _walk(root: str) -> tuple[Path, ...]:
    found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return tuple(sorted(found))


def forget_weight_files() -> None:
    """Drop the cached listing after a file was added below one of :func:`weight_dirs`."""
    _walk.cache_clear()


def sha256_file(path: Path) -> str:
    """The sha256 of a file, as 64 hex digits; remembered while size and modification time stay."""
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
    """A temporary path beside ``target`` that becomes ``target`` on success and vanishes on failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        # mkstemp makes files only their owner can read; results are meant to be shared.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(target: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``target`` so that no reader ever sees half of it."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
