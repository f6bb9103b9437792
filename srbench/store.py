"""The store: append-only JSON lines, one file per cell at a path that is its identity.

A record is one line, written with one system call and synced before the next image is measured: a killed
run leaves at most one torn line at the end of a file, which readers skip and the next writer cuts off.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType

import filelock
from pydantic import ValidationError

from srbench.errors import BadInput, RunFailed
from srbench.home import write_atomic
from srbench.records import Record


class Store:
    """A directory of records.

    Args:
        root: created when the first record is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def check_writable(self) -> None:
        """Create the directory and try it.

        Raises:
            RunFailed: records cannot be written there; better said before any model runs.
        """
        probe = self.root / f".probe-{os.getpid()}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunFailed(
                f"the store {self.root} cannot be written ({error.strerror or error}): "
                "name another directory with --store"
            ) from error

    def cells(self) -> list[PurePosixPath]:
        """Paths of all cells, in a stable order."""
        return sorted(
            PurePosixPath(file.relative_to(self.root).as_posix()) for file in self.root.rglob("*.jsonl")
        )

    def read(self, cell: PurePosixPath) -> list[Record]:
        """Records of a cell, one per image in order of first writing; a later record replaces an earlier.

        Raises:
            BadInput: a line in the middle of the file is damaged.
        """
        file = self.root / cell
        if not file.exists():
            return []
        *lines, _torn = file.read_bytes().split(b"\n")
        found: dict[str, Record] = {}
        for number, line in enumerate(lines, start=1):
            try:
                record = Record.model_validate_json(line)
            except ValidationError as error:
                raise BadInput(
                    f"{file} line {number} is not a record: delete the line (its image is measured again)"
                ) from error
            found[record.image] = record
        return list(found.values())

    def __iter__(self) -> Iterator[Record]:
        """Every record of every cell."""
        for cell in self.cells():
            yield from self.read(cell)

    def writer(self, cell: PurePosixPath) -> CellWriter:
        """A context manager that appends records to a cell; one writer at a time."""
        return CellWriter(self.root / cell)

    def replace(self, cell: PurePosixPath, records: list[Record]) -> None:
        """Rewrite a cell whole, atomically."""
        write_atomic(self.root / cell, "".join(_line(record).decode() for record in records))


class CellWriter:
    """Appends records to one file under a lock. Use as a context manager."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = filelock.FileLock(file.with_suffix(".lock"))
        self._handle = -1

    def __enter__(self) -> CellWriter:
        with _as_run_failed(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise RunFailed(
                    f"another run is writing {self._file}: wait for it, or use another --store"
                ) from error
            self._handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            self._cut_torn_line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._lock.release()

    def append(self, record: Record) -> None:
        """Write one record and make sure it is on disk.

        Raises:
            RunFailed: disk full or gone; earlier records are intact.
        """
        line = _line(record)
        size = os.fstat(self._handle).st_size
        with _as_run_failed(self._file):
            try:
                if os.write(self._handle, line) != len(line):
                    raise OSError(28, os.strerror(28))
                os.fsync(self._handle)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._handle, size)
                raise

    def _cut_torn_line(self) -> None:
        content = self._file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.ftruncate(self._handle, whole)


def _line(record: Record) -> bytes:
    return record.model_dump_json().encode() + b"\n"


@contextlib.contextmanager
def _as_run_failed(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunFailed(
            f"{file} cannot be written ({error.strerror or error}): free space or name another --store; "
            "earlier records are kept, the same command resumes"
        ) from error
