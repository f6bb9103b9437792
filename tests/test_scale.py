"""Cells split over workers: evenly, in order, by whom, and with the records of one process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import write_pairs
from hypothesis import given
from hypothesis import strategies as st
from scale_cases import METRICS, dispatch, prepare, seven_pairs, undisturbed, without_times

from srbench import evaluation as job
from srbench import zoo
from srbench.errors import BadInput
from srbench.run.engine import Engine
from srbench.run.outcome import Outcome
from srbench.run.placement import Placement
from srbench.run.workers import choose
from srbench.run.workers.dispatch import Dispatcher
from srbench.run.workers.pools import ProcessPool
from srbench.run.workers.tasks import LARGEST, Queue, Task, split, task_size
from srbench.run.workers.worker import Report, Worker
from srbench.store.folder import Store
from srbench.store.record import Record


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return seven_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def quiet(pairs: str, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return undisturbed(tmp_path_factory.mktemp("quiet"), pairs)


@given(st.integers(0, 200), st.integers(1, 40))
def test_a_cell_is_split_evenly_and_in_order(count: int, size: int) -> None:
    todo = {f"{index:03}": ["psnr"] for index in range(count)}
    tasks = split(7, todo, size, tries=1)
    assert [image for task in tasks for image in task.todo] == list(todo)
    sizes = [len(task.todo) for task in tasks]
    assert not sizes or (max(sizes) <= size and max(sizes) - min(sizes) <= 1)
    assert {(task.cell, task.tries) for task in tasks} <= {(7, 1)}


@given(st.integers(0, 10**7), st.integers(1, 1000))
def test_tasks_shrink_towards_the_end(remaining: int, workers: int) -> None:
    size = task_size(remaining, workers)
    assert 1 <= size <= LARGEST
    assert size >= task_size(remaining // 2, workers)
    assert task_size(workers, workers) == 1


def test_models_stay_where_they_are_loaded() -> None:
    queue = Queue()
    for cell, model in enumerate("aab"):
        queue.add(model, [Task(cell, {str(image): []}) for image in range(3)])
    assert len(queue) == queue.images == 9
    first = queue.take(None, set())
    assert first is not None and first.cell == 0
    second = queue.take(None, {"a"})
    assert second is not None and second.cell == 2
    third = queue.take("a", {"b"})
    assert third is not None and third.cell == 0
    # Everything is loaded somewhere: help where most is left.
    fourth = queue.take("c", {"a", "b"})
    assert fourth is not None and fourth.cell == 0
    assert len(queue.drop("a", 1)) == 3
    assert [queue.take("a", set()), len(queue)] == [Task(2, {"1": []}), 1]
    assert queue.drop("b", 0) == []
    assert queue.take("b", set()) == Task(2, {"2": []})
    assert queue.take("b", set()) is None


def test_nothing_to_do_starts_nothing(tmp_path: Path, pairs: str) -> None:
    prepared, _, engine = prepare(tmp_path, pairs)
    engine.run(prepared.plan)

    def none() -> object:
        raise AssertionError("a pool for nothing")

    outcome = Dispatcher(engine, Store(tmp_path), none, device="sham").run(prepared.plan)  # type: ignore[arg-type]
    assert (outcome.measured, outcome.kept) == (0, 14)
    empty = Store(tmp_path / "empty")
    never = Dispatcher(engine, empty, none, device="sham", rerun="never")  # type: ignore[arg-type]
    assert never.run(prepared.plan) == Outcome()


def test_what_another_driver_left_is_taken_over(tmp_path: Path, pairs: str, quiet: list[Record]) -> None:
    prepared, told, engine = prepare(tmp_path, pairs)
    worker = Worker(told)
    assert worker.prepare() is None
    for cell in prepared.plan:
        assert worker.measure(cell, engine.todo(cell)) == Report(7)
    assert len(list(tmp_path.rglob("*.parts"))) == 2
    assert engine.run(prepared.plan).measured == 0
    assert dispatch(prepared, engine, None).kept == 14
    assert not list(tmp_path.rglob("*.parts"))
    assert without_times(prepared.records()) == quiet


@pytest.mark.slow
def test_a_process_for_each_device(tmp_path: Path) -> None:
    sets = []
    for side in (16, 48):
        lr, hr = write_pairs(tmp_path / str(side), 2, side=side)
        sets.append(f"pairs:{lr}:{hr}")
    wanted = job.EvaluationRequest(
        models=("bicubic", "scale_models:Deadly"),
        datasets=tuple(sets),
        metrics=METRICS,
        store=tmp_path / "here",
    )
    quiet = job.prepare(replace(wanted, models=("bicubic",)))
    assert job.run(quiet).outcome.measured == 4
    prepared, told, engine = prepare(tmp_path / "store", sets[0])
    prepared.plan[:] = job.prepare(wanted).plan
    outcome = dispatch(prepared, engine, ProcessPool(told, ["cpu", "cpu"]), tries=2)
    records = without_times(prepared.records())
    assert records[:4] == without_times(quiet.records())
    assert [(r.model, r.lr_size) for r in records[4:]] == [("scale_models:Deadly", (16, 16))] * 2
    (line,) = outcome.failures
    assert line.startswith("scale_models:Deadly on")
    assert "the worker was lost (its process died), tried 2 times" in line


def test_who_runs_what(tmp_path: Path, pairs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    prepared, _, _ = prepare(tmp_path, pairs)
    assert isinstance(prepared.runner, Engine)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert choose.visible_gpus("cuda") == ["cuda:0", "cuda:1", "cuda:2"]
    assert choose.visible_gpus("cuda:1") == choose.visible_gpus("cpu") == []
    assert choose.is_picklable(prepared.plan)
    local = job.prepare(
        job.EvaluationRequest(models=(zoo.resolve(["bicubic"])[0],), datasets=(pairs,), metrics=METRICS)
    )
    ref = replace(local.plan[0].model, _open=lambda: None)  # type: ignore[arg-type, return-value]
    assert not choose.is_picklable([replace(local.plan[0], model=ref)])


def test_ray_is_asked_for_in_words(tmp_path: Path, pairs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = job.EvaluationRequest(
        models=("bicubic",), datasets=(pairs,), metrics=METRICS, placement=Placement(engine="ray")
    )
    monkeypatch.setattr(choose.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"pip install 'srbench\[scale\]'"):
        job.prepare(wanted)
    with pytest.raises(BadInput, match="seen by one process only"):
        job.prepare(replace(wanted, store="memory://there"))
