"""How an engine uses the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

from srbench.run.options import Rerun

MAX_WORKERS = 8


@dataclass(frozen=True)
class Settings:
    """How an engine uses the machine; none of it is part of a record's identity.

    Attributes:
        device: "cpu" or "cuda" (or "cuda:1" …).
        rerun: "only-missing" measures what the store lacks, "always" everything, "never" nothing.
        workers: images in work at once; 0 means one per core, at most eight.
        threads: torch threads per worker. A worker's thread count can move a metric in its last digits,
            so it does not depend on the number of workers.
        channels_last: have networks' images lie pixel by pixel; faster for many, and other last digits.
        samples: how often a model that draws random numbers runs on each image.
        memory: GiB that the run may take, None for a share of what there is.
        keep_images: keep the SR, and the LR where it was attacked, as 8-bit PNG beside the records; an
            image whose picture is missing is measured again.
    """

    device: str = "cpu"
    rerun: Rerun = "only-missing"
    workers: int = 0
    threads: int = 1
    channels_last: bool = False
    samples: int = 1
    memory: float | None = None
    keep_images: bool = False

    @property
    def worker_count(self) -> int:
        """Images in work at once."""
        return self.workers or min(os.cpu_count() or 1, MAX_WORKERS)
