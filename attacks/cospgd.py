"""Weigh every pixel's squared error by how far its colours still agree with the target's: CosPGD's loss."""

from __future__ import annotations

import torch
from torch import Tensor

from srbench.attacks.objectives import Objective, Score

PRESETS = {
    "cospgd": {
        "kind": "StructuredPGD",
        "about": "Ten steps of 2/255 from uniform noise ascend the squared error, every pixel weighted by "
        "the cosine of prediction and target (CosPGD, Agnihotri et al. 2024).",
        "eps": 8,
        "objective": "cos-mse",
        "options": {"alpha": "2/255", "steps": 10, "structure": 1.0, "restarts": 1, "momentum": 0.0},
    },
}


class CosMSE(Objective):
    """Measures the mean over pixels of ``cos(softmax(SR), softmax(target))`` times the squared difference.

    Softmax and cosine are over a pixel's three values, and the weight has no gradient of its own: the variant
    for regression of CosPGD, *An Efficient White-Box Adversarial Attack for Pixel-Wise Prediction Tasks*
    (Agnihotri, Jung and Keuper, ICML 2024; the authors' ``cospgd_scale`` with ``one_hot=False``). Pixels that
    are wrong already weigh less. Of colours in [0,1] no weight is below .66, where segmentation has weights
    down to 0, so that for super-resolution it is close to the squared error.

    >>> import torch
    >>> from srbench.attacks import CosMSE
    >>> CosMSE()(torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 8, 8))
    tensor([0.2500])
    """

    text = "cos-mse"

    def bind(self, target: Tensor) -> Score:
        goal = target.softmax(1)

        def score(sr: Tensor) -> Tensor:
            with torch.no_grad():
                weight = torch.cosine_similarity(sr.softmax(1), goal, dim=1)
            return (weight * (sr - target).square().mean(1)).flatten(1).mean(1)

        return score
