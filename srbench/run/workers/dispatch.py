"""Run a plan by workers: hand out tasks, replace workers that die, give up on what nobody can measure."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from srbench.errors import RunFailed
from srbench.run.outcome import MOST_FAILED, POLL, Outcome, told, waits_for
from srbench.run.workers.pools import Lost
from srbench.run.workers.tasks import Queue, Task, split, task_size
from srbench.run.workers.worker import Report
from srbench.store.claims import Busy

if TYPE_CHECKING:
    from srbench.run.engine import Engine
    from srbench.run.options import Rerun
    from srbench.run.plan import Cell
    from srbench.run.workers.pools import Handle, Pool
    from srbench.store.address import RecordStore
    from srbench.store.claims import Claim

PATIENCE = 600.0
"""A run is given up after so many seconds without any worker that works; the same command resumes it."""
AHEAD = 4
"""So many tasks wait for each worker; the plan is looked at no further ahead."""


class Dispatcher:
    """Runs plans by a pool of workers; see :class:`srbench.run.outcome.Runner`.

    A worker that dies, or meets what srbench did not expect, is replaced, and of its task the images without
    a record are tried again, one at a time from then on. An image that has failed ``tries`` times, or at
    which srbench's own checks fail once, is left out; as in one process, a cell ends where some images were
    (:data:`srbench.run.outcome.MOST_FAILED`), and where its model cannot be loaded. Other cells go on.

    Args:
        engine: tells what is to be measured; it measures nothing.
        store: where workers write, seen from here.
        make_pool: called when there is something to do.
        device: what the workers run on, in words.
        rerun: what the engine is told, see :class:`srbench.run.engine.Settings`.
        tries: how often an image is tried.
        timeout: seconds that an image may take; a worker that takes longer hangs, and is replaced as if it
            had died. None waits for ever.
    """

    def __init__(
        self,
        engine: Engine,
        store: RecordStore,
        make_pool: Callable[[], Pool],
        *,
        device: str,
        rerun: Rerun = "only-missing",
        tries: int = 3,
        timeout: float | None = None,
    ) -> None:
        self._engine, self._store, self._make_pool = engine, store, make_pool
        self.device = device
        self._rerun, self._tries, self._timeout = rerun, tries, timeout
        self.on_image: Callable[[Cell, int], None] = lambda cell, images: None
        self.on_wait: Callable[[str], None] = warnings.warn

    def run(self, plan: Sequence[Cell]) -> Outcome:
        """Measure every cell that lacks something.

        Raises:
            RunFailed: the store cannot be written, workers cannot be started, or all are gone for good.
        """
        run = _Run(self._engine, self._store, plan, self._tries, self._timeout, self.on_image, self.on_wait)
        if self._rerun == "never":
            return run.outcome
        self._store.check_writable()
        try:
            while not run.look() and run.waits():
                time.sleep(POLL)
            if run.look():
                with self._make_pool() as pool:
                    run.work(pool)
        finally:
            run.release()
        return run.finished()


class _Run:
    """One run of a plan."""

    def __init__(
        self,
        engine: Engine,
        store: RecordStore,
        plan: Sequence[Cell],
        tries: int,
        timeout: float | None,
        on_image: Callable[[Cell, int], None],
        on_wait: Callable[[str], None],
    ) -> None:
        self.outcome = Outcome()
        self._engine, self._store, self._plan, self._tries = engine, store, plan, tries
        self._timeout, self._on_image, self._on_wait = timeout, on_image, on_wait
        self._queue = Queue()
        self._next = list(range(len(plan)))
        self._busy: list[int] = []
        self._looked = 0.0
        self._claims: dict[int, Claim] = {}
        self._said = False
        self._ahead = sum(len(cell.images) for cell in plan)
        self._found: tuple[int, dict[str, list[str]]] | None = None
        self._open: dict[int, int] = {}
        self._failed: dict[int, dict[str, str]] = {}
        self._given_up: dict[int, str] = {}
        self._known = set(store.cells())
        self._pool: Pool | None = None

    def look(self) -> bool:
        """Go on in the plan to the next cell with something to measure; whether there is one.

        Cells that other runs are at are looked at last, and then every now and again.
        """
        if not self._next and self._busy and time.monotonic() - self._looked > POLL:
            self._next, self._busy, self._looked = self._busy, [], time.monotonic()
        while not self._found and self._next:
            index = self._next.pop(0)
            cell = self._plan[index]
            todo = self._engine.todo(cell)
            if todo:
                try:
                    self._claims[index] = self._store.claim(cell.path)
                except Busy:
                    self._busy.append(index)
                    self._known.add(cell.path)
                    continue
                todo = self._engine.todo(cell)  # others may have measured some before it was claimed
            self.outcome.kept += len(cell.images) - len(todo)
            self._on_image(cell, len(cell.images) - len(todo))
            self._ahead -= len(cell.images)
            if todo:
                self._found = (index, todo)
                continue
            self.release(index)
            if cell.path in self._known:
                self._store.settle(cell.path)  # a driver may have died before it could
        return self._found is not None

    def waits(self) -> bool:
        """Whether nothing is left but cells that other runs are at; it is said once."""
        if self._busy and not self._said:
            self._on_wait(waits_for([self._plan[index] for index in self._busy]))
            self._said = True
        return bool(self._busy)

    def release(self, *cells: int) -> None:
        """Leave cells to other runs; all of them if none is named."""
        for index in cells or tuple(self._claims):
            if (claim := self._claims.pop(index, None)) is not None:
                claim.release()

    def _fill(self, workers: int) -> None:
        """Split cells until enough tasks wait."""
        while len(self._queue) < AHEAD * workers and self.look():
            assert self._found is not None
            index, todo = self._found
            self._found = None
            self._add(split(index, todo, task_size(self._ahead + len(todo), workers)))

    def _add(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._open[task.cell] = self._open.get(task.cell, 0) + 1
            self._queue.add(self._model(task.cell), [task])

    def _model(self, index: int) -> tuple[str, str]:
        model = self._plan[index].model
        return model.name, model.weights_sha256

    def work(self, pool: Pool) -> None:
        """Have the workers do everything."""
        self._pool = pool
        handles: list[Handle] = []
        failed_starts, heard = 0, time.monotonic()
        while True:
            self._fill(pool.size)
            for handle in handles:
                if handle.pending is None:
                    self._give(handle, handles)
            starting = sum(handle.pending is not None and handle.task is None for handle in handles)
            free = sorted({*range(pool.size)} - {handle.place for handle in handles})
            handles += [pool.start(place) for place in free[: max(0, self._queue.images - starting)]]
            if not any(handle.task for handle in handles) and not len(self._queue):
                if not self.waits():
                    return
                time.sleep(POLL)
                heard = time.monotonic()
                continue
            busy = [handle for handle in handles if handle.pending is not None]
            ready = pool.ready(busy, 1.0)
            for handle in ready + [handle for handle in busy if handle not in ready and self._hangs(handle)]:
                report, lost = self._heard(handle) if handle in ready else (self._hung(), True)
                task, handle.task, handle.pending = handle.task, None, None
                if task is not None:
                    heard = time.monotonic()
                    lost = self._settle(task, report) or lost
                elif not lost:
                    failed_starts = 0
                elif (failed_starts := failed_starts + 1) > 2 * pool.size:
                    raise RunFailed(f"workers die as they start ({report.failure})")
                if lost:
                    pool.stop(handle)
                    handles.remove(handle)
            if time.monotonic() - heard > PATIENCE and not any(handle.task for handle in handles):
                raise RunFailed(
                    f"no worker could be had for {PATIENCE:.0f} seconds: "
                    "records are kept, the same command resumes"
                )

    def _heard(self, handle: Handle) -> tuple[Report, bool]:
        """What a worker reports, and whether it is lost."""
        assert self._pool is not None
        try:
            said = self._pool.result(handle)
        except Lost as error:
            failure = f"the worker was lost ({error})" if handle.task else str(error)
            return Report(0, failure, out_of_memory=error.out_of_memory), True
        if isinstance(said, str):
            raise RunFailed(said)
        return said or Report(0), False

    def _hangs(self, handle: Handle) -> bool:
        if handle.task is None or self._timeout is None:
            return False
        return time.monotonic() - handle.since > self._timeout * len(handle.task.todo)

    def _hung(self) -> Report:
        return Report(0, f"the worker was given up (an image may take {self._timeout:g} s)")

    def _give(self, handle: Handle, handles: Sequence[Handle]) -> None:
        elsewhere = {other.loaded for other in handles if other is not handle}
        if (task := self._queue.take(handle.loaded, elsewhere)) is not None:
            handle.loaded = self._model(task.cell)
            assert self._pool is not None
            handle.since = time.monotonic()
            self._pool.give(handle, self._plan[task.cell], task)

    def _settle(self, task: Task, report: Report) -> bool:
        """Enter what became of a task; whether its worker should go."""
        cell = self._plan[task.cell]
        left: dict[str, list[str]] = {}
        if report.failure:
            # What was stored before is found in the store, whatever the worker could still say.
            todo = self._engine.todo(replace(cell, images=tuple(task.todo)))
            left = {image: names for image, names in task.todo.items() if image in todo}
        done = len(task.todo) - len(left)
        self.outcome.measured += done
        self._on_image(cell, done)
        if report.failure and left and task.cell not in self._given_up:
            self._again(task, report, left)
        self._open[task.cell] -= 1
        if not self._open[task.cell]:
            self.release(task.cell)
            self._store.settle(cell.path)
            if self._pool is not None:
                self._pool.forget(task.cell)
        return bool(report.failure) and not report.final

    def _again(self, task: Task, report: Report, left: dict[str, list[str]]) -> None:
        """Try again what may do better, and leave out what may not."""
        cell, tries = self._plan[task.cell], task.tries + 1
        refused = {image: why for image, why in report.reasons.items() if image in left}
        if not report.final:
            if tries < self._tries or (len(left) > 1 and self._tries > 1):
                self._add(split(task.cell, left, 1, min(tries, self._tries - 1)))
                return
            why = str(report.failure).removeprefix(f"{cell}: ")
            often = f", tried {tries} times" if tries > 1 else ""
            refused = {image: refused.get(image, why) + often for image in left}
        if report.out_of_memory or not refused:
            line = told(cell, refused) if refused else str(report.failure)
            self._give_up(task.cell, line, report.out_of_memory)
            return
        failed = self._failed.setdefault(task.cell, {})
        failed.update(refused)
        # A file that cannot be used says nothing of the next one; a network's failure does.
        if len(failed) >= MOST_FAILED and cell.model.outputs is None:
            self._give_up(task.cell)
        elif rest := {image: names for image, names in left.items() if image not in refused}:
            self._add(split(task.cell, rest, len(rest), task.tries))

    def _give_up(self, index: int, line: str = "", out_of_memory: bool = False) -> None:
        """Measure nothing more of a cell; the line says why, where that is not said of its images."""
        self._given_up[index] = line
        if out_of_memory:
            self.outcome.out_of_memory.append((self._plan[index], line))
        self._open[index] -= len(self._queue.drop(self._model(index), index))

    def finished(self) -> Outcome:
        """Return what was done, failures in the order of the plan."""
        for index in sorted({*self._failed, *self._given_up}):
            cell, failed = self._plan[index], self._failed.get(index, {})
            if failed:
                self.outcome.failures.append(told(cell, {i: failed[i] for i in cell.images if i in failed}))
            if line := self._given_up.get(index):
                self.outcome.failures.append(line)
        return self.outcome
