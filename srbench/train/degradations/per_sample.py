"""Degrade the samples of a batch one by one as 8-bit pixels, each by random numbers of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from srbench.datasets.base import Pixels
from srbench.train.data.base import sample_rng
from srbench.train.degradations.base import Batch


def degraded(batch: Batch, seed: int, make: Callable[[Pixels, np.random.Generator], Pixels]) -> Tensor:
    """Return LR (N,3,P/4,P/4) in [0,1] of HR (N,3,P,P), whole levels of 255, on the device of ``batch.hr``.

    Args:
        batch: its ids and ``seed`` decide what is drawn.
        make: (P,P,3) uint8 and a generator to (P/4,P/4,3) uint8.
    """
    levels = (batch.hr.detach().float() * 255).round().clamp(0, 255).to("cpu", torch.uint8)
    images = levels.permute(0, 2, 3, 1).contiguous().numpy()
    made = [make(hr, sample_rng(seed, int(i), "blind")) for hr, i in zip(images, batch.ids, strict=True)]
    lr = torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).contiguous()
    return lr.to(batch.hr.device).to(batch.hr.dtype).div_(255)
