"""DSGAN: the authors' pairs, and what lets it see and make noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dsgan_cases import SMALL, made, noisy_folder, small_context, smooth, training
from PIL import Image
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.datasets import degrade
from srbench.errors import BadInput
from srbench.train.data.resize import bicubic_down
from srbench.train.degradations import Batch, Context, parse
from srbench.train.degradations.dsgan import DSGAN, build_dsgan, draw_noise
from srbench.train.degradations.dsgan_training import DSGANTraining, decay
from srbench.train.degradations.frequency_separation import FrequencySeparationSettings, _plan
from srbench.train.degradations.source_domain import FIRST_CROP, open_domain
from srbench.train.frequency import high_pass


@pytest.fixture
def context() -> Context:
    return small_context()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return noisy_folder(tmp_path / "source")


def test_defaults_are_the_authors() -> None:
    settings = FrequencySeparationSettings(source="x")
    assert (settings.pairs, settings.high_pass_scale, settings.noise_channels) == ("source", 1.0, 0)
    assert (settings.average, settings.precision, settings.skip) == (0.0, "fp32", False)
    assert (settings.features, settings.blocks, settings.low_pass) == (64, 8, 5)


def test_source_pairs_are_one_noisy_image_shrunk_and_at_full_size(context: Context, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.mkdir()
    noise = np.random.default_rng(0)
    for level in (60, 120, 180):
        pixels = level + noise.normal(0, 6, (80, 64, 3))
        Image.fromarray(pixels.round().astype(np.uint8)).save(path / f"{level}.png")
    run, domain = training(context, source=str(path), batch=64)
    lr, real = run._batch(0)
    assert lr.shape == real.shape == (64, 3, 8, 8)
    assert torch.allclose(lr.mean((1, 2, 3)), real.mean((1, 2, 3)), atol=4 / 255)
    assert len({round(float(mean) * 255 / 60) for mean in real.mean((1, 2, 3))}) == 3
    # White noise that bicubic shrinks by 4 keeps the root of the sum of its squared weights: a quarter of it.
    left = (lr - lr.mean((1, 2, 3), keepdim=True)).std() / (real - real.mean((1, 2, 3), keepdim=True)).std()
    assert 0.2 < left < 0.35
    large = domain.crops([3], 32, context.seed, "source-input")
    assert torch.equal(run._batch(0)[0][3:4], bicubic_down(large, quantize=True))


def test_training_pairs_are_clean(context: Context) -> None:
    flat = replace(context, crops_of=lambda indices, side: smooth(indices, 128)[..., :side, :side])
    lr, real = training(flat, pairs="training")[0]._batch(0)
    assert (high_pass(lr, 3) - 0.5).std() < 0.5 * (high_pass(real, 3) - 0.5).std()


def test_its_crops_may_be_larger_than_those_of_the_sr_stage(context: Context) -> None:
    small = replace(context, crops=lambda indices: smooth(indices, 64))
    made(small, pairs="training", crop=24)  # 16 px of LR are what the SR stage has
    domain = open_domain("mini:ntire", small, count=2, side=24)
    settings = parse(SMALL | {"pairs": "training", "crop": 24})
    assert isinstance(settings, FrequencySeparationSettings)
    lr, real = DSGANTraining(_plan(settings, ""), small, domain)._batch(0)
    assert lr.shape == real.shape == (settings.batch, 3, 24, 24)
    with pytest.raises(BadInput, match="set crop of frequency-separation to 16 or less"):
        made(replace(small, crops_of=None), pairs="training", crop=24)


def test_images_too_small_for_source_pairs_are_refused(context: Context, folder: Path) -> None:
    with pytest.raises(BadInput, match=r"smaller than crops of 512 px.*or set pairs = 'training'"):
        made(context, source=str(folder), crop=128)


def test_a_mini_domain_has_images_of_the_side_asked_for(context: Context) -> None:
    domain = open_domain("mini:ntire", context, count=3, side=40)
    assert all(image.shape == (40, 40, 3) for image in domain)
    hr = (smooth([FIRST_CROP + 1], 160) * 255).round().byte()[0].permute(1, 2, 0).numpy()
    assert np.abs(domain.image(1).astype(int) - degrade.bicubic(hr)).max() < 40
    # Without larger crops they are laid together from those there are; none is used twice.
    asked: list[int] = []

    def watched(indices: Sequence[int]) -> Tensor:
        asked.extend(indices)
        return smooth(indices, 128)

    apart = open_domain("mini:ntire", replace(context, crops=watched, crops_of=None), count=3, side=40)
    assert all(image.shape == (40, 40, 3) for image in apart)
    parts = [index for index in asked if index != FIRST_CROP] + [FIRST_CROP]
    assert sorted(parts) == list(range(FIRST_CROP, FIRST_CROP + 12))


def test_noise_is_a_samples_own(context: Context) -> None:
    degradation = made(context, noise_channels=2, lr=1e-2, iterations=8)
    hr = smooth(range(3), 64)
    together = degradation(Batch(hr, ("0", "1", "2")))
    alone = torch.cat([degradation(Batch(hr[i : i + 1], (str(i),))) for i in range(3)])
    assert torch.allclose(together, alone, atol=1.01 / 255)
    other = degradation(Batch(hr[:1], ("5",)))
    assert not torch.equal(other, together[:1])


def test_noise_has_unit_variance_and_none_is_drawn_for_no_channels() -> None:
    like = torch.zeros(4, 3, 32, 32)
    noise = draw_noise(like, 3, list("abca"), 1, "test")
    assert noise is not None
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert torch.equal(noise[0], noise[3])
    assert draw_noise(like, 0, list("abca"), 1, "test") is None


def test_the_discriminator_sees_a_scaled_high_pass(context: Context) -> None:
    plain, scaled = (training(context, high_pass_scale=scale)[0] for scale in (1.0, 20.0))
    lr = smooth([1], 32) + 0.02 * torch.randn(1, 3, 32, 32, generator=generator(0, "x", "test"))
    high = high_pass(lr, 5)
    assert torch.equal(plain._judged(lr), plain._judge(high))
    assert torch.allclose(scaled._judged(lr), scaled._judge(0.5 + 20 * (high - 0.5)))


def test_bf16_trains_what_fp32_trains(context: Context) -> None:
    def trained(precision: str) -> Tensor:
        network = training(context, precision=precision, iterations=10, noise_channels=1)[0].run()
        assert not any(parameter.requires_grad for parameter in network.parameters())
        lr = smooth([3], 32)
        found: Tensor = network(lr, torch.ones(1, 1, 32, 32)) - lr
        return found

    exact, fast = trained("fp32"), trained("bf16")
    assert 0 < (exact - fast).abs().mean() < 0.2 * exact.abs().mean()


def test_the_discriminator_may_have_a_rate_of_its_own(context: Context) -> None:
    both, own = (training(context, discriminator_lr=rate, lr=1e-3, iterations=4)[0] for rate in (0, 1e-5))
    for run in (both, own):
        run._step(3)  # three quarters through: half the rate
    assert [o.param_groups[0]["lr"] for o in both._optimizers] == pytest.approx([5e-4, 5e-4])
    assert [o.param_groups[0]["lr"] for o in own._optimizers] == pytest.approx([5e-4, 5e-6])


def test_averaged_weights_lie_between_those_trained(context: Context) -> None:
    run, _ = training(context, average=0.9, iterations=4, lr=1e-3)
    steps = []
    for iteration in range(4):
        run._step(iteration)
        steps.append(run.network.block_output.bias.detach().clone())  # type: ignore[union-attr]
    assert run._average is not None
    expected = torch.zeros_like(steps[0])
    for iteration, latest in enumerate(steps):
        expected = torch.lerp(expected, latest, 1 - min(0.9, (1 + iteration) / (10 + iteration)))
    assert torch.allclose(run._average.block_output.bias, expected, atol=1e-8)  # type: ignore[arg-type]
    assert decay(0, 4) == 1


def test_the_best_of_some_checks_is_kept(context: Context) -> None:
    asked: list[tuple[int, DSGAN]] = []
    steps = 0

    def count(line: str) -> None:
        nonlocal steps
        steps += "colour" in line

    run, _ = training(replace(context, report=count), checks=4, iterations=16, lr=1e-3)

    def misses(network: DSGAN) -> float:
        asked.append((steps, network))
        return [0.5, 0.2, 0.3, 0.4][len(asked) - 1]

    kept = run.run(misses)
    assert [done for done, _ in asked] == [10, 12, 14, 16]
    assert kept is asked[1][1]
    assert not torch.equal(kept.block_output.weight, asked[3][1].block_output.weight)
    last = training(context, iterations=16, lr=1e-3)[0].run(misses)
    assert len(asked) == 4 and torch.equal(last.block_output.weight, asked[3][1].block_output.weight)


def test_the_last_layer_is_exact_under_autocast() -> None:
    network = build_dsgan(8, 1, True, torch.Generator().manual_seed(0))
    white = torch.linspace(0.7, 0.98, 1024).reshape(1, 1, 32, 32).expand(1, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        assert (network(white) - white).abs().max() < 1e-6
    assert DSGAN(8, 1, noise_channels=3).block_input[0].in_channels == 6


@pytest.mark.thorough
def test_a_scaled_high_pass_and_noise_channels_let_it_learn_noise(context: Context) -> None:
    """A short training of a small DSGAN on smooth images comes to about the right level."""
    table = {
        "pairs": "training",
        "source_images": 256,
        "iterations": 400,
        "batch": 8,
        "crop": 16,
        "lr": 1e-3,
        "low_pass": 9,
        "high_pass_scale": 20.0,
        "noise_channels": 3,
        "texture": 0.05,
        "features": 16,
        "average": 0.98,
        "discriminator_features": 16,
    }
    found = made(context, **table).describe()["noise"]["residual"]
    assert 0.6 < found["dsgan"]["std"] / found["source"]["std"] < 1.4
