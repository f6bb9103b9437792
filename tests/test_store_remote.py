"""Records in parts: what readers see whoever writes, dies or puts them together; folders with both."""

from __future__ import annotations

import multiprocessing
import pickle
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import fsspec
import pytest
from helpers import inside, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srbench import evaluation as job
from srbench.errors import BadInput, RunFailed
from srbench.store import parts as remote_store
from srbench.store.address import open_store
from srbench.store.folder import Store
from srbench.store.parts import PartStore

CELL = PurePosixPath("rsr/set/none/v1.5-0.jsonl")


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PartStore:
    """Nothing but parts, at an address and in a folder."""
    return PartStore(f"memory://{uuid.uuid4().hex}" if request.param == "memory" else str(tmp_path))


def seconds(store: PartStore | Store) -> dict[str, float]:
    return {r.image: r.seconds for r in store.read(CELL)}


def test_parts_are_merged_and_the_later_counts(store: PartStore) -> None:
    assert store.read(CELL) == []
    store.write(CELL, [record(image="b"), record(image="c", seconds=1.0)])
    store.write(CELL, [record(image="a"), record(image="c", seconds=2.0)])
    assert [r.image for r in store.read(CELL)] == ["a", "b", "c"]
    assert seconds(store)["c"] == 2.0
    assert store.cells() == [CELL]
    assert list(store) == store.read(CELL)
    assert pickle.loads(pickle.dumps(store)).address == store.address


def test_a_half_written_part_is_passed_over(store: PartStore) -> None:
    store.write(CELL, [record(image="a")])
    name = store.write(CELL, [record(image="b"), record(image="c")])
    place = f"{store._folder(CELL)}/{name}"
    whole = store._fs.cat_file(place)
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        store._fs.pipe_file(place, whole[:cut])
        assert list(seconds(store)) == ["a"]
    store.settle(CELL)
    store._fs.pipe_file(place, whole)
    assert list(seconds(store)) == ["a", "b", "c"]


def test_a_part_that_was_written_wrong_is_named(store: PartStore) -> None:
    content = b"{}\n"
    name = f"{0:020}-{remote_store._digest(content)}.part"
    store._put(f"{store._folder(CELL)}/{name}", content)
    with pytest.raises(BadInput, match=f"{name} line 1 is not a record"):
        store.read(CELL)


def test_putting_together_leaves_one_part_with_the_same_records(store: PartStore) -> None:
    for number, image in enumerate("abcab"):
        store.write(CELL, [record(image=image, seconds=float(number))])
    before = store.read(CELL)
    store.settle(CELL)
    assert store.read(CELL) == before
    (name,) = store.names(CELL)
    store.settle(CELL)
    assert store.names(CELL) == [name]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["store", "list 0", "list 1", "write 0", "write 1", "remove 0", "remove 1"])))
def test_no_turn_taking_of_two_mergers_and_a_writer_loses_a_record(turns: list[str]) -> None:
    """The three steps of settle by two processes, a writer between them: every image ever stored is there."""
    store = PartStore(f"memory://{uuid.uuid4().hex}")
    stored: set[str] = set()
    seen: list[dict[str, bytes]] = [{}, {}]
    kept = ["", ""]
    for number, turn in enumerate(turns):
        what, _, who = turn.partition(" ")
        if what == "store":
            store.write(CELL, [record(image=str(number))])
            stored.add(str(number))
        elif what == "list":
            seen[int(who)], kept[int(who)] = store.contents(CELL), ""
        elif what == "write" and len(contents := seen[int(who)]) > 1:
            kept[int(who)] = store.merge(CELL, contents)
        elif what == "remove" and kept[int(who)]:
            names = [name for name in seen[int(who)] if name != kept[int(who)]]
            store.remove(CELL, names)
            seen[int(who)], kept[int(who)] = {}, ""
        assert set(seconds(store)) == stored


