"""Records in parts: objects that are written whole, never changed and named after their content.

This is how records are kept where nothing can be appended to (``s3://…`` and whatever else fsspec knows), and
how several machines write to one folder at once. A part holds a few records of one cell:

    PROTOCOL/DATASET/ATTACK/MODEL-DIGEST.parts/TIME-SHA256.part

Readers take all parts of a cell, in order of time. A part whose content is not that of its name is still
being written, or its writer died: it is passed over and its images are measured again. To put parts together
is to write one that holds them all and then to remove them, so nothing is lost whoever else writes or puts
together at the same time, and no lock is needed.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput, RunFailed, SrbenchError
from srbench.store.claims import Unguarded
from srbench.store.lines import parse_lines, to_line

if TYPE_CHECKING:
    from srbench.store.record import Record

PARTS = ".parts"
"""Suffix of the folder that holds a cell's parts, beside the cell's file."""
SUFFIX = ".part"
SECONDS = 20.0
"""A writer stores what it has when the last part is as old as this: what a killed machine can lose."""
ATTEMPTS = 5


class PartStore:
    """Records in parts, at an address.

    Args:
        address: what fsspec opens: ``s3://bucket/records``, ``memory://name``, or a directory's path.

    Raises:
        BadInput: an address of a kind that is not known here, with the package that is missing.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._writers: set[PartWriter] = set()
        self._fs  # noqa: B018 - an unknown kind of address is said now

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        if "://" not in self.address:
            return fsspec.filesystem("file"), str(Path(self.address).absolute())
        try:
            opened: tuple[Any, str] = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise BadInput(
                f"{self.address} cannot be opened ({str(error).rstrip('.')}): install the package it needs "
                "into this environment, or name a directory"
            ) from error
        return opened

    @property
    def _fs(self) -> Any:
        return self._opened[0]

    def __getstate__(self) -> dict[str, str]:
        # Connections and writers stay where they were made.
        return {"address": self.address}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.address, self._writers = state["address"], set()

    @property
    def folder(self) -> Path | None:
        """The directory it is, None at an address."""
        return None if "://" in self.address else Path(self.address)

    def check_writable(self) -> None:
        """Write something and remove it.

        Raises:
            RunFailed: records cannot be written there.
        """
        probe = f"{self._opened[1]}/.probe-{time.time_ns()}"
        with self._speaking("written to"):
            self._put(probe, b"")
            self._fs.rm_file(probe)

    def cells(self) -> list[PurePosixPath]:
        """Return the paths of all cells, in a stable order."""
        root = self._opened[1]
        with self._speaking("listed"):
            self._fs.invalidate_cache()
            files = [PurePosixPath(file) for file in self._fs.find(root) if file.endswith(SUFFIX)]
        places = {file.parent.relative_to(root) for file in files if file.parent.suffix == PARTS}
        return sorted(place.with_suffix(".jsonl") for place in places)

    def read(self, cell: PurePosixPath) -> list[Record]:
        """Read the records of a cell, one per image in order of ids; a later part replaces an earlier.

        Raises:
            BadInput: a part that is what its writer wrote, and holds no records.
            RunFailed: the address cannot be read.
        """
        return self.records(cell, self.contents(cell))

    def __iter__(self) -> Iterator[Record]:
        """Yield every record of every cell."""
        for cell in self.cells():
            yield from self.read(cell)

    def claim(self, cell: PurePosixPath) -> Unguarded:
        """Return what keeps nobody from a cell: there are no locks at an address."""
        return Unguarded()

    def writer(self, cell: PurePosixPath) -> PartWriter:
        """Return a context manager that stores records in parts; any number of them at a time."""
        return PartWriter(self, cell, self._writers)

    def store_held(self) -> None:
        """Store what its writers hold now, whichever thread they are used in.

        Raises:
            RunFailed: a part cannot be written.
        """
        for writer in list(self._writers):
            writer.store_held()

    def write(self, cell: PurePosixPath, records: Sequence[Record], made: int | None = None) -> str:
        """Store records as one part.

        Args:
            made: when, in nanoseconds since the epoch; now if None.

        Returns:
            The part's name.

        Raises:
            RunFailed: it cannot be written.
        """
        content = b"".join(to_line(record) for record in records)
        name = f"{time.time_ns() if made is None else made:020}-{_digest(content)}{SUFFIX}"
        with self._speaking("written to"):
            self._put(f"{self._folder(cell)}/{name}", content)
        return name

    def settle(self, cell: PurePosixPath) -> None:
        """Put the parts of a cell together.

        Raises:
            RunFailed: the address cannot be read or written.
        """
        contents = self.contents(cell)
        if len(contents) > 1:
            kept = self.merge(cell, contents)
            self.remove(cell, [name for name in contents if name != kept])

    def merge(self, cell: PurePosixPath, contents: dict[str, bytes]) -> str:
        """Write one part that holds what others hold.

        Args:
            contents: of those, by name, the oldest first.

        Returns:
            Its name. It may be one of them.
        """
        # As old as the youngest of them: what others store meanwhile is younger and goes before it.
        made = max(int(name.partition("-")[0]) for name in contents)
        return self.write(cell, self.records(cell, contents), made)

    def names(self, cell: PurePosixPath) -> list[str]:
        """List the names of a cell's parts, the oldest first, those that are only half there among them."""
        with self._speaking("listed"):
            # Some remember what they listed, and would not see what others have written since.
            self._fs.invalidate_cache()
            try:
                listed = self._fs.ls(self._folder(cell), detail=False)
            except FileNotFoundError:
                return []
        return sorted(PurePosixPath(file).name for file in listed if file.endswith(SUFFIX))

    def remove(self, cell: PurePosixPath, names: Sequence[str]) -> None:
        """Remove parts whose records are elsewhere, and their folder with the last."""
        folder = self._folder(cell)
        for name in names:
            with self._speaking("written to"):
                try:
                    self._fs.rm_file(f"{folder}/{name}")
                except FileNotFoundError:
                    continue  # somebody else has put them together too
        if self.folder is not None:
            try:
                Path(folder).rmdir()
            except OSError:
                return  # new parts came meanwhile

    def contents(self, cell: PurePosixPath) -> dict[str, bytes]:
        """Read the parts that are whole: content by name, the oldest first.

        Raises:
            RunFailed: the address cannot be read.
        """
        folder = self._folder(cell)
        for _ in range(ATTEMPTS):
            names = self.names(cell)
            if not names:
                return {}
            with self._speaking("read"):
                read = self._fs.cat([f"{folder}/{name}" for name in names], on_error="return")
                contents = {PurePosixPath(place).name: content for place, content in read.items()}
                failures = [content for content in contents.values() if isinstance(content, Exception)]
                if any(isinstance(failure, FileNotFoundError) for failure in failures):
                    continue  # put together since they were listed: they are in a new one
                for failure in failures:
                    raise failure
            return {name: contents[name] for name in names if _whole(name, contents[name])}
        raise RunFailed(f"{self.address}/{cell}: parts come and go faster than they can be read: try again")

    def records(self, cell: PurePosixPath, contents: dict[str, bytes]) -> list[Record]:
        """Parse the records of some parts of a cell, one per image in order of ids.

        Args:
            contents: by name, the oldest first.

        Raises:
            BadInput: a part that holds no records.
        """
        place = f"{self.address}/{cell.with_suffix(PARTS)}"
        by_image: dict[str, Record] = {}
        for name, content in contents.items():
            by_image |= {
                record.image: record for record in parse_lines(content.splitlines(), f"{place}/{name}")
            }
        return [by_image[image] for image in sorted(by_image)]

    def _folder(self, cell: PurePosixPath) -> str:
        return f"{self._opened[1]}/{cell.with_suffix(PARTS)}"

    def _put(self, place: str, content: bytes) -> None:
        for _ in range(ATTEMPTS):
            try:
                self._fs.pipe_file(place, content)
            except FileNotFoundError:
                # The first part, or whoever removed the last one took the folder along.
                self._fs.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
            else:
                return
        self._fs.pipe_file(place, content)

    @contextmanager
    def _speaking(self, done: str) -> Iterator[None]:
        # Each kind of storage has errors of its own, few of them OSErrors.
        try:
            yield
        except SrbenchError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise RunFailed(
                f"the store {self.address} cannot be {done} ({reason}): "
                "mend that and run the same command again, records that are stored are kept"
            ) from error


class PartWriter:
    """A writer collects records of a cell and stores them every :data:`SECONDS`; a context manager."""

    def __init__(self, store: PartStore, cell: PurePosixPath, opened: set[PartWriter]) -> None:
        self._store, self._cell, self._opened = store, cell, opened
        self._held: list[Record] = []
        self._stored = time.monotonic()
        # Of the kind that a signal's handler can take where its thread has it.
        self._lock = threading.RLock()

    def __enter__(self) -> PartWriter:
        self._opened.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.discard(self)
        self.store_held()

    def append(self, record: Record) -> None:
        """Take a record.

        Raises:
            RunFailed: a part cannot be written.
        """
        with self._lock:
            self._held.append(record)
            if time.monotonic() - self._stored >= SECONDS:
                self.store_held()

    def store_held(self) -> None:
        """Store what was taken since the last time.

        Raises:
            RunFailed: a part cannot be written.
        """
        with self._lock:
            if self._held:
                self._store.write(self._cell, self._held)
            self._held, self._stored = [], time.monotonic()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _whole(name: str, content: bytes) -> bool:
    return name.removesuffix(SUFFIX).rpartition("-")[2] == _digest(content)
