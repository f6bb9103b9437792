"""What runs in a worker's process: one engine, asked for images of one cell after the other."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srbench.errors import BadInput, RunFailed, SrbenchError

if TYPE_CHECKING:
    from srbench.protocols.schema import Protocol
    from srbench.run.plan import Cell
    from srbench.run.settings import Settings
    from srbench.store.parts import PartStore

PASSED_ON = ("SRBENCH_HOME", "SRBENCH_WEIGHTS", "SRBENCH_OFFLINE", "TORCH_HOME", "HF_HUB_OFFLINE")
"""A worker on another machine takes these variables from the command's environment."""


@dataclass(frozen=True)
class Job:
    """What all workers of a run have in common.

    Attributes:
        store: where records go in parts, see :class:`srbench.store.parts.PartStore`.
        protocol, metrics: how and what is measured; a worker that cannot measure one of them does nothing.
        environment: variables to set before anything is loaded.
        path: where the command finds modules, such as that of a network given as ``module:factory``.
    """

    store: str
    protocol: Protocol
    metrics: tuple[str, ...]
    settings: Settings
    environment: Mapping[str, str]
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What became of a task.

    Attributes:
        measured: images whose records are stored.
        failure: why the others are not; None if there are none.
        reasons: the same by image, as far as single images failed.
        final: whether the same would happen again; if not, a fresh worker may do better.
        out_of_memory: whether smaller tiles would help.
    """

    measured: int
    failure: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    final: bool = False
    out_of_memory: bool = False


def environment() -> dict[str, str]:
    """Return the variables that workers are to have, as they are here."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def module_path() -> tuple[str, ...]:
    """Return where modules are found here, as absolute paths."""
    return tuple(os.path.abspath(place) for place in sys.path)  # noqa: PTH100 - "" is the current directory


class Worker:
    """A worker measures tasks; it is made where it is to run.

    Args:
        job: what this run is.
        device: "cpu", "cuda", "cuda:1" …; the job's if None.
    """

    def __init__(self, job: Job, device: str | None = None) -> None:
        # Before srbench or torch look at them.
        os.environ.update(job.environment)
        sys.path += [place for place in job.path if place not in sys.path]
        self._job = job
        self._device = device or job.settings.device
        self._store: PartStore | None = None

    def prepare(self) -> str | None:
        """Load the metrics; return why that cannot be done, None if it could."""
        from dataclasses import replace

        from srbench.run.engine import Engine
        from srbench.run.instruments import Instruments
        from srbench.store.parts import PartStore

        try:
            self._instruments = Instruments(self._job.protocol, self._job.metrics, self._device)
            self._need(self._job.metrics)
            settings = replace(self._job.settings, device=self._device)
            self._store = PartStore(self._job.store)
            self._engine = Engine(self._store, self._instruments, settings)
        except SrbenchError as error:
            return f"a worker cannot start: {error}"
        return None

    def _need(self, metrics: Iterable[str]) -> None:
        # A record without a metric would look measured; what is here has to be there.
        if lacking := [name for name in metrics if not self._instruments.ensure(name)]:
            reasons = {one.name: one.reason for one in self._instruments.missing}
            raise RunFailed(
                f"{platform.node()} lacks {'; '.join(f'{name} ({reasons[name]})' for name in lacking)}: "
                "install the metric on every machine"
            )

    def store_held(self) -> None:
        """Store the records of the task in work; this may be called while :meth:`measure` runs."""
        if self._store is not None:
            self._store.store_held()

    def measure(self, cell: Cell, todo: dict[str, list[str]]) -> Report:
        """Measure images of a cell; their records are stored when this returns."""
        from srbench.run.outcome import CellFailed

        try:
            self._need({name for names in todo.values() for name in names})
            return Report(self._engine.measure(cell, todo))
        except CellFailed as failure:
            # What srbench itself refuses (NaN, a wrong shape, a changed file) it would refuse again.
            final = failure.out_of_memory or isinstance(failure.__cause__, SrbenchError)
            return Report(failure.measured, str(failure), failure.reasons, final, failure.out_of_memory)
        except SrbenchError as error:
            return Report(0, f"{cell}: {error}", final=isinstance(error, BadInput))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            return Report(0, f"{cell}: {type(error).__name__}: {reason}")
