"""What the dispatcher asks of workers, wherever they run; and workers that are processes of this machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from srbench.run.workers.worker import Job, Report, Worker

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from srbench.run.plan import Cell
    from srbench.run.workers.tasks import Task


GRACE = 10.0
"""Workers get so many seconds to store what they have measured when the run is stopped."""


class Lost(Exception):  # noqa: N818
    """A worker died, or was taken away, with what it was doing.

    Attributes:
        out_of_memory: whether it was ended because its machine had no memory left.
    """

    def __init__(self, reason: str, out_of_memory: bool = False) -> None:
        super().__init__(reason)
        self.out_of_memory = out_of_memory


@dataclass(eq=False)
class Handle:
    """One worker, seen from the dispatcher.

    Attributes:
        worker: what the pool knows it by.
        pending: what it is doing: a future or reference.
        task: what it was given; None while it starts or waits.
        since: when it was given that, by the monotonic clock.
        loaded: the model it has.
        place: which of the pool's it is; the one that replaces it gets the same.
    """

    worker: Any
    pending: Any = None
    task: Task | None = None
    since: float = 0.0
    loaded: Hashable = None
    place: int = 0


class Pool(Protocol):
    """Workers of one kind; a context manager that ends them all."""

    size: int

    def __enter__(self) -> Pool: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def start(self, place: int) -> Handle:
        """Begin a worker. Its first result is why it cannot work, or None."""

    def give(self, handle: Handle, cell: Cell, task: Task) -> None:
        """Have a worker that waits measure a task."""

    def ready(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
        """Return those with a result; none after so many seconds without one."""

    def result(self, handle: Handle) -> Report | str | None:
        """Return what a worker has to say; Lost if it died."""

    def stop(self, handle: Handle) -> None:
        """End a worker, whatever it is doing."""

    def forget(self, index: int) -> None:
        """Let go of what is held for a cell of the plan."""


_worker: Worker | None = None


def _prepare(job: Job, device: str) -> str | None:
    global _worker  # noqa: PLW0603 - a process has one worker
    # Control-C is for the command, which ends its workers; and nobody is to outlive it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(job, device)
    return _worker.prepare()


def _leave(number: int, frame: FrameType | None) -> None:
    if _worker is not None:
        _worker.store_held()
    os._exit(128 + number)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _measure(cell: Cell, todo: dict[str, list[str]]) -> Report:
    assert _worker is not None
    return _worker.measure(cell, todo)


class ProcessPool:
    """A process for each of some devices of this machine.

    Args:
        job: what they do.
        devices: "cuda:0", "cuda:1" …
    """

    def __init__(self, job: Job, devices: Sequence[str]) -> None:
        self._job, self._devices = job, devices
        self.size = len(devices)
        self._handles: list[Handle] = []

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._let_store()
        for handle in list(self._handles):
            self.stop(handle)

    def _let_store(self) -> None:
        """Have the workers end by themselves, which is to store what they have measured."""
        processes = [p for handle in self._handles for p in (handle.worker._processes or {}).values()]
        for process in processes:
            process.terminate()
        until = time.monotonic() + GRACE
        for process in processes:
            process.join(max(0.0, until - time.monotonic()))

    def start(self, place: int) -> Handle:
        """Begin a worker; ``place`` is the index of the device."""
        # A pool of one: when a process dies, its pool breaks and the others do not.
        executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        handle = Handle(executor, executor.submit(_prepare, self._job, self._devices[place]), place=place)
        self._handles.append(handle)
        return handle

    def give(self, handle: Handle, cell: Cell, task: Task) -> None:
        """Have a worker that waits measure a task."""
        handle.task = task
        try:
            handle.pending = handle.worker.submit(_measure, cell, task.todo)
        except BrokenProcessPool as error:  # it died while it waited
            handle.pending = Future()
            handle.pending.set_exception(error)

    def ready(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
        """See :class:`Pool`."""
        by_future = {handle.pending: handle for handle in handles}
        done, _ = wait(by_future, seconds, FIRST_COMPLETED)
        return [by_future[future] for future in done]

    def result(self, handle: Handle) -> Report | str | None:
        """See :class:`Pool`."""
        try:
            report: Report | str | None = handle.pending.result()
        except BrokenProcessPool as error:
            raise Lost("its process died") from error
        return report

    def stop(self, handle: Handle) -> None:
        """See :class:`Pool`."""
        self._handles.remove(handle)
        for process in list((handle.worker._processes or {}).values()):
            process.kill()
        handle.worker.shutdown(wait=True, cancel_futures=True)

    def forget(self, index: int) -> None:
        """Do nothing: cells are sent with every task and kept nowhere."""
