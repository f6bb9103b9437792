"""Downscale bicubically and nothing else: what ESRGAN is trained on."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from srbench.train.data.resize import bicubic_down
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table


class CleanSettings(Table):
    """Holds the settings of ``clean``.

    Attributes:
        quantize: round the LR to 8 bit, as LR files are.
    """

    kind: Literal["clean"] = "clean"
    quantize: bool = True


class Clean(Degradation):
    """Downscales x1/4 as MATLAB does; the context is not used."""

    def __init__(self, settings: CleanSettings, context: Context) -> None:
        self._settings = settings

    def __call__(self, batch: Batch) -> Tensor:
        return bicubic_lr(batch.hr, quantize=self._settings.quantize)

    def describe(self) -> dict[str, Any]:
        return self._settings.model_dump(mode="json")


KIND = DegradationKind(CleanSettings, Clean)


def bicubic_lr(hr: Tensor, *, quantize: bool) -> Tensor:
    """Return the clean LR (N,3,P/4,P/4) in [0,1] of HR (N,3,P,P) in [0,1], detached."""
    with torch.no_grad():
        return bicubic_down(hr.detach(), quantize=quantize)
