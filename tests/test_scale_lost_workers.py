"""Workers that die, hang, run out of memory or refuse: what is tried again, and what is given up."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import write_pairs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scale_cases import ShamPool, dispatch, failing_model, prepare, seven_pairs, undisturbed, without_times

from srbench.errors import RunFailed
from srbench.run import memory_fit as fitting
from srbench.run.outcome import MOST_FAILED, Outcome
from srbench.run.plan import Cell
from srbench.run.tile_retry import run_with_smaller_tiles
from srbench.run.workers.dispatch import Dispatcher
from srbench.run.workers.pools import Handle, Lost
from srbench.run.workers.tasks import Task
from srbench.run.workers.worker import Report
from srbench.store.folder import Store
from srbench.store.record import Record


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return seven_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def quiet(pairs: str, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return undisturbed(tmp_path_factory.mktemp("quiet"), pairs)


@pytest.fixture
def failing() -> Iterator[str]:
    with failing_model() as name:
        yield name


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=st.lists(st.none() | st.integers(0, 4), max_size=10),
    size=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_no_deaths_change_a_record(
    fates: list[int | None],
    size: int,
    seed: int,
    pairs: str,
    quiet: list[Record],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = tmp_path_factory.mktemp("store")
    prepared, told, engine = prepare(store, pairs)
    seen: list[int] = []
    pool = ShamPool(told, size, iter(fates), random.Random(seed))
    runner = Dispatcher(engine, Store(store), lambda: pool, device="sham", tries=len(fates) + 2)  # type: ignore[arg-type, return-value]
    runner.on_image = lambda cell, images: seen.append(images)
    outcome = runner.run(prepared.plan)
    assert (outcome.failures, outcome.measured, sum(seen)) == ([], 14, 14)
    assert without_times(prepared.records()) == quiet
    assert not list(store.rglob("*.parts"))
    assert all(file.read_bytes().count(b"\n") == 7 for file in store.rglob("*.jsonl"))


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_cell_that_kills_is_given_up_and_the_others_finished(
    tmp_path: Path, pairs: str, quiet: list[Record], tries: int
) -> None:
    prepared, told, engine = prepare(tmp_path, pairs)

    class Poisoned(ShamPool):
        def give(self, handle: Handle, cell: Cell, task: Task) -> None:
            first = prepared.plan[0]
            self._fates = iter([0 if cell == first and first.images[3] in task.todo else None])
            super().give(handle, cell, task)

    pool = Poisoned(told, 2, iter(()), random.Random(0))
    outcome = dispatch(prepared, engine, pool, tries)
    (line,) = outcome.failures
    assert "bicubic on" in line
    assert "told to die" in line
    assert pool.deaths == tries
    if tries > 1:
        assert f"image 003: the worker was lost (told to die), tried {tries} times" in line
    records = without_times(prepared.records())
    assert [r for r in records if r.dataset == "clean-mini"] == quiet[7:]
    assert all(record in quiet for record in records)
    assert "003" not in {r.image for r in records}
    # The same command takes up what is left.
    assert dispatch(prepared, engine, ShamPool(told, 1, iter(()), random.Random(0))).measured == 14 - len(
        records
    )
    assert without_times(prepared.records()) == quiet


def test_what_srbench_does_not_expect_is_tried_again_by_a_fresh_worker(
    tmp_path: Path, failing: str, pairs: str
) -> None:
    lr, hr = write_pairs(tmp_path / "large", 2, side=24)
    prepared, told, engine = prepare(tmp_path / "store", f"pairs:{lr}:{hr}", ("failing", "bicubic"))
    started: list[int] = []

    class Counting(ShamPool):
        def start(self, place: int) -> Handle:
            started.append(place)
            return super().start(place)

    outcome = dispatch(prepared, engine, Counting(told, 1, iter(()), random.Random(0)))
    (line,) = outcome.failures
    assert line.startswith("failing on")
    assert "images 000, 001: ValueError: a bug of its own, tried 3 times" in line
    assert 5 <= len(started) - 1 <= 7
    assert len(prepared.records()) == 7 + 2 + 7


def test_a_hanging_worker_is_replaced(tmp_path: Path, pairs: str, quiet: list[Record]) -> None:
    prepared, told, engine = prepare(tmp_path, pairs)

    class Hanging(ShamPool):
        """Whose first task is never heard of again."""

        stopped = 0

        def ready(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
            able = (
                [handle for handle in handles if handle.task is not self.given[0][1]]
                if self.given
                else handles
            )
            return super().ready(able, seconds) if able else []

        def stop(self, handle: Handle) -> None:
            self.stopped += 1

    pool = Hanging(told, 2, iter(()), random.Random(0))
    store = Store(tmp_path)
    outcome = Dispatcher(engine, store, lambda: pool, device="sham", timeout=0.2).run(prepared.plan)  # type: ignore[arg-type, return-value]
    assert outcome == Outcome(measured=14)
    assert pool.stopped == 1
    assert without_times(prepared.records()) == quiet


@pytest.mark.parametrize("ended", [True, False])
def test_where_workers_run_out_of_memory_tiles_are_smaller(
    tmp_path: Path, pairs: str, quiet: list[Record], monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Whether torch says so or the worker is ended for it: all of the model's images, and no other's."""
    monkeypatch.setattr(fitting, "SIDES", (12, 8))
    prepared, told, engine = prepare(tmp_path, pairs, ("scale_models:Nearest", "bicubic"))

    class Scarce(ShamPool):
        def give(self, handle: Handle, cell: Cell, task: Task) -> None:
            super().give(handle, cell, task)
            if cell.model.name != "bicubic" and cell.tile != 8:
                report = Report(0, f"{cell}, image {next(iter(task.todo))}: out of memory", {}, True, True)
                handle.pending = self.die if ended else lambda: report

        def die(self) -> Report:
            raise Lost("OutOfMemoryError: the node ran low on memory", out_of_memory=True)

    pool = Scarce(told, 2, iter(()), random.Random(0))
    runner = Dispatcher(engine, Store(tmp_path), lambda: pool, device="sham", tries=2)  # type: ignore[arg-type, return-value]
    outcome, name = run_with_smaller_tiles(runner, prepared.plan, 16), "scale_models:Nearest"
    assert outcome.failures == []
    assert outcome.notices == [f"{name} ran out of memory: all of its images were run in tiles of 8"]
    assert {cell.tile for cell in prepared.plan if cell.model.name == "bicubic"} == {None}
    found = without_times(prepared.records())
    assert {(r.model, r.tile, r.halo) for r in found} == {("bicubic", None, None), (name, 8, 16)}
    assert [r for r in found if r.model == "bicubic"] == quiet


