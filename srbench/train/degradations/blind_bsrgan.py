"""Degrade as BSRGAN does, every sample in an order and by choices of its own."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from srbench.datasets import shuffled
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.per_sample import degraded


class BlindBSRGANSettings(Table):
    """Holds the settings of ``blind-bsrgan``.

    Attributes:
        ranges: probabilities and ranges; see :mod:`srbench.datasets.shuffled`. What is not given is as in
            BSRGAN's code.
    """

    kind: Literal["blind-bsrgan"] = "blind-bsrgan"
    ranges: shuffled.ShuffledSettings = shuffled.PUBLISHED


class BlindBSRGAN(Degradation):
    """Makes LR by :mod:`srbench.datasets.shuffled` on the CPU, whatever device trains."""

    def __init__(self, settings: BlindBSRGANSettings, context: Context) -> None:
        self._settings, self._seed = settings, context.seed

    def __call__(self, batch: Batch) -> Tensor:
        ranges = self._settings.ranges
        return degraded(batch, self._seed, lambda hr, rng: shuffled.degrade(hr, ranges, rng))

    def describe(self) -> dict[str, Any]:
        return self._settings.model_dump(mode="json")


KIND = DegradationKind(BlindBSRGANSettings, BlindBSRGAN)
