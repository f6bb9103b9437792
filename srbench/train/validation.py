"""Measure the generator on crops it never trains on: on clean input and under a mixture of degradations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from srbench.attacks.objectives import Objective
from srbench.attacks.perceptual import LPIPS, LPIPSLite
from srbench.datasets import degrade
from srbench.datasets.base import Pixels
from srbench.errors import Unavailable
from srbench.train.data.base import sample_rng
from srbench.train.data.crops import Crops
from srbench.train.data.resize import bicubic_down

HELD_OUT = 2 * 10**9
"""The first validation crop has this index: training and the degradations stay below it."""

_SEED = 0
"""Of the crops: trainings from several seeds are compared by them, and the median one becomes the model."""
_BLUR = (0.3, 1.5)
"""The degraded crops are blurred by this standard deviation at least and at most, in HR pixels."""
_NOISE = (2.0, 12.0)
"""They have noise of this standard deviation, in levels of 255."""
_QUALITY = (60, 95)
"""They are compressed by JPEG of this quality."""
_PART = 4


@dataclass(frozen=True)
class ValidationScore:
    """Holds the numbers of one validation; lower distances are better.

    Attributes:
        clean, degraded: mean distance on bicubic LR, and on LR with blur, noise and compression of random
            strength: a mixture that no recipe trains on and no data set has, so that it favours none.
        psnr: mean PSNR in dB on the clean LR.
    """

    clean: float
    degraded: float
    psnr: float

    @property
    def mean(self) -> float:
        """Return the mean distance, by which the best checkpoint is chosen."""
        return (self.clean + self.degraded) / 2


class Validation:
    """Measures generators on held-out HR crops, cut and degraded once.

    Crops and degradation are the same whatever the recipe trains on and from whatever seed, so that runs can
    be compared. The crops are indices that training never uses: other images of a procedural source, other
    places of photographs.

    Args:
        crops: the training crops of the run, or those of photographs that are held out.
        images: how many crops.
        precision: ``bf16`` runs the generator under autocast.

    Attributes:
        distance: what is measured, ``LPIPS (alex)`` where its weights are installed.
        note: why another distance was taken, or "".
    """

    def __init__(self, crops: Crops, images: int, device: torch.device, precision: str) -> None:
        plain = Crops(crops.source, crops.patch, _SEED, augment=False)
        self.hr = plain.batch(range(HELD_OUT, HELD_OUT + images)).to(device)
        clean = bicubic_down(self.hr, quantize=True).clamp(0, 1)
        self.lr = clean, _degraded(plain, images).to(device)
        self._bf16 = precision == "bf16"
        self.distance, self.note, self._objective = _distance()

    def __call__(self, generator: nn.Module) -> ValidationScore:
        """Measure a generator; it is left in the mode it was in."""
        was_training = generator.training
        generator.eval()
        try:
            (clean, psnr), (degraded, _) = (self._measure(generator, lr) for lr in self.lr)
        finally:
            generator.train(was_training)
        return ValidationScore(clean, degraded, psnr)

    def samples(self, generator: nn.Module, count: int = 4) -> Tensor:
        """Show the first crops as rows of LR (enlarged), SR and HR, clean and degraded: (3, h, w), [0, 1]."""
        rows = []
        for lr in self.lr:
            small = lr[:count]
            large = torch.nn.functional.interpolate(small, scale_factor=4, mode="nearest")
            sr = torch.cat([self._super_resolve(generator, part) for part in small.split(_PART)])
            rows += [torch.cat(list(image), dim=2) for image in (large, sr)]
        rows.append(torch.cat(list(self.hr[:count]), dim=2))
        return torch.cat([row.cpu() for row in rows], dim=1)

    def _measure(self, generator: nn.Module, lr: Tensor) -> tuple[float, float]:
        distances, psnrs = [], []
        for low, high in zip(lr.split(_PART), self.hr.split(_PART), strict=True):
            sr = self._super_resolve(generator, low)
            with torch.no_grad():
                distances.append(self._objective.bind(high)(sr))
                error = (sr - high).square().flatten(1).mean(1).clamp_min(1e-10)
                psnrs.append(-10 * error.log10())
        return float(torch.cat(distances).mean()), float(torch.cat(psnrs).mean())

    def _super_resolve(self, generator: nn.Module, lr: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(lr.device.type, torch.bfloat16, enabled=self._bf16):
            sr: Tensor = generator(lr.contiguous(memory_format=torch.channels_last))
        return sr.float().clamp(0, 1).contiguous()


def _degraded(crops: Crops, images: int) -> Tensor:
    """Return LR (images,3,P/4,P/4) in [0,1] with the mixture of degradations."""
    lr = [_mixture(crops.pixels(HELD_OUT + i), sample_rng(0, i, "validation")) for i in range(images)]
    return torch.from_numpy(np.stack(lr)).permute(0, 3, 1, 2).contiguous().float().div_(255)


def _mixture(hr: Pixels, rng: np.random.Generator) -> Pixels:
    lr = degrade.bicubic(degrade.blur(np.ascontiguousarray(hr), rng.uniform(*_BLUR)))
    noisy = degrade.to_uint8(lr + rng.uniform(*_NOISE) * rng.standard_normal(lr.shape))
    return degrade.jpeg(noisy, int(rng.integers(*_QUALITY, endpoint=True)))


def _distance() -> tuple[str, str, Objective]:
    """Return the best distance that is installed: its name, a remark, and itself."""
    try:
        return "LPIPS", "", LPIPS("alex")
    except Unavailable:
        pass
    note = "srbench metrics install lpips"
    try:
        return (
            "LPIPS (squeeze)",
            f"validation takes SqueezeNet's LPIPS for AlexNet's ({note})",
            LPIPS("squeeze"),
        )
    except Unavailable:
        return (
            "LPIPS-lite",
            f"validation measures lpips-lite, for LPIPS is not installed ({note})",
            LPIPSLite(),
        )