@pytest.mark.parametrize("spoilt", [(2,), (2, 5), (0, 1, 2, 3, 4, 5, 6)])
@pytest.mark.parametrize("size", [1, 3])
def test_images_that_are_refused_cost_no_others_as_in_one_process(
    tmp_path: Path, spoilt: tuple[int, ...], size: int
) -> None:
    """The records and the line of this process; of more than it gives a cell up after, some are named."""
    lr, hr = write_pairs(tmp_path, 7, side=16)
    runs = {}
    for name in ("here", "workers"):
        prepared, told, engine = prepare(tmp_path / name, f"pairs:{lr}:{hr}")
        kept = {}
        for index in spoilt:
            file = lr / f"{index:03}x4.png"
            kept[file] = file.read_bytes()
            file.write_bytes((lr / f"{(index + 1) % 7:03}x4.png").read_bytes()[:-1] + b"x")
        try:
            pool = ShamPool(told, size, iter(()), random.Random(0))
            outcome = engine.run(prepared.plan) if name == "here" else dispatch(prepared, engine, pool)
        finally:
            for file, content in kept.items():
                file.write_bytes(content)
        runs[name] = (outcome.failures, without_times(prepared.records()))
    (line,), records = runs["workers"]
    if len(spoilt) < MOST_FAILED:
        assert runs["workers"] == runs["here"]
        assert {r.image for r in records if r.dataset != "clean-mini"} == {
            f"{index:03}" for index in range(7) if index not in spoilt
        }
    else:
        assert "changed while the run was under way" in line
        assert [r for r in records if r.dataset != "clean-mini"] == []
        assert line.count(".png changed") in range(MOST_FAILED, MOST_FAILED + size)
    assert sum(r.dataset == "clean-mini" for r in records) == 7


def test_what_srbench_refuses_is_refused_once(tmp_path: Path, pairs: str, quiet: list[Record]) -> None:
    prepared, told, engine = prepare(tmp_path, pairs)
    lr_dir = Path(pairs.split(":")[1])
    changed = lr_dir / "002x4.png"
    before = changed.read_bytes()
    changed.write_bytes((lr_dir / "003x4.png").read_bytes())
    pool = ShamPool(told, 1, iter(()), random.Random(0))
    try:
        (line,) = dispatch(prepared, engine, pool).failures
    finally:
        changed.write_bytes(before)
    assert "image 002" in line
    assert "changed while the run was under way" in line
    assert "tried" not in line
    assert sum("002" in task.todo for _, task in pool.given) == 1


def test_a_worker_without_a_metric_stops_the_run(tmp_path: Path, pairs: str) -> None:
    prepared, told, engine = prepare(tmp_path, pairs)
    there = replace(told, metrics=("psnr", "lpips"))
    with pytest.raises(RunFailed, match=r"a worker cannot start: .* lacks lpips .*install"):
        dispatch(prepared, engine, ShamPool(there, 2, iter(()), random.Random(0)))


def test_workers_that_die_as_they_start_stop_the_run(tmp_path: Path, pairs: str) -> None:
    prepared, told, engine = prepare(tmp_path, pairs)

    class Stillborn(ShamPool):
        def result(self, handle: Handle) -> Report | str | None:
            raise Lost("out of memory")

    with pytest.raises(RunFailed, match=r"workers die as they start \(out of memory\)"):
        dispatch(prepared, engine, Stillborn(told, 2, iter(()), random.Random(0)))
