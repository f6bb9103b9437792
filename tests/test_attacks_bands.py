"""Attacks within a band of frequencies: where their energy is, and that bands tell networks apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import Nearest
from test_attacks_truth import images
from torch import Tensor, nn
from torch.nn import functional as F

from srbench import attacks
from srbench.attacks import BandPGD
from srbench.attacks.band_pgd import BANDS
from srbench.errors import BadInput


def energy(delta: Tensor) -> dict[str, float]:
    """The share of each band, by numpy's full transform."""
    power = np.abs(np.fft.fft2(delta.double().numpy())) ** 2
    rows, columns = np.fft.fftfreq(delta.shape[-2]), np.fft.fftfreq(delta.shape[-1])
    radius = 2 * np.hypot(rows[:, None], columns[None, :])
    parts = {name: power[..., (radius >= low) & (radius < high)].sum() for name, (low, high) in BANDS.items()}
    return {name: float(part / power.sum()) for name, part in parts.items()}


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("size", [(16, 16), (9, 14)])
def test_all_of_the_perturbation_is_in_the_band_and_as_large_as_allowed(
    band: str, size: tuple[int, int]
) -> None:
    x = 0.3 + 0.4 * torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    hr = torch.zeros(2, 3, 4 * size[0], 4 * size[1])
    hr[..., ::3] = 1.0
    attack = BandPGD(Nearest(), band=band, eps=8 / 255, objective="mse", steps=4)
    adversarial = attack(x, hr)
    assert energy(adversarial - x)[band] > 1 - 1e-9
    assert attack.threat.size(x, adversarial) == pytest.approx(8 / 255, rel=1e-4)


def test_the_bands_are_everything() -> None:
    noise = torch.rand(1, 3, 15, 22)
    assert sum(energy(noise).values()) == pytest.approx(1)


@pytest.mark.parametrize("band", ["low", "high"])
def test_a_network_is_hurt_in_the_band_it_amplifies(band: str) -> None:
    """One sees means over 3 x 3 pixels, the other what they leave over."""

    class Filtered(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            smooth = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
            return F.interpolate(smooth if band == "low" else 0.5 + x - smooth, scale_factor=4.0)

    x, _ = images(count=1, side=18)
    hr = Filtered()(x)
    damage = {}
    for name in BANDS:
        attack = BandPGD(Filtered(), band=name, eps=8 / 255, objective="mse")
        damage[name] = attack.loss(x, attack(x, hr), hr).item()
    assert max(damage, key=damage.__getitem__) == band
    assert sorted(damage.values())[-1] > 3 * sorted(damage.values())[0]


def test_bands_are_presets_in_l2() -> None:
    for band in BANDS:
        recipe = attacks.preset(f"band-{band}")
        assert recipe.norm == "l2" and dict(recipe.options)["band"] == band and recipe.in_norm("l2") is recipe
    with pytest.raises(BadInput, match="is bounded in l2 only: say --norm l2"):
        attacks.preset("band-low").in_norm("linf")
    with pytest.raises(BadInput, match="band is 'middle': choose low, mid or high"):
        BandPGD(Nearest(), band="middle")
