"""The store: append-only JSON lines, one file per cell at a path that is its identity.

A record is one line, written with one system call and synced before the next image is measured: a killed
run leaves at most one torn line at the end of a file, which readers skip and the next writer cuts off.

Where several machines write at once, or nothing can be appended to, records come in parts
(:mod:`srbench.store.parts`). A folder may hold both: readers merge them, and the next writer of a cell takes
its parts over into the file.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING

import filelock

from srbench.errors import RunFailed
from srbench.store.claims import Busy
from srbench.store.lines import parse_lines, to_line
from srbench.store.parts import PARTS, PartStore
from srbench.support.home import write_atomic

if TYPE_CHECKING:
    from srbench.store.record import Record


class Store:
    """A directory of records.

    Args:
        root: created when the first record is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def folder(self) -> Path:
        """The directory."""
        return self.root

    def check_writable(self) -> None:
        """Create the directory and try it.

        Raises:
            RunFailed: records cannot be written there; better said before any model runs.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            # It has no name, so that a killed run leaves none.
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise RunFailed(
                f"the store {self.root} cannot be written ({error.strerror or error}): "
                "name another directory with --store"
            ) from error

    def cells(self) -> list[PurePosixPath]:
        """Return the paths of all cells, in a stable order."""
        files = {*self.root.rglob("*.jsonl")}
        files |= {parts.with_suffix(".jsonl") for parts in self.root.rglob(f"*{PARTS}")}
        return sorted(PurePosixPath(file.relative_to(self.root).as_posix()) for file in files)

    def read(self, cell: PurePosixPath) -> list[Record]:
        """Read the records of a cell, one per image in order of first writing; the last of an image counts.

        Where some are in parts, which have no order, records are in order of image ids.

        Raises:
            BadInput: a line in the middle of the file is damaged.
        """
        # Parts first: whoever takes them over writes the file before they go.
        parts = self.parts(cell)
        return self._merged(cell, parts.read(cell) if parts else [])

    def _merged(self, cell: PurePosixPath, in_parts: list[Record]) -> list[Record]:
        file = self.root / cell
        by_image: dict[str, Record] = {}
        if file.exists():
            *lines, _torn = file.read_bytes().split(b"\n")
            by_image = {record.image: record for record in parse_lines(lines, str(file))}
        if not in_parts:
            return list(by_image.values())
        by_image |= {record.image: record for record in in_parts}
        return [by_image[image] for image in sorted(by_image)]

    def __iter__(self) -> Iterator[Record]:
        """Yield every record of every cell."""
        for cell in self.cells():
            yield from self.read(cell)

    def claim(self, cell: PurePosixPath) -> filelock.BaseFileLock:
        """Keep other runs from a cell until this is released, or the process ends.

        Raises:
            Busy: another run has it.
            RunFailed: there can be no such file.
        """
        file = self.root / cell
        lock = filelock.FileLock(file.with_suffix(".lock"))
        with _as_run_failed(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise Busy(f"another run is writing {file}: wait for it, or use another --store") from error
        return lock

    def writer(self, cell: PurePosixPath) -> CellWriter:
        """Return a context manager that appends records to a cell; one writer at a time.

        When it is entered and left, the cell's parts and lines that later ones replaced go.
        """
        return CellWriter(self, cell)

    def settle(self, cell: PurePosixPath) -> None:
        """Take a cell's parts over into its file and cut a torn line off, unless another run writes and will.

        Raises:
            RunFailed: the file cannot be written.
        """
        if self.parts(cell) or self._torn(cell):
            with contextlib.suppress(Busy), self.writer(cell):
                pass

    def _torn(self, cell: PurePosixPath) -> bool:
        file = self.root / cell
        if not file.is_file() or not file.stat().st_size:
            return False
        with file.open("rb") as opened:
            opened.seek(-1, os.SEEK_END)
            return opened.read() != b"\n"

    def parts(self, cell: PurePosixPath) -> PartStore | None:
        """Return where the parts of a cell are; None if it has none."""
        if not (self.root / cell).with_suffix(PARTS).is_dir():
            return None
        return PartStore(str(self.root))

    def tidy(self, cell: PurePosixPath) -> None:
        """Leave one line per image in the file, and no parts; only for who holds the cell's lock."""
        parts = self.parts(cell)
        # Only what was whole when it was read may go.
        contents = parts.contents(cell) if parts else {}
        records = self._merged(cell, parts.records(cell, contents) if parts else [])
        file = self.root / cell
        lines = file.read_bytes().count(b"\n") if file.exists() else 0
        if contents or lines != len(records):
            self.replace(cell, records)
        if parts:
            parts.remove(cell, list(contents))

    def replace(self, cell: PurePosixPath, records: list[Record]) -> None:
        """Rewrite a cell whole, atomically."""
        write_atomic(self.root / cell, "".join(to_line(record).decode() for record in records))


class CellWriter:
    """A writer appends records to one file under a lock; use it as a context manager."""

    def __init__(self, store: Store, cell: PurePosixPath) -> None:
        self._store, self._cell = store, cell
        self._file = store.root / cell
        self._handle = -1

    def __enter__(self) -> CellWriter:
        self._lock = self._store.claim(self._cell)
        with _as_run_failed(self._file):
            try:
                if self._store.parts(self._cell):
                    self._store.tidy(self._cell)
                self._handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
                self._cut_torn_line()
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
        try:
            self._store.tidy(self._cell)
            if not self._file.stat().st_size:
                self._file.unlink()
        except OSError as failure:
            # What kept a record from being written is the better news; both lines of an image can be read.
            if error is None:
                raise _unwritable(self._file, failure) from failure
        finally:
            self._lock.release()

    def append(self, record: Record) -> None:
        """Write one record and make sure it is on disk.

        Raises:
            RunFailed: disk full or gone; earlier records are intact.
        """
        text = to_line(record)
        size = os.fstat(self._handle).st_size
        with _as_run_failed(self._file):
            try:
                if os.write(self._handle, text) != len(text):
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


@contextlib.contextmanager
def _as_run_failed(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(file, error) from error


def _unwritable(file: Path, error: OSError) -> RunFailed:
    return RunFailed(
        f"{file} cannot be written ({error.strerror or error}): free space or name another --store; "
        "earlier records are kept, the same command resumes"
    )
