"""Bicubic downscaling alone: what ESRGAN is trained on."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from srbench.train.data.resize import bicubic_down
from srbench.train.degradations.base import Batch, Context, Degradation, Table

KIND = "clean"


class Settings(Table):
    """Settings of ``clean``.

    Attributes:
        quantize: round the LR to 8 bit, as LR files are.
    """

    kind: Literal["clean"] = "clean"
    quantize: bool = True


class Clean(Degradation):
    """MATLAB-style bicubic x1/4."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, batch: Batch) -> Tensor:
        return bicubic_lr(batch.hr, quantize=self._settings.quantize)

    def describe(self) -> dict[str, Any]:
        return self._settings.model_dump(mode="json")


def build(settings: Settings, context: Context) -> Clean:
    """The degradation; ``context`` is not used."""
    return Clean(settings)


def bicubic_lr(hr: Tensor, *, quantize: bool) -> Tensor:
    """Clean LR (N,3,P/4,P/4) in [0,1] of HR (N,3,P,P) in [0,1], detached."""
    with torch.no_grad():
        return bicubic_down(hr.detach(), quantize=quantize)
