"""lpips-lite: its network, the pairs it learns from, learning from a teacher, and what ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from scipy.stats import spearmanr
from torch import Tensor, nn

from srbench import zoo
from srbench.attacks import parse_objective
from srbench.errors import BadInput
from srbench.metrics.lpips_lite_net import (
    DIMENSIONS,
    WEIGHTS,
    LPIPSLiteNet,
    from_int8,
    load,
    maps,
    save,
    to_int8,
    total,
)
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.initial import initialised
from srbench.train.lite.distill import distill
from srbench.train.lite.pairs import Pairs
from srbench.train.lite.pool import make_pool
from srbench.train.lite.teacher import Teacher

SIDE = 64


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    crops = Crops(open_sources(["dead-leaves"], patch=SIDE), SIDE, seed=1)
    return Pairs(crops, [ref.load() for ref in zoo.resolve(["bicubic"])], 8)


@pytest.fixture
def network() -> LPIPSLiteNet:
    made = initialised(LPIPSLiteNet, 2, "test")
    assert isinstance(made, LPIPSLiteNet)
    return made.eval()


@pytest.fixture
def teacher(shared_weights: Path) -> Teacher:
    return Teacher(load_lpips("alex", BACKBONES["alex"].locate()), DIMENSIONS)


def squared(sr: Tensor, hr: Tensor) -> Tensor:
    return (sr - hr).square().flatten(1).mean(1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_network_is_a_distance(network: LPIPSLiteNet) -> None:
    first, second = noise(2, 3, 3, 47, 53)
    with torch.no_grad():
        apart = network(first, second)
        assert apart.shape == (3,) and bool((apart > 0).all())
        assert torch.equal(network(first, first), torch.zeros(3))
        assert torch.allclose(apart, network(second, first))
        alone = torch.cat([network(a[None], b[None]) for a, b in zip(first, second, strict=True)])
        assert torch.allclose(apart, alone, rtol=1e-5)


def test_a_gradient_is_finite_where_features_vanish(network: LPIPSLiteNet) -> None:
    flat = torch.full((1, 3, 40, 40), 0.45, requires_grad=True)  # every layer sees zeros and its bias
    for layer in network.layers:
        conv = next(module for module in layer.modules() if isinstance(module, nn.Conv2d))
        nn.init.constant_(conv.bias, -1.0)
    network(flat, torch.zeros(1, 3, 40, 40)).backward()
    assert flat.grad is not None and bool(torch.isfinite(flat.grad).all())


def test_folding_keeps_the_function() -> None:
    learning = initialised(lambda: LPIPSLiteNet(learning=True), 3, "test")
    assert isinstance(learning, LPIPSLiteNet)
    first, second = noise(2, 4, 3, 64, 64)
    for _ in range(3):
        learning(first, second)  # moves the running statistics away from zero and one
    learning.eval()
    with torch.no_grad():
        assert torch.allclose(learning.folded()(first, second), learning(first, second), rtol=1e-4)


def test_its_maps_have_the_sizes_of_alexnets(network: LPIPSLiteNet, teacher: Teacher) -> None:
    first, second = noise(2, 2, 3, 70, 83)
    with torch.no_grad():
        theirs = maps(teacher.features(first), teacher.features(second))
        mine = maps(network.features(first), network.features(second))
        assert [layer.shape for layer in mine] == [layer.shape for layer in theirs]
        whole = teacher.network(first, second, normalize=True).flatten()
        assert torch.allclose(total(theirs), whole, atol=1e-6)


def test_the_teachers_embeddings_keep_its_distances(teacher: Teacher, pairs: Pairs) -> None:
    batches = [pairs(index, [squared]) for index in range(3)]
    teacher.fit(batches)
    assert teacher.shares[0] > 0.99 and min(teacher.shares) > 0.85
    hr, other = pairs(7, [squared])
    with torch.no_grad():
        whole = [teacher.features(images) for images in (hr, other)]
        few = [teacher.embeddings(features) for features in whole]
        ratio = total(maps(*few)) / total(maps(*whole))
    assert float(ratio.max()) <= 1 + 1e-4 and float(ratio.min()) > 0.75


def test_pairs_follow_from_seed_and_index(pairs: Pairs) -> None:
    hr, other = pairs(3, [squared])
    assert hr.shape == other.shape == (8, 3, SIDE, SIDE)
    assert float(other.min()) >= 0 and float(other.max()) <= 1
    again = pairs(3, [squared])
    assert torch.equal(hr, again[0]) and torch.equal(other, again[1])
    assert not torch.equal(hr, pairs(4, [squared])[0])
    assert bool((squared(hr, other) > 0).all())


@pytest.mark.slow
def test_learning_brings_the_student_to_the_teacher(pairs: Pairs, teacher: Teacher, tmp_path: Path) -> None:
    made = make_pool(pairs, teacher, 12, tmp_path)
    losses: list[float] = []
    learnt = distill(made, iterations=30, batch=8, on_iteration=lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    first, second = (distill(made, iterations=2, batch=4).state_dict() for _ in range(2))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    images, _, distances = made.batch(np.arange(len(made)))
    with torch.no_grad():
        student = learnt(images[: len(made)], images[len(made) :])
    # Calibrated: the least squares over the same pairs leave no common factor.
    assert float(student.sum() / distances.sum()) == pytest.approx(1, abs=0.25)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(1e-5, 30))
@example(149, 0.0005)  # its scales are subnormal in fp16
def test_packing_rounds_by_half_a_step(seed: int, size: float) -> None:
    weights = {"a.weight": (noise(4, 3, 5, 5, seed=seed) - 0.5) * size, "a.bias": noise(4, seed=seed)}
    back = from_int8(to_int8(weights))
    step = weights["a.weight"].abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-6) / 127
    assert bool(((back["a.weight"] - weights["a.weight"]).abs() <= 0.501 * step).all())
    assert torch.allclose(back["a.bias"], weights["a.bias"], rtol=1e-3, atol=1e-7)  # fp16's least is 6e-8


def test_what_ships_is_small_and_is_the_objective_and_the_metric() -> None:
    assert WEIGHTS.stat().st_size <= 1_000_000
    network = load()
    first, second = noise(2, 1, 3, 64, 64)
    objective = parse_objective("lpips-lite")
    assert objective.text == "lpips-lite"
    assert torch.allclose(objective(first, second), network(first, second), atol=1e-7)
    with pytest.raises(BadInput, match="at least 31 pixels"):
        objective.bind(noise(1, 3, 30, 64))


def test_what_ships_ranks_as_lpips_does(shared_weights: Path, shared: Path) -> None:
    """On photographs under noise and blur; leaderboards/lpips-lite.md has networks and images never seen."""
    from PIL import Image

    kodak = sorted((shared / "assets/images/Kodak24").glob("*.png"))
    teacher, student = load_lpips("alex", BACKBONES["alex"].locate()), load()
    wanted, measured = [], []
    for number, file in enumerate(kodak[:4]):
        pixels = np.asarray(Image.open(file).convert("RGB"))[:160, :160]
        hr = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        for level in range(6):
            noisy = (hr + 0.03 * level * (noise(*hr.shape, seed=number) - 0.5)).clamp(0, 1)
            small = nn.functional.interpolate(hr, scale_factor=1 / (1 + level), mode="area")
            blurred = nn.functional.interpolate(small, hr.shape[-2:], mode="bicubic").clamp(0, 1)
            for other in (noisy, blurred):
                with torch.no_grad():
                    wanted.append(float(teacher(other, hr, normalize=True)))
                    measured.append(float(student(other, hr)))
    assert spearmanr(wanted, measured)[0] > 0.95
    assert np.abs(np.array(wanted) - measured).mean() < 0.05


def test_weights_survive_a_file(network: LPIPSLiteNet, tmp_path: Path) -> None:
    save(network, tmp_path / "lite.safetensors")
    again = load(tmp_path / "lite.safetensors")
    first, second = noise(2, 2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(again(first, second), network(first, second), rtol=0.05)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.safetensors holds no lpips-lite"):
        load(tmp_path / "none.safetensors")
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match=r"other\.safetensors holds no lpips-lite"):
        load(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(BadInput, match=r"text\.safetensors holds no lpips-lite"):
        load(tmp_path / "text.safetensors")
