"""An attack in tiles is the attack on the whole image wherever a tile sees all that its pixels depend on."""

from __future__ import annotations

import pytest
import torch
from helpers import Nearest, blurry_upscaler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from srbench.attacks import FGSM, RandomNoise, StructuredPGD
from srbench.attacks.tiles import attack_in_tiles, examine_in_tiles


def images(height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    lr = torch.rand(1, 3, height, width, generator=draw, dtype=torch.float64)
    return lr, torch.rand(1, 3, 4 * height, 4 * width, generator=draw, dtype=torch.float64)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 14), st.integers(3, 14), st.integers(1, 15), st.integers(0, 5))
def test_tiles_of_any_size_and_halo_put_every_pixel_where_it_belongs(
    height: int, width: int, tile: int, halo: int
) -> None:
    """Each pixel for itself: the signs of SR against HR, tile by tile, are those of the whole."""
    lr, hr = images(height, width)
    attack = FGSM(Nearest(), objective="mse")
    torch.testing.assert_close(attack_in_tiles(attack, lr, hr, "a", tile, halo), attack(lr, hr))


@pytest.mark.parametrize(("tile", "halo"), [(5, 2), (5, 3), (8, 2), (16, 9)])
def test_a_halo_as_wide_as_the_network_sees_changes_nothing(tile: int, halo: int) -> None:
    """A 3 x 3 blur of SR: an LR pixel moves errors of its neighbours, which depend on theirs."""
    lr, hr = images(17, 21)
    attack = FGSM(blurry_upscaler().double(), objective="mse")
    whole = attack(lr, hr)
    torch.testing.assert_close(attack_in_tiles(attack, lr, hr, "a", tile, halo), whole)
    assert not torch.equal(attack_in_tiles(attack, lr, hr, "a", tile, 0), whole), "it takes the halo"


def test_every_tile_has_a_noise_of_its_own() -> None:
    lr = torch.full((1, 3, 16, 16), 0.5)
    noise = attack_in_tiles(RandomNoise(Nearest()), lr, None, "a", 8, 0) - lr
    quarters = [noise[..., y : y + 8, x : x + 8] for y in (0, 8) for x in (0, 8)]
    assert all(not torch.equal(a, b) for n, a in enumerate(quarters) for b in quarters[:n])
    again = attack_in_tiles(RandomNoise(Nearest()), lr, None, "a", 8, 0) - lr
    assert torch.equal(again, noise)
    assert not torch.equal(attack_in_tiles(RandomNoise(Nearest()), lr, None, "b", 8, 0) - lr, noise)


@pytest.mark.parametrize(("height", "width", "tile", "pieces"), [(8, 9, 8, 2), (9, 8, 8, 2), (17, 17, 8, 9)])
def test_a_tile_is_taken_only_where_the_image_is_larger(
    height: int, width: int, tile: int, pieces: int
) -> None:
    class Black(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros_like(x).repeat(1, 1, 4, 4) * x.mean()

    lr, hr = images(height, width)
    _, finding = examine_in_tiles(StructuredPGD(Black()), lr, hr, "a", tile, 1)
    assert finding.endswith(f"({pieces} of {pieces} tiles)")
    _, finding = examine_in_tiles(StructuredPGD(Black()), lr, hr, "a", max(height, width), 1)
    assert finding and "tiles" not in finding
