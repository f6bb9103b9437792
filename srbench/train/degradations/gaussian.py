"""Add Gaussian noise of several levels to every LR image, for networks smoothed by a median: CertSR."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.attacks.threat import parse_eps
from srbench.train.degradations.adversarial import Levels
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.clean import bicubic_lr


class GaussianSettings(Table):
    """Holds the settings of ``gaussian``.

    Attributes:
        sigmas: standard deviations in levels of 255; every LR image is seen at each of them.
        samples: copies at each, an odd number, each with noise of its own; the losses are of the per-value
            median of their SR images.
        quantize: round the LR to 8 bit before the noise is added, as LR files are.
    """

    kind: Literal["gaussian"] = "gaussian"
    sigmas: tuple[Levels, ...] = Field(default=("5/255", "10/255", "20/255"), min_length=1)
    samples: int = Field(default=3, ge=1)
    quantize: bool = True

    @field_validator("samples")
    @classmethod
    def _with_a_middle(cls, samples: int) -> int:
        if samples % 2 == 0:
            raise ValueError("samples has to be odd, so that one of them is the median")
        return samples


class Gaussian(Degradation):
    """Makes ``len(sigmas) * samples`` LR images of each clean one, not clipped, as smoothing makes them.

    Chaouai and Tamaazousti 2024, "Universal Robustness via Median Randomized Smoothing for Real-World
    Super-Resolution" (CertSR, figure 2): noise of different standard deviations on the same LR image, and the
    median of the predictions for each.
    """

    def __init__(self, settings: GaussianSettings, context: Context) -> None:
        self._settings, self._seed = settings, context.seed
        self.samples = settings.samples

    def __call__(self, batch: Batch) -> Tensor:
        clean = bicubic_lr(batch.hr, quantize=self._settings.quantize)
        return torch.cat(
            [
                clean + parse_eps(sigma) * self._noise(clean, batch.ids, f"{sigma} {number}")
                for sigma in self._settings.sigmas
                for number in range(self.samples)
            ]
        )

    def describe(self) -> dict[str, Any]:
        return self._settings.model_dump(mode="json")

    def _noise(self, like: Tensor, ids: tuple[str, ...], stream: str) -> Tensor:
        draws = [torch.randn(like.shape[1:], generator=generator(self._seed, i, stream)) for i in ids]
        return torch.stack(draws).to(like)


KIND = DegradationKind(GaussianSettings, Gaussian)
