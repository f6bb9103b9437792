"""Average the SR images of an LR image with different noise on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srbench.zoo.defences.base import Defence, Model, Option, Values, averaged, noisy

if TYPE_CHECKING:
    from torch import Tensor


def defend(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Return the mean over n noisy LR images; it has its own gradient."""
    total = None
    for copy in noisy(lr, values):
        sr = model(copy)
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
    samples=averaged,
)
