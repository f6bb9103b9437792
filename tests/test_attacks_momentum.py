"""Momentum weighs every step's gradient alike, however large it is (MI-FGSM, Dong et al. 2018).

The known optima of separable problems cannot show that: there every gradient of a pixel has one sign, and a
sum of them has it too. Here the second gradient points back, and is a hundredth of the first.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import Nearest
from torch import Tensor, nn

from srbench.attacks import MIFGSM, SRAttack, StructuredPGD

EPS = 8 / 255


def steep_then_back(turn: float) -> Any:
    """An objective that rises steeply up to ``turn`` above the target, and falls gently beyond."""

    def objective(sr: Tensor, target: Tensor) -> Tensor:
        above = sr - target
        return torch.where(above < turn, 100 * above, 100 * turn - above).flatten(1).mean(1)

    return objective


@pytest.mark.parametrize(
    ("decay", "levels"),
    # Velocities 1 and decay - 1: below 1 the second step goes back, at 1 it stands still, above it goes on.
    [(0.0, 0), (0.5, 0), (1.0, 4), (2.0, 8)],
)
def test_mifgsm_weighs_a_small_gradient_like_a_large_one(decay: float, levels: int) -> None:
    x = torch.full((2, 3, 6, 6), 0.5, dtype=torch.float64)
    attack = MIFGSM(Nearest(), eps=EPS, steps=2, decay=decay, objective=steep_then_back(2 / 255))
    torch.testing.assert_close(attack(x, Nearest()(x)), x + levels / 255, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("momentum", "end"), [(0.0, -EPS), (0.5, -EPS), (2.0, EPS)])
def test_structured_pgd_weighs_a_small_gradient_like_a_large_one(momentum: float, end: float) -> None:
    x = torch.full((2, 3, 6, 6), 0.5, dtype=torch.float64)
    # A step crosses the whole ball, so that the start does not count.
    attack = StructuredPGD(
        Nearest(), eps=EPS, alpha=3 * EPS, steps=2, momentum=momentum, objective=steep_then_back(0.999 * EPS)
    )
    torch.testing.assert_close(attack(x, Nearest()(x)), x + end, atol=1e-9, rtol=0)


def test_each_image_has_a_scale_of_its_own() -> None:
    """Of two images in one batch, the one with steep gradients does not drown the other's."""
    x = torch.full((2, 3, 6, 6), 0.5, dtype=torch.float64)
    hr = Nearest()(x)
    hr[1] -= 1 / 255  # the second image starts nearer to the turn, and beyond it after the same step

    def objective(sr: Tensor, target: Tensor) -> Tensor:
        scale = torch.tensor([1.0, 1000.0], dtype=sr.dtype)[: len(sr)]
        losses: Tensor = steep_then_back(2 / 255)(sr, target)
        return losses * (scale if len(sr) == 2 else 1)

    attack = MIFGSM(Nearest(), eps=EPS, steps=2, decay=0.5, objective=objective)
    torch.testing.assert_close(attack(x, hr), x, atol=1e-9, rtol=0)


def test_equals_torchattacks_mifgsm_with_its_loss_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    torchattacks = pytest.importorskip("torchattacks")
    from torchattacks.attacks import mifgsm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4)
        )
        x, hr = 0.3 + 0.4 * torch.rand(3, 3, 8, 8), torch.rand(3, 3, 32, 32)
    theirs = torchattacks.MIFGSM(model, eps=EPS, alpha=EPS / 5, steps=5, decay=1.0)
    with monkeypatch.context() as patch:
        # Their attack builds its loss inside; images stay within [0.26, 0.74], where nothing is clipped.
        patch.setattr(mifgsm.nn, "CrossEntropyLoss", nn.MSELoss)
        wanted = theirs(x, hr)
    ours: SRAttack = MIFGSM(model, eps=EPS, steps=5, decay=1.0, objective="mse", start="zero")
    torch.testing.assert_close(ours(x, hr), wanted, atol=1e-6, rtol=0)
