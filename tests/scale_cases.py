"""A pool of sham workers that die as told, and a run for them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from helpers import write_pairs
from scale_models import Nearest

from srbench import evaluation as job
from srbench import zoo
from srbench.run.engine import Engine
from srbench.run.instruments import Instruments
from srbench.run.outcome import Outcome
from srbench.run.plan import Cell
from srbench.run.prepared import PreparedRun
from srbench.run.settings import Settings
from srbench.run.workers.dispatch import Dispatcher
from srbench.run.workers.pools import Handle, Lost
from srbench.run.workers.tasks import Task
from srbench.run.workers.worker import Job, Report, Worker
from srbench.store.folder import Store
from srbench.store.record import Record

METRICS = ("psnr",)


def without_times(records: Sequence[Record]) -> list[Record]:
    return [r.model_copy(update={"seconds": 0.0, "created": ""}) for r in records]


class ShamPool:
    """Workers in this process that die as told.

    Args:
        fates: of each task in turn, how many images it measures before its worker dies; None to live.
        order: decides which worker is heard first.
    """

    def __init__(self, wanted: Job, size: int, fates: Iterator[int | None], order: random.Random) -> None:
        self._job, self.size, self._fates, self._order = wanted, size, fates, order
        self.given: list[tuple[Cell, Task]] = []
        self.deaths = 0

    def __enter__(self) -> ShamPool:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def start(self, place: int) -> Handle:
        worker = Worker(self._job)
        return Handle(worker, worker.prepare, place=place)

    def give(self, handle: Handle, cell: Cell, task: Task) -> None:
        self.given.append((cell, task))
        handle.task = task
        fate = next(self._fates, None)

        def measure() -> Report:
            if fate is None:
                return handle.worker.measure(cell, task.todo)
            handle.worker.measure(cell, dict(list(task.todo.items())[:fate]))
            self.deaths += 1
            raise Lost("told to die")

        handle.pending = measure

    def ready(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
        return [self._order.choice(list(handles))]

    def result(self, handle: Handle) -> Report | str | None:
        return handle.pending()

    def stop(self, handle: Handle) -> None:
        pass

    def forget(self, index: int) -> None:
        pass


def seven_pairs(folder: Path) -> str:
    lr, hr = write_pairs(folder, 7, side=16)
    return f"pairs:{lr}:{hr}"


@contextmanager
def failing_model() -> Iterator[str]:
    """A model that fails on LR images of 24 columns."""

    class Small(Nearest):
        def forward(self, lr: object) -> object:
            if lr.shape[-1] == 24:  # type: ignore[attr-defined]
                raise ValueError("a bug of its own")
            return super().forward(lr)  # type: ignore[arg-type]

    zoo.register("failing", Small)
    yield "failing"
    from srbench.zoo import catalog

    catalog._registered.pop("failing")


def prepare(
    store: Path, pairs: str, models: tuple[str, ...] = ("bicubic",), **settings: object
) -> tuple[PreparedRun, Job, Engine]:
    """A plan, what its workers are told, and the engine of this process."""
    request = job.EvaluationRequest(
        models=models, datasets=(pairs, "clean-mini"), metrics=METRICS, limit=7, store=store
    )
    prepared = job.prepare(request)
    cell = prepared.plan[0]
    used = Settings(workers=1, **settings)  # type: ignore[arg-type]
    told = Job(str(store), cell.protocol, METRICS, used, {})
    return prepared, told, Engine(Store(store), Instruments(cell.protocol, METRICS, "cpu"), used)


def dispatch(prepared: PreparedRun, engine: Engine, pool: object, tries: int = 3) -> Outcome:
    store = Store(Path(prepared.store))
    return Dispatcher(engine, store, lambda: pool, device="sham", tries=tries).run(prepared.plan)  # type: ignore[arg-type, return-value]


def undisturbed(store: Path, pairs: str) -> list[Record]:
    """The records of a run in this process."""
    prepared, _, engine = prepare(store, pairs)
    assert engine.run(prepared.plan).measured == 14
    return without_times(prepared.records())
