"""Which engine runs a request: this process, a process a GPU, or a Ray cluster."""

from __future__ import annotations

import importlib.util
import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from srbench.errors import BadInput
from srbench.run.workers.dispatch import Dispatcher
from srbench.run.workers.pools import Pool, ProcessPool
from srbench.run.workers.worker import Job, environment, module_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srbench.protocols.schema import Protocol
    from srbench.run.engine import Engine, Runner, Settings
    from srbench.run.instruments import Instruments
    from srbench.run.plan import Cell
    from srbench.store.address import RecordStore


@dataclass(frozen=True)
class Resources:
    """What a run takes of a Ray cluster.

    Attributes:
        address: "auto", "HOST:PORT"; None for a cluster of its own on this machine.
        workers: how many; 0 for as many as there is room for when the run begins.
        gpus: GPUs of a worker, parts of one among them; None for one where the cluster has any and the
            device is not "cpu".
        device: "auto", "cpu" or "cuda".
    """

    address: str | None = None
    workers: int = 0
    gpus: float | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Wish:
    """Where a plan is to run.

    Attributes:
        engine: "local" or "ray".
        several_gpus: with "local", whether each visible GPU gets a process. Processes that are started
            import the main module again, which only a command is sure to survive.
        resources: with "ray".
        tries: how often an image is tried where its worker dies.
        timeout: seconds that an image may take, after which its worker counts as hung; None for ever.
    """

    engine: Literal["local", "ray"] = "local"
    several_gpus: bool = False
    resources: Resources = field(default_factory=Resources)
    tries: int = 3
    timeout: float | None = None


def choose(
    wish: Wish,
    engine: Engine,
    place: Path | str,
    store: RecordStore,
    protocol: Protocol,
    instruments: Instruments,
    settings: Settings,
    plan: Sequence[Cell],
) -> Runner:
    """The engine that was wished for.

    Args:
        engine: the one of this process.
        place: the store, as the user named it.

    Raises:
        BadInput: Ray is not installed, or the store is one that no other process can see.
    """
    devices = visible_gpus(settings.device) if wish.engine == "local" and wish.several_gpus else []
    if wish.engine == "local" and not (devices and can_be_told(plan)):
        return engine
    if str(place).startswith("memory://"):
        raise BadInput(f"{place} is seen by one process only: name a store that all workers see")
    address = str(place) if store.folder is None else str(store.folder.absolute())
    # A worker on a cluster takes one image at a time; processes of one machine share its cores.
    images = settings.workers or (max(1, settings.worker_count // len(devices)) if devices else 1)
    metrics = tuple(instruments.names(paired=True))
    told = replace(settings, workers=images)
    job = Job(address, protocol, metrics, told, environment(), module_path())

    def pool() -> Pool:
        if wish.engine == "ray":
            from srbench.run.workers.ray_pool import RayPool

            return RayPool(job, wish.resources)
        return ProcessPool(job, devices)

    if wish.engine == "ray":
        check_installed()
    device = ", ".join(devices) or wish.engine
    return Dispatcher(
        engine,
        store,
        pool,
        device=device,
        rerun=settings.rerun,
        tries=wish.tries,
        timeout=wish.timeout,
    )


def visible_gpus(device: str) -> list[str]:
    """ "cuda:0", "cuda:1" … where ``device`` is "cuda" and there are several; else nothing."""
    if device != "cuda":
        return []
    import torch

    count = torch.cuda.device_count()
    return [f"cuda:{index}" for index in range(count)] if count > 1 else []


def can_be_told(plan: Sequence[Cell]) -> bool:
    """Whether another process can be told of a plan: its models come from files or importable code."""
    try:
        for cell in {cell.model.name: cell for cell in plan}.values():
            pickle.dumps(cell)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def check_installed() -> None:
    """BadInput with the command that installs Ray if it is not there."""
    if importlib.util.find_spec("ray") is None:
        raise BadInput("--engine ray needs Ray, which is not installed: pip install 'srbench[scale]'")
