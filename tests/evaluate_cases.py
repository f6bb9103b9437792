"""Requests for small sets, and a network that differs from bicubic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from srbench import evaluation as job
from srbench import zoo
from srbench.store.record import Record

FAST = ("psnr", "ssim", "piqe")


def request(lr: Path, hr: Path, **changes: object) -> job.EvaluationRequest:
    fields: dict[str, object] = {
        "models": ("bicubic",),
        "datasets": (f"pairs:{lr}:{hr}",),
        "metrics": FAST,
    }
    return job.EvaluationRequest(**(fields | changes))  # type: ignore[arg-type]


def evaluate(wanted: job.EvaluationRequest) -> job.Evaluation:
    return job.run(job.prepare(wanted))


def without_times(records: list[Record]) -> list[Record]:
    return [r.model_copy(update={"seconds": 0.0, "created": ""}) for r in records]


class Wiggle(nn.Module):
    """Nearest-neighbour x4 after a small random convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(lr + 0.1 * self.conv(lr), scale_factor=4, mode="nearest")


@contextmanager
def registered_wiggle() -> Iterator[str]:
    zoo.register("wiggle", Wiggle)
    yield "wiggle"
    from srbench.zoo import catalog

    catalog._registered.pop("wiggle")
