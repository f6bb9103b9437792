"""Degrade as Real-ESRGAN does, every sample by choices of its own."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from srbench.datasets import blind
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.per_sample import degraded


class BlindSettings(Table):
    """Holds the settings of ``blind``.

    Attributes:
        ranges: probabilities and ranges of both rounds; see :mod:`srbench.datasets.blind`. What is not given
            is as published.
    """

    kind: Literal["blind"] = "blind"
    ranges: blind.BlindSettings = blind.PUBLISHED


class Blind(Degradation):
    """Makes LR by :mod:`srbench.datasets.blind` on the CPU, whatever device trains."""

    def __init__(self, settings: BlindSettings, context: Context) -> None:
        self._settings, self._seed = settings, context.seed

    def __call__(self, batch: Batch) -> Tensor:
        ranges = self._settings.ranges
        return degraded(batch, self._seed, lambda hr, rng: blind.degrade(hr, blind.draw(ranges, rng), rng))

    def describe(self) -> dict[str, Any]:
        return self._settings.model_dump(mode="json")


KIND = DegradationKind(BlindSettings, Blind)
