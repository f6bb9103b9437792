"""The choice of what runs a plan: this process, a process a GPU, or a Ray cluster."""

from __future__ import annotations

import importlib.util
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

from srbench.errors import BadInput
from srbench.run.workers.dispatch import Dispatcher
from srbench.run.workers.pools import Pool, ProcessPool
from srbench.run.workers.worker import Job, environment, module_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from srbench.run.engine import Engine
    from srbench.run.outcome import Runner
    from srbench.run.placement import Placement
    from srbench.run.plan import Cell
    from srbench.run.settings import Settings
    from srbench.store.address import RecordStore


def choose_runner(
    placement: Placement,
    engine: Engine,
    settings: Settings,
    store: RecordStore,
    place: Path | str,
    plan: Sequence[Cell],
    metrics: Sequence[str],
) -> Runner:
    """Return what runs a plan: the engine of this process, or a dispatcher of workers.

    Args:
        engine: the one of this process.
        settings: how it uses the machine; workers are told the same.
        store: where records go.
        place: the store, as the user named it.
        metrics: what every worker has to measure.

    Raises:
        BadInput: Ray is not installed, or the store is one that no other process can see.
    """
    local = placement.engine == "local"
    devices = visible_gpus(settings.device) if local and placement.several_gpus else []
    if local and not (devices and is_picklable(plan)):
        return engine
    if str(place).startswith("memory://"):
        raise BadInput(f"{place} is seen by one process only: name a store that all workers see")
    if not local:
        check_installed()
    address = str(place) if store.folder is None else str(store.folder.absolute())
    # A worker on a cluster takes one image at a time; processes of one machine share its cores.
    images = settings.workers or (max(1, settings.worker_count // len(devices)) if devices else 1)
    job = Job(
        address,
        plan[0].protocol,
        tuple(metrics),
        replace(settings, workers=images),
        environment(),
        module_path(),
    )

    def pool() -> Pool:
        if local:
            return ProcessPool(job, devices)
        from srbench.run.workers.ray_pool import RayPool

        return RayPool(job, placement.resources)

    return Dispatcher(
        engine,
        store,
        pool,
        device=", ".join(devices) or placement.engine,
        rerun=settings.rerun,
        tries=placement.tries,
        timeout=placement.timeout,
    )


def visible_gpus(device: str) -> list[str]:
    """Return "cuda:0", "cuda:1" … where ``device`` is "cuda" and there are several; else nothing."""
    if device != "cuda":
        return []
    import torch

    count = torch.cuda.device_count()
    return [f"cuda:{index}" for index in range(count)] if count > 1 else []


def is_picklable(plan: Sequence[Cell]) -> bool:
    """Return whether a plan can be sent to other processes: its models come from files or importable code."""
    try:
        for cell in {cell.model.name: cell for cell in plan}.values():
            pickle.dumps(cell)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def check_installed() -> None:
    """Refuse to go on without Ray.

    Raises:
        BadInput: it is not installed; the command that installs it.
    """
    if importlib.util.find_spec("ray") is None:
        raise BadInput("--engine ray needs Ray, which is not installed: pip install 'srbench[scale]'")
