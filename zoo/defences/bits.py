"""Round the LR image to fewer levels before the model sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srbench.support.surrogate import through
from srbench.zoo.defences.base import Defence, Model, Option, Values

if TYPE_CHECKING:
    from torch import Tensor


def defend(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Super-resolve the LR in 2^bits levels; the identity stands for rounding in the gradient."""
    steps = 2 ** int(values["bits"]) - 1
    return model(through((lr.clamp(0, 1) * steps).round() / steps, lr))


DEFENCE = Defence(
    name="bits",
    about="The LR image is rounded to 2^bits levels a channel.",
    source="Xu et al. 2018 (feature squeezing)",
    options={"bits": Option(5, 1, 8)},
    defend=defend,
    straight_through=True,
)
