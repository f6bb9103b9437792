"""Take the median of the SR images of an LR image with different noise on it: median randomised smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srbench.zoo.defences.base import Defence, Model, Option, Values, averaged, noisy

if TYPE_CHECKING:
    from torch import Tensor


def defend(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Return the per-value median over n noisy LR images.

    It has its own gradient, along which attacks do as much as along that of the mean.
    """
    ordered = sample(model, lr, values).sort(dim=0).values
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def sample(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Return the SR images (n,N,3,sH,sW) of n copies of the LR with Gaussian noise, not clipped."""
    import torch

    return torch.stack([model(copy) for copy in noisy(lr, values)])


DEFENCE = Defence(
    name="mrs",
    about="The per-value median of the SR images of n copies of the LR image with Gaussian noise of standard "
    "deviation sigma.",
    source="Chiang et al. 2020; Chaouai and Tamaazousti 2024 (CertSR)",
    options={"sigma": Option(0.05, 0, 1, positive=True), "n": Option(16, 2)},
    defend=defend,
    forwards=lambda values: int(values["n"]),
    random=True,
    sample=sample,
    samples=averaged,
)
