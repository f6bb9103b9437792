"""Degradation sources, each against a hand-computed or library value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from degradation_tables import PATCH, TABLES, batch, context, crops, made
from helpers import blurry_upscaler
from PIL import Image
from torch import Tensor

from srbench.attacks import MSE, RandomNoise, StructuredPGD
from srbench.datasets import blind, degrade, shuffled
from srbench.errors import BadInput
from srbench.train.data.base import sample_rng
from srbench.train.degradations import KINDS, parse
from srbench.train.degradations.noise_patches import PatchRules, collect_patches

COPIES = {"gaussian": 6}
"""So many LR images of a sample, where there is more than one; these are not clipped."""


def test_every_kind_is_tried_here() -> None:
    assert {table["kind"] for table in TABLES.values()} == set(KINDS)


@pytest.mark.parametrize("name", TABLES)
def test_a_sample_does_not_depend_on_its_batch(name: str) -> None:
    degradation = made(TABLES[name])
    together, copies = degradation(batch(3)), COPIES.get(name, 1)
    assert together.shape == (3 * copies, 3, PATCH // 4, PATCH // 4)
    assert name in COPIES or 0 <= together.min() <= together.max() <= 1
    assert not together.requires_grad
    alone = torch.stack([degradation(batch(1, first=i)) for i in range(3)], 1).flatten(0, 1)
    # Where a gradient is zero but for rounding, the sum's order may decide the sign of a step.
    agree = (together - alone).abs() <= 1e-6
    assert agree.double().mean() > 0.99
    if name not in ("adversarial", "attacked blind"):
        assert agree.all()
    assert torch.equal(made(TABLES[name])(batch(3)), together)


@pytest.mark.parametrize("name", TABLES)
def test_settings_survive_their_own_text(name: str) -> None:
    chosen = parse(TABLES[name])
    assert parse(chosen.model_dump(mode="json")) == chosen


def test_clean_is_matlabs_bicubic_to_the_bit() -> None:
    clean = made(TABLES["clean"])(batch(2))
    for lr, hr in zip(clean, crops([0, 1]), strict=True):
        pixels = (hr * 255).round().byte().permute(1, 2, 0).numpy()
        expected = degrade.bicubic(pixels)
        assert np.array_equal((lr * 255).round().byte().permute(1, 2, 0).numpy(), expected)


def test_adversarial_is_the_attack_of_the_library() -> None:
    generator = blurry_upscaler()
    run = context(generator=generator)
    samples = batch(2)
    clean = made(TABLES["clean"])(samples)
    adversarial = made({"kind": "adversarial", "loss": "l1", "eps": "8", "steps": 3}, run)(samples)
    attack = StructuredPGD(generator, eps=8 / 255, steps=3, objective="l1", seed=7)
    assert torch.equal(adversarial, attack(clean, samples.hr, samples.ids))
    assert (adversarial - clean).abs().max() <= 8 / 255 + 1e-6
    noise = made(TABLES["random"], run)(samples)
    assert torch.equal(noise, RandomNoise(generator, seed=7)(clean, samples.hr, samples.ids))
    assert all(p.requires_grad and p.grad is None for p in generator.parameters())
    assert generator.training


def test_percep_is_trainings_own_loss_and_its_target_is_not_bound_again() -> None:
    calls = []

    def score(sr: Tensor) -> Tensor:
        calls.append(sr.shape)
        return (sr - hr).square().flatten(1).mean(1)

    hr = crops([0, 1])
    samples = batch(2, score=score, score_text="mine")
    degradation = made({"kind": "adversarial", "loss": "percep", "steps": 2})
    adversarial = degradation(samples)
    assert len(calls) == 2
    clean = made(TABLES["clean"])(samples)
    attack = StructuredPGD(blurry_upscaler(), objective=MSE(), seed=7)
    assert torch.equal(adversarial, attack(clean, hr, samples.ids))
    assert degradation.describe()["loss_used"] == "mine"
    with pytest.raises(BadInput, match="no perceptual loss"):
        degradation(batch(2))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "needs a kind"),
        ({"kind": "clear"}, "unknown degradation 'clear'"),
        ({"kind": []}, r"unknown degradation '\[\]'"),
        ({"kind": "adversarial", "eps": "0.05"}, "ambiguous"),
        ({"kind": "adversarial", "ep": "14"}, "did you mean 'eps'"),
        ({"kind": "adversarial", "steps": -1}, "'steps'"),
        ({"kind": "adversarial", "loss": "l7"}, "l7"),
        ({"kind": "noise-injection"}, "'source'"),
        ({"kind": "mixture", "parts": [{"kind": "clean", "weight": 0}]}, "weight"),
    ],
)
def test_bad_settings_are_named(table: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse(table)


@pytest.mark.parametrize(
    ("table", "needed"),
    [
        ({"kind": "clean"}, False),
        ({"kind": "adversarial"}, True),
        ({"kind": "adversarial", "loss": "l1"}, False),
        ({"kind": "adversarial", "steps": 0}, False),
        ({"kind": "noise-injection", "source": "photos/perception"}, False),
        ({"kind": "frequency-separation", "source": "perceptual"}, False),
        ({"kind": "mixture", "parts": [{"kind": "noise-injection", "source": "percep"}]}, False),
        ({"kind": "mixture", "parts": [{"kind": "clean"}, {"kind": "adversarial"}]}, True),
    ],
)
def test_a_perceptual_network_is_for_those_that_attack_it(table: dict[str, Any], needed: bool) -> None:
    assert parse(table).needs_perceptual() is needed


def test_injected_noise_is_a_patch_without_its_mean() -> None:
    rng = np.random.default_rng(0)
    patch = rng.integers(100, 108, (1, 16, 16, 3), dtype=np.uint8)
    patches = collect_patches([patch[0]], PatchRules(16, 16, 20.0, 0.0, 10), source="x", seed=0)
    noise = patches.draw((16, 16), ["5"], 0)[0]
    expected = patch[0].astype(float) / 255
    expected = (expected - expected.mean((0, 1))).transpose(2, 0, 1)
    assert np.allclose(noise.numpy(), expected, atol=1e-6)
    smaller = patches.draw((8, 8), ["1", "2"], 0)
    assert smaller.mean((-2, -1)).abs().max() < 1e-6
    assert not torch.equal(smaller[0], smaller[1])


def test_patches_obey_the_rules(tmp_path: Path) -> None:
    smooth = np.full((40, 40, 3), 90, dtype=np.uint8)
    smooth[::2] += 4
    busy = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    dark = np.full((40, 40, 3), 10, dtype=np.uint8)
    for name, pixels in (("smooth", smooth), ("busy", busy), ("dark", dark)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    table = {"kind": "noise-injection", "source": str(tmp_path), "patch": 20, "stride": 20, "min_mean": 50}
    assert made(table).describe()["noise_patches"] == 4
    with pytest.raises(BadInput, match="max_variance"):
        made(table | {"max_variance": 0.5})
    with pytest.raises(BadInput, match="min_mean"):
        made(table | {"min_mean": 200})
    with pytest.raises(BadInput, match="at most 40 px"):
        made(table | {"patch": 64})


def test_noise_is_put_together_from_patches_smaller_than_lr() -> None:
    columns = np.tile([0, 4, 0], (3, 1))[..., None].repeat(3, -1)
    images = [(100 + sign * columns).astype(np.uint8) for sign in (1, -1, 2, -2)]
    noise = collect_patches(images, PatchRules(3, 3, 20.0, 0.0, 10), source="x", seed=0)
    steps = set()
    for sample in noise.draw((8, 8), [str(i) for i in range(20)], 0) * 255:
        for tile in (sample[:, i : i + 3, j : j + 3] for i in (0, 3, 6) for j in (0, 3, 6)):
            assert tile.mean((-2, -1)).abs().max() < 1e-4
            steps.add(round((tile[0, 0, 1] - tile[0, 0, 0]).item()))
    assert steps == {4, -4, 8, -8}


def test_a_flat_kernel_is_the_mean_of_the_four_by_four(tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.full((4, 4), 1 / 16))
    table = TABLES["noise"] | {"kernels": str(tmp_path), "quantize": False}
    with_noise, noise = made(table), made(TABLES["noise"])
    samples = batch(2)
    # The same noise is added to both, so their difference is that of the two ways to downscale.
    pooled = F.avg_pool2d(samples.hr, 4)
    bicubic = made(TABLES["clean"])(samples)
    difference = with_noise(samples) - noise(samples)
    inside = ((with_noise(samples) > 0) & (with_noise(samples) < 1)) & (
        (noise(samples) > 0) & (noise(samples) < 1)
    )
    assert inside.float().mean() > 0.8
    assert torch.allclose(difference[inside], (pooled - bicubic)[inside], atol=2e-6)
    (tmp_path / "text.npy").write_text("nothing")
    with pytest.raises(BadInput, match="blur kernels"):
        made(table)


def test_mixture_keeps_its_proportions() -> None:
    table = {
        "kind": "mixture",
        "parts": [{"kind": "clean", "weight": 3}, {"kind": "adversarial", "steps": 0}],
    }
    degradation: Any = made(table)
    owners = [degradation.part_of(str(i)) for i in range(2000)]
    assert owners.count(0) / 2000 == pytest.approx(0.75, abs=0.04)
    samples = batch(6)
    parts = [made(TABLES["clean"])(samples), made(TABLES["random"])(samples)]
    mixed = degradation(samples)
    for position in range(6):
        assert torch.equal(mixed[position], parts[owners[position]][position])


@pytest.mark.parametrize(("name", "make"), [("blind", blind.blind), ("bsrgan", shuffled.shuffled)])
def test_blind_input_is_the_data_sets_degradation(
    name: str, make: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> None:
    samples = batch(2, first=40)
    for lr, hr, i in zip(made(TABLES[name])(samples), samples.hr, (40, 41), strict=True):
        pixels = (hr * 255).round().byte().permute(1, 2, 0).numpy()
        due = make(pixels, sample_rng(7, i, "blind"))
        assert np.array_equal((lr * 255).round().byte().permute(1, 2, 0).numpy(), due)
    ranges = {"quality": [5, 5], "jpeg": 1.0} if name == "bsrgan" else {"final_sinc": 0.0}
    other = made({**TABLES[name], "ranges": ranges})
    assert not torch.equal(other(samples), made(TABLES[name])(samples))
    assert other.describe()["ranges"].items() >= ranges.items()
    with pytest.raises(BadInput, match="typo"):
        parse({**TABLES[name], "ranges": {"typo": 1}})


def test_an_attack_comes_after_another_degradation() -> None:
    generator, samples = blurry_upscaler(), batch(2)
    run = context(generator=generator)
    first = made(TABLES["blind"], run)(samples)
    attacked = made({**TABLES["attacked blind"], "eps": "8", "steps": 3}, run)(samples)
    attack = StructuredPGD(generator, eps=8 / 255, steps=3, objective="l1", seed=7)
    assert torch.equal(attacked, attack(first, samples.hr, samples.ids))
    assert parse({**TABLES["attacked blind"], "loss": "percep"}).needs_perceptual()
    assert not parse(TABLES["attacked blind"]).needs_perceptual()
    with pytest.raises(BadInput, match="unknown degradation"):
        parse({**TABLES["attacked blind"], "first": {"kind": "blond"}})


def test_gaussian_noise_has_its_levels_group_by_group() -> None:
    samples = batch(40)
    degradation = made({"kind": "gaussian", "sigmas": ["5", "20", "0"], "samples": 3})
    clean = made(TABLES["clean"])(samples)
    noise = (degradation(samples).unflatten(0, (3, 3, 40)) - clean) * 255
    assert degradation.samples == 3
    assert noise[0].std() == pytest.approx(5, rel=0.02) and noise[1].std() == pytest.approx(20, rel=0.02)
    assert (noise[2] == 0).all() and abs(noise[0].mean()) < 0.1
    copies = torch.stack([noise[0, 0], noise[0, 1], noise[1, 0]]).flatten(1)
    assert torch.corrcoef(copies).fill_diagonal_(0).abs().max() < 0.03
    with pytest.raises(BadInput, match="odd"):
        parse({"kind": "gaussian", "samples": 4})
