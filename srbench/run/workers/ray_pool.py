"""Workers on a Ray cluster, or on one that Ray starts here for this run."""

from __future__ import annotations

import os
import secrets
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput, RunFailed
from srbench.run.workers.pools import GRACE, Handle, Lost
from srbench.run.workers.worker import Job, Report, Worker
from srbench.support import sigterm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srbench.run.placement import Resources
    from srbench.run.plan import Cell
    from srbench.run.workers.tasks import Task

OBJECT_STORE = 100 << 20
"""A cluster started here shares these bytes: cells pass through them, images and records do not."""

BESIDE = "beside"
"""A worker answers calls of this group while it measures."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_RECORD_ACTOR_TASK_LOGGING": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""These turn usage statistics off, and keep Ray's way with CUDA_VISIBLE_DEVICES where no GPU is asked for."""


class RayPool:
    """Actors of a Ray cluster, each a process with a :class:`~srbench.run.workers.worker.Worker`.

    Args:
        job: what they do; with GPUs on "cuda", without on "cpu".
        resources: what they may take.
    """

    def __init__(self, job: Job, resources: Resources) -> None:
        self._job, self._resources = job, resources
        self._cpus = job.settings.worker_count * job.settings.threads
        self._device = "cpu"
        self._started_here = False
        self._cells: dict[int, tuple[Cell, Any]] = {}
        self._actor: Any = None
        self._handles: list[Handle] = []
        self.size = 0

    def __enter__(self) -> RayPool:
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        if self._resources.address is None and "ray" not in sys.modules:
            own_token()
        import ray

        # It would print what became of dead workers on stdout, where results go.
        if hasattr(ray._private.worker, "_worker_logs_enabled"):
            ray._private.worker._worker_logs_enabled = False
        if not ray.is_initialized():
            self._connect()
            self._started_here = True
        try:
            self._make_room(ray.cluster_resources())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _connect(self) -> None:
        import ray

        wanted = self._resources
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if wanted.address is None:
            cores = wanted.workers * self._cpus or os.cpu_count() or 1
            options |= {
                "address": "local",
                "num_cpus": max(cores, self._cpus),
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE,
                "_node_ip_address": "127.0.0.1",
            }
        else:
            options["address"] = wanted.address
        for last in (wanted.address is not None, True):
            try:
                with sigterm.kept():
                    ray.init(**options)
            except Exception as error:  # of several libraries
                # Ray gives a cluster thirty seconds to start, which a busy machine may not keep.
                ray.shutdown()
                if last:
                    raise _not_there(wanted.address, error) from error
            else:
                return

    def _make_room(self, there: dict[str, float]) -> None:
        """Decide on the device and the number of workers."""
        import ray

        wanted = self._resources
        gpus = wanted.gpus
        if gpus is None:
            gpus = 1.0 if wanted.device != "cpu" and there.get("GPU", 0) >= 1 else 0.0
        if wanted.device.startswith("cuda") and not gpus:
            raise BadInput("--device cuda: the Ray cluster has no GPU; use --device cpu")
        self._device = "cuda" if gpus else "cpu"
        room = int(there.get("CPU", 0) // self._cpus)
        if gpus:
            room = min(room, int(there.get("GPU", 0) / gpus + 1e-9))
        if room < 1:
            raise BadInput(
                f"the Ray cluster has {there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs, "
                f"a worker needs {self._cpus} and {gpus:g}: lower --workers, --threads or --worker-gpus"
            )
        self.size = min(wanted.workers or room, room)
        self._actor = ray.remote(concurrency_groups={BESIDE: 1})(Worker).options(
            num_cpus=self._cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        if isinstance(error, KeyboardInterrupt):
            self._let_store()
        self._cells.clear()
        if self._started_here:
            ray.shutdown()

    def _let_store(self) -> None:
        """Have the workers store what they have measured, as far as they can be asked."""
        import ray

        stored = [
            handle.worker.store_held.options(concurrency_group=BESIDE).remote()
            for handle in self._handles
            if handle.task
        ]
        if stored:
            ray.wait(stored, num_returns=len(stored), timeout=GRACE)

    def start(self, place: int) -> Handle:
        """Begin a worker on the cluster."""
        actor = self._actor.remote(self._job, self._device)
        handle = Handle(actor, actor.prepare.remote(), place=place)
        self._handles.append(handle)
        return handle

    def give(self, handle: Handle, cell: Cell, task: Task) -> None:
        """Have a worker that waits measure a task."""
        import ray

        # A cell knows all files of its data set: it goes to each machine once, not with every task.
        if self._cells.get(task.cell, (None,))[0] is not cell:
            self._cells[task.cell] = (cell, ray.put(cell))
        handle.task = task
        handle.pending = handle.worker.measure.remote(self._cells[task.cell][1], task.todo)

    def forget(self, index: int) -> None:
        """Let go of what the cluster holds for a cell of the plan."""
        self._cells.pop(index, None)

    def ready(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
        """Return those with a result; none after so many seconds without one."""
        import ray

        if not handles:
            return []
        by_reference = {handle.pending: handle for handle in handles}
        done, _ = ray.wait(list(by_reference), num_returns=1, timeout=seconds)
        return [by_reference[reference] for reference in done]

    def result(self, handle: Handle) -> Report | str | None:
        """Return what a worker has to say; Lost if it died."""
        import ray

        try:
            report: Report | str | None = ray.get(handle.pending)
        except ray.exceptions.RayError as error:
            # A worker answers all it lives to see: what is left is a death, or a cell it cannot read.
            cause = getattr(error, "cause", None) or error
            # Ray ends workers before the machine does, and then says so.
            memory = any(isinstance(one, ray.exceptions.OutOfMemoryError) for one in (error, cause))
            raise Lost(f"{type(cause).__name__}: {' '.join(str(cause).split())[:160]}", memory) from error
        return report

    def stop(self, handle: Handle) -> None:
        """End a worker, whatever it is doing."""
        import ray

        self._handles.remove(handle)
        ray.kill(handle.worker, no_restart=True)


def own_token() -> None:
    """Make a secret for the cluster of this process, which nobody else on the machine may command.

    Ray reads it as it is imported. Without one it would make one in the user's home.
    """
    if not any(name.startswith("RAY_AUTH") for name in os.environ):
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def _not_there(address: str | None, error: Exception) -> RunFailed:
    reason = " ".join(str(error).split())[:200]
    if address is None:
        return RunFailed(
            f"Ray cannot be started here ({reason}): free some cores or memory and run the same command again"
        )
    return RunFailed(
        f"no Ray cluster answers at --ray-address {address} ({reason}): `ray status` there says what runs"
    )
