"""lpips-lite's network, the pairs it learns from, and learning from a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from srbench import zoo
from srbench.errors import BadInput
from srbench.lite.distill import distill, teacher_maps
from srbench.lite.network import LPIPSLite, load, total
from srbench.lite.pairs import Pairs
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.initial import initialised

SIDE = 64


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    crops = Crops(open_sources(["dead-leaves"], patch=SIDE), SIDE, seed=1)
    return Pairs(crops, [ref.load() for ref in zoo.resolve(["bicubic"])], 8)


@pytest.fixture
def network() -> LPIPSLite:
    made = initialised(LPIPSLite, 2, "test")
    assert isinstance(made, LPIPSLite)
    return made.eval()


def squared(sr: Tensor, hr: Tensor) -> Tensor:
    return (sr - hr).square().flatten(1).mean(1)


def test_the_network_is_a_distance(network: LPIPSLite) -> None:
    first, second = torch.rand(2, 3, 3, 47, 53, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        apart = network(first, second)
        assert apart.shape == (3,) and bool((apart > 0).all())
        assert torch.equal(network(first, first), torch.zeros(3))
        assert torch.allclose(apart, network(second, first))
        alone = torch.cat([network(a[None], b[None]) for a, b in zip(first, second, strict=True)])
        assert torch.allclose(apart, alone, rtol=1e-5)


def test_a_gradient_is_finite_where_features_vanish(network: LPIPSLite) -> None:
    flat = torch.full((1, 3, 40, 40), 0.45, requires_grad=True)  # every layer sees zeros and its bias
    for layer in network.layers:
        conv = next(module for module in layer.modules() if isinstance(module, nn.Conv2d))
        nn.init.constant_(conv.bias, -1.0)
    network(flat, torch.zeros(1, 3, 40, 40)).backward()
    assert flat.grad is not None and bool(torch.isfinite(flat.grad).all())


def test_it_is_small_enough_to_ship(network: LPIPSLite) -> None:
    assert 2 * sum(value.numel() for value in network.state_dict().values()) < 1_000_000


def test_its_maps_have_the_sizes_of_alexnets(network: LPIPSLite, shared_weights: Path) -> None:
    teacher = load_lpips("alex", BACKBONES["alex"].locate())
    first, second = torch.rand(2, 2, 3, 70, 83, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = teacher_maps(teacher, first, second)
        mine = network.maps(network.features(first), network.features(second))
        assert [layer.shape for layer in mine] == [layer.shape for layer in theirs]
        assert torch.allclose(total(theirs), teacher(first, second, normalize=True).flatten(), atol=1e-6)


def test_pairs_follow_from_seed_and_index(pairs: Pairs) -> None:
    hr, other = pairs(3, [squared])
    assert hr.shape == other.shape == (8, 3, SIDE, SIDE)
    assert float(other.min()) >= 0 and float(other.max()) <= 1
    again = pairs(3, [squared])
    assert torch.equal(hr, again[0]) and torch.equal(other, again[1])
    assert not torch.equal(hr, pairs(4, [squared])[0])
    assert bool((squared(hr, other) > 0).all())


class Squares(nn.Module):
    """Stands in for LPIPS: its maps are known, and of the student's sizes."""

    def __init__(self, like: LPIPSLite) -> None:
        super().__init__()
        self.net, self.lins = like.features, [nn.Identity()] * len(like.layers)
        self.like = like

    def scaling_layer(self, images: Tensor) -> Tensor:
        return (images + 1) / 2

    def forward(self, sr: Tensor, hr: Tensor, normalize: bool) -> Tensor:
        return self.like(sr, hr)


def test_learning_brings_the_student_to_the_teacher(pairs: Pairs, network: LPIPSLite) -> None:
    teacher: Any = Squares(network)
    teacher.lins = [_Sum() for _ in network.layers]
    learnt, again = (distill(pairs, teacher, iterations=25, lr=5e-3, seed=0) for _ in range(2))
    for name, value in learnt.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    hr, other = pairs(1000, [squared])
    with torch.no_grad():
        wanted = total(teacher_maps(teacher, other, hr))
        untrained = initialised(LPIPSLite, 0, "lpips-lite")
        before, after = ((student(other, hr) - wanted).abs().mean() for student in (untrained, learnt))
    assert after < 0.75 * before


class _Sum(nn.Module):
    def forward(self, squares: Tensor) -> Tensor:
        return 1.5 * squares.sum(1, keepdim=True)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.safetensors holds no lpips-lite"):
        load(tmp_path / "none.safetensors")
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match=r"other\.safetensors holds no lpips-lite"):
        load(tmp_path / "other.safetensors")