def test_a_reader_lists_again_when_parts_were_put_together(
    store: PartStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for image in "abc":
        store.write(CELL, [record(image=image)])
    listed = store.names(CELL)
    store.settle(CELL)
    real, answers = store.names, iter([listed, listed])
    monkeypatch.setattr(store, "names", lambda cell: next(answers, None) or real(cell))
    assert list(seconds(store)) == ["a", "b", "c"]


def test_a_writer_stores_in_time_and_when_it_fails(store: PartStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(remote_store.time, "monotonic", lambda: now[0])
    with pytest.raises(ZeroDivisionError), store.writer(CELL) as writer:
        writer.append(record(image="a"))
        assert seconds(store) == {}
        now[0] = remote_store.SECONDS
        writer.append(record(image="b"))
        assert list(seconds(store)) == ["a", "b"]
        writer.append(record(image="c"))
        raise ZeroDivisionError
    assert list(seconds(store)) == ["a", "b", "c"]
    assert len(store.names(CELL)) == 2


def test_a_folder_takes_parts_over(tmp_path: Path) -> None:
    folder, parts = Store(tmp_path), PartStore(str(tmp_path))
    with folder.writer(CELL) as writer:
        writer.append(record(image="b", seconds=1.0))
        writer.append(record(image="c"))
    parts.write(CELL, [record(image="a"), record(image="b", seconds=2.0)])
    other = CELL.with_name("other-1.jsonl")
    parts.write(other, [record(image="z")])
    assert folder.cells() == sorted([CELL, other])
    before = folder.read(CELL)
    assert seconds(folder) == {"a": 0.1, "b": 2.0, "c": 0.1}
    folder.settle(CELL)
    assert (folder.read(CELL), parts.cells()) == (before, [other])
    assert (tmp_path / CELL).read_bytes().count(b"\n") == 3
    with folder.writer(other) as writer:
        writer.append(record(image="y"))
    assert [r.image for r in folder.read(other)] == ["z", "y"]
    assert parts.cells() == []
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} <= {".jsonl", ".lock"}


def test_parts_wait_while_a_cell_is_being_written(tmp_path: Path) -> None:
    folder, parts = Store(tmp_path), PartStore(str(tmp_path))
    with folder.writer(CELL) as writer:
        writer.append(record(image="a"))
        parts.write(CELL, [record(image="b")])
        Store(tmp_path).settle(CELL)
        assert len(parts.names(CELL)) == 1
        assert list(seconds(folder)) == ["a", "b"]
        writer.append(record(image="c"))
    assert list(seconds(folder)) == ["a", "b", "c"]
    assert parts.names(CELL) == []


def _write_many(address: str, who: int) -> None:
    store = PartStore(address)
    for number in range(12):
        store.write(CELL, [record(image=f"{who}-{number:02}")])
        if number % 4 == who:
            Store(Path(address)).settle(CELL)


def test_processes_that_write_and_settle_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=_write_many, args=(str(tmp_path), who)) for who in range(3)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
        assert process.exitcode == 0
    Store(tmp_path).settle(CELL)
    expected = [f"{who}-{number:02}" for who in range(3) for number in range(12)]
    assert [r.image for r in Store(tmp_path).read(CELL)] == expected
    assert PartStore(str(tmp_path)).names(CELL) == []


def test_threads_that_write_one_address_lose_nothing() -> None:
    store = PartStore(f"memory://{uuid.uuid4().hex}")

    def write(image: int) -> None:
        store.write(CELL, [record(image=f"{image:02}")])
        store.settle(CELL)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(40)))
    assert len(store.read(CELL)) == 40


@pytest.fixture
def address() -> Iterator[str]:
    name = f"memory://{uuid.uuid4().hex}"
    yield name
    files = fsspec.filesystem("memory")
    if files.exists(name):
        files.rm(name, recursive=True)


def test_an_evaluation_at_an_address_is_the_one_in_a_folder(address: str, tmp_path: Path) -> None:
    wanted = job.EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",), limit=3)
    here = job.run(job.prepare(wanted))
    there = job.EvaluationRequest(**(vars(wanted) | {"store": address}))
    first = job.run(job.prepare(there))
    assert first.outcome.measured == 3
    changes = {"seconds": 0.0, "created": ""}
    assert [r.model_copy(update=changes) for r in first.records] == [
        r.model_copy(update=changes) for r in here.records
    ]
    second = job.run(job.prepare(there))
    assert (second.outcome.measured, second.outcome.kept) == (0, 3)
    assert second.records == first.records
    more = job.run(job.prepare(job.EvaluationRequest(**(vars(there) | {"metrics": ("gmsd",)}))))
    assert [set(r.metrics) for r in more.records] == [{"psnr", "gmsd"}] * 3


def test_pictures_are_refused_at_an_address(address: str) -> None:
    with pytest.raises(BadInput, match="--keep-images keeps pictures in a directory"):
        job.prepare(job.EvaluationRequest(models=("bicubic",), keep_images=True, store=address))


def test_an_address_of_an_unknown_kind_is_one_line() -> None:
    with pytest.raises(BadInput, match="nonsense://there cannot be opened"):
        open_store("nonsense://there")


def test_a_storage_that_fails_is_one_line(store: PartStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ValueError("no\nsuch bucket")

    store.write(CELL, [record(image="a")])
    monkeypatch.setattr(type(store._fs), "pipe_file", fail)
    monkeypatch.setattr(type(store._fs), "cat", fail)
    monkeypatch.setattr(type(store._fs), "rm_file", fail)
    for doing in (store.check_writable, lambda: store.read(CELL), lambda: store.write(CELL, [record()])):
        with pytest.raises(RunFailed, match=r"no such bucket.*records that are stored are kept"):
            doing()


@pytest.mark.slow
def test_the_commands_take_addresses(tmp_path: Path) -> None:
    parts = PartStore(str(tmp_path))
    parts.write(CELL, [record(image=image) for image in "ab"])
    shown = inside("leaderboard", "--store", f"file://{tmp_path}", "--format", "csv")
    assert shown.returncode == 0, shown.stderr
    assert "bicubic" in shown.stdout
    refused = inside("leaderboard", "--store", "nonsense://there")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
