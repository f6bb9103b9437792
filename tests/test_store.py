"""The store: append-only, torn lines, locks, full disks."""

from __future__ import annotations

import resource
from pathlib import Path, PurePosixPath

import pytest
from helpers import record

from srbench.errors import BadInput, RunFailed
from srbench.store.folder import Store

CELL = PurePosixPath("rsr/set/none/bicubic-0.jsonl")


def test_round_trip_in_order(tmp_path: Path) -> None:
    store = Store(tmp_path)
    written = [record(image=name, metrics={"psnr": 1 / 3, "lpips": None}) for name in "cab"]
    with store.writer(CELL) as writer:
        for entry in written:
            writer.append(entry)
    assert store.read(CELL) == written
    assert list(store) == written
    assert store.cells() == [CELL]


def test_a_torn_last_line_is_skipped_and_cut_off(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(CELL) as writer:
        writer.append(record(image="a"))
        writer.append(record(image="b"))
    whole = (tmp_path / CELL).read_bytes()
    for cut in (1, 20, len(whole) // 2 - 1):
        (tmp_path / CELL).write_bytes(whole[:-cut])
        assert [r.image for r in store.read(CELL)] == ["a"]
        with store.writer(CELL) as writer:
            writer.append(record(image="b"))
        assert (tmp_path / CELL).read_bytes() == whole


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(CELL) as writer:
        writer.append(record(image="a"))
    content = (tmp_path / CELL).read_bytes()
    (tmp_path / CELL).write_bytes(content[:50] + b"\n" + content)
    with pytest.raises(BadInput, match="line 1 is not a record"):
        store.read(CELL)


def test_a_later_record_replaces_an_earlier_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(CELL) as writer:
        writer.append(record(image="a", seconds=1.0))
        writer.append(record(image="b"))
        writer.append(record(image="a", seconds=2.0))
    assert [(r.image, r.seconds) for r in store.read(CELL)] == [("a", 2.0), ("b", 0.1)]


def test_two_writers_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(CELL), pytest.raises(RunFailed, match="another run"), store.writer(CELL):
        pass


def test_an_unwritable_store_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed, match="cannot be written"):
        Store(tmp_path / "file" / "store").check_writable()


def test_a_full_disk_keeps_earlier_records(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(CELL) as writer:
        writer.append(record(image="a"))
        before = (tmp_path / CELL).read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # The kernel refuses bytes beyond the limit just as a full disk does, part of the line included.
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
        try:
            with pytest.raises(RunFailed, match="earlier records are kept"):
                writer.append(record(image="b"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / CELL).read_bytes() == before
