"""Average the SR images of an LR image with different noise on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from srbench.zoo.defences.base import Defence, Model, Option, Values

if TYPE_CHECKING:
    from torch import Tensor

AVERAGED = 8
"""Forwards that an adapted attack averages for a gradient, those of the defence among them."""


def defend(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Return the mean over n noisy LR images; it has its own gradient."""
    import torch

    total = None
    for _ in range(int(values["n"])):
        sr = model(lr + values["sigma"] * torch.randn_like(lr))
        total = sr if total is None else total + sr
    assert total is not None
    return total / int(values["n"])


DEFENCE = Defence(
    name="tta-noise",
    about="The mean of the SR images of n copies of the LR image with Gaussian noise of standard deviation "
    "sigma.",
    source="Cohen et al. 2019, for regression by the mean",
    options={"sigma": Option(0.02, 0, 1, positive=True), "n": Option(8, 1)},
    defend=defend,
    forwards=lambda values: int(values["n"]),
    random=True,
    samples=lambda values: math.ceil(AVERAGED / values["n"]),
)
