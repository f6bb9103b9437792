"""Where a plan is to run: in this process, in a process a GPU, or on a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Resources:
    """These resources a run takes of a Ray cluster.

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
class Placement:
    """A placement says in which processes and on which machines a plan runs.

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
