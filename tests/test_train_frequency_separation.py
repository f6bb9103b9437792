"""Source domains, and the DSGAN that learns to degrade as they do."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from degradation_cases import FS, P, batch, crops, made, noisy, small_context, two_sources
from torch import Tensor

from srbench.attacks.noise import generator as seeded
from srbench.datasets import degrade
from srbench.errors import BadInput, Unavailable
from srbench.train import degradations
from srbench.train.data.resize import bicubic_down
from srbench.train.degradations import Batch, Context
from srbench.train.degradations.dsgan import DSGAN, build_dsgan, build_texture_discriminator
from srbench.train.degradations.dsgan_training import FIRST_INPUT, DSGANTraining, decay
from srbench.train.degradations.frequency_separation import (
    FrequencySeparationSettings,
    _plan,
)
from srbench.train.degradations.source_domain import FIRST_CROP, open_domain
from srbench.train.frequency import high_pass, low_pass


@pytest.fixture
def context() -> Context:
    return small_context()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_sources(tmp_path)


@pytest.mark.parametrize("name", ["ntire", "aim"])
def test_mini_domains_are_training_crops_degraded(name: str, context: Context) -> None:
    asked: list[int] = []

    def watched(indices: Sequence[int]) -> Tensor:
        asked.extend(indices)
        return crops(indices)

    domain = open_domain(f"mini:{name}", replace(context, crops=watched), count=20)
    assert sorted(asked) == list(range(FIRST_CROP, FIRST_CROP + 20))
    images = list(domain)
    assert len(images) == len(domain) == 20
    assert all(image.shape == (P // 4, P // 4, 3) and image.dtype == np.uint8 for image in images)
    hr = (crops(asked) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    clean = np.stack([degrade.bicubic(image) for image in hr]).astype(np.float64)
    inside = (clean > 40) & (clean < 215)
    residual = (np.stack(images) - clean)[inside]
    if name == "ntire":
        assert residual.std() == pytest.approx(6.65, abs=0.3)
        assert residual.mean() == pytest.approx(-1, abs=0.5)
    for number, (image, source) in enumerate(zip(images, hr, strict=True)):
        digest = hashlib.sha256(f"{context.seed}\0mini:{name}\0{number}".encode()).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
        assert (image == getattr(degrade, name)(source, random)).all()
    again = open_domain(f"mini:{name}", context, count=20)
    other = open_domain(f"mini:{name}", replace(context, seed=1), count=20)
    assert again.content_hash == domain.content_hash != other.content_hash


def test_crops_of_a_domain_are_places_of_its_images(folder: Path, context: Context) -> None:
    domain = open_domain(str(folder), context)
    cut = domain.crops(range(40), 8, seed=1)
    assert torch.equal(cut[3:5], domain.crops([3, 4], 8, seed=1))
    assert not torch.equal(cut, domain.crops(range(40), 8, seed=2))
    edges = cut.std((1, 2, 3)) > 0.4
    assert edges.any() and not edges.all()
    assert cut[~edges].mean() * 255 == pytest.approx(120, abs=2)
    with pytest.raises(BadInput, match="24 x 40 px, smaller than crops of 25"):
        domain.crops([0], 25, seed=1)


def test_low_pass_is_the_average_of_the_window() -> None:
    x = noisy(2)
    assert torch.equal(low_pass(x, 5, border=False), F.avg_pool2d(x, 5, 1))
    assert torch.allclose(low_pass(x, 5)[..., 2:-2, 2:-2], F.avg_pool2d(x, 5, 1))
    assert torch.allclose(low_pass(x, 5)[..., 0, 0], x[..., :3, :3].mean((-2, -1)))
    flat = torch.full((1, 3, 9, 9), 0.3)
    assert torch.allclose(low_pass(flat, 9), flat)
    assert torch.allclose(high_pass(flat, 9), torch.full_like(flat, 0.5))
    assert torch.allclose(high_pass(x, 5), 0.5 + 0.5 * (x - low_pass(x, 5)))
    assert torch.equal(low_pass(x, 1), x)
    for width in (0, 4):
        with pytest.raises(BadInput, match="odd"):
            low_pass(x, width)
    with pytest.raises(BadInput, match="does not fit"):
        low_pass(x, 33, border=False)


def test_dsgan_has_the_published_size() -> None:
    conv = 64 * 64 * 9 + 64
    published = (3 * 64 * 9 + 64 + 1) + 8 * (2 * conv + 1) + (64 * 3 * 9 + 3)
    assert sum(p.numel() for p in DSGAN().parameters()) == published
    judge = build_texture_discriminator(64, torch.Generator().manual_seed(0))
    due = (75 * 64 + 64) + (1600 * 128 + 128 + 256) + (3200 * 256 + 256 + 512) + (256 + 1)
    assert sum(p.numel() for p in judge.parameters()) == due
    assert judge(noisy(1)).shape == (1, 1, P, P)


def test_a_batch_norm_hides_how_strong_noise_is() -> None:
    """Real and made are batches of their own: noise of twice the strength gets the same logits."""
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for norm, ratio in (("batch", 1.0), ("none", 2.0)):
        judge = build_texture_discriminator(4, torch.Generator().manual_seed(0), norm)  # type: ignore[arg-type]
        for layer in judge.modules():
            if isinstance(layer, torch.nn.Conv2d):
                assert layer.bias is not None
                torch.nn.init.zeros_(layer.bias)
        assert torch.allclose(judge(2 * noise), ratio * judge(noise), atol=1e-4)


def test_a_dsgan_that_skips_starts_as_the_identity() -> None:
    network = build_dsgan(4, 1, True, torch.Generator().manual_seed(0))
    x = torch.cat([noisy(2), torch.zeros(1, 3, P, P), torch.ones(1, 3, P, P)])
    assert (network(x) - x).abs().max() <= 0.5 / 255 + 1e-6


def test_a_dsgan_like_the_identity_keeps_clean_lr(folder: Path, context: Context) -> None:
    whole = Batch(crops(range(16)), tuple(str(i) for i in range(16)))
    clean = made(context, kind="clean")(whole)
    table = FS | {"source": str(folder), "skip": True, "quantize": False}
    still = made(context, **table | {"lr": 1e-9})
    assert (still(whole) - clean).abs().max() <= 0.5 / 255 + 1e-4
    moved = made(context, **table | {"lr": 1e-2, "iterations": 30})(whole)
    assert (moved - clean).abs().max() > 1e-3
    assert (low_pass(moved, 5) - low_pass(clean, 5)).abs().mean() < 2 / 255


def test_the_losses_of_the_first_step_by_hand(folder: Path, context: Context) -> None:
    settings = degradations.parse(FS | {"source": str(folder), "low_pass": 3})
    assert isinstance(settings, FrequencySeparationSettings)
    domain = open_domain(str(folder), context)
    training = DSGANTraining(_plan(settings, ""), context, domain)
    losses = training._step(0)
    network = build_dsgan(4, 1, False, seeded(7, "generator", "dsgan"))
    judge = build_texture_discriminator(2, seeded(7, "discriminator", "dsgan"))
    lr = bicubic_down(crops([FIRST_INPUT, FIRST_INPUT + 1]), quantize=True)
    sr, real = network(lr), domain.crops([0, 1], 8, 7)

    def logits(x: Tensor) -> Tensor:
        ones = torch.ones(3, 1, 3, 3)
        share = F.conv2d(torch.ones_like(x), ones, padding=1, groups=3)
        mean = F.conv2d(x, ones, padding=1, groups=3) / share
        made: Tensor = judge(0.5 + 0.5 * (x - mean))
        return made

    colour = (F.avg_pool2d(sr, 3, 1) - F.avg_pool2d(lr, 3, 1)).abs().mean()
    texture = -torch.sigmoid(logits(sr)).log().mean()
    discriminator = -torch.sigmoid(logits(real)).log().mean() - (1 - torch.sigmoid(logits(sr))).log().mean()
    assert torch.allclose(losses, torch.stack([colour, texture, torch.zeros(()), discriminator]), rtol=1e-5)
    # Adam's first step moves every weight by the learning rate against its gradient's sign.
    (colour + 0.005 * texture).backward()
    for before, after in zip(network.parameters(), training.network.parameters(), strict=True):
        assert before.grad is not None
        clear = before.grad.abs() > 1e-5
        moved = (after - before).detach()
        assert torch.allclose(moved[clear], -2e-4 * before.grad[clear].sign(), atol=2e-6)
        assert clear.any()


def test_a_trained_dsgan_is_kept_and_taken_again_only_where_it_fits(
    tmp_path: Path, folder: Path, context: Context
) -> None:
    lines: list[str] = []
    run = replace(context, folder=tmp_path / "run", report=lines.append)
    table = FS | {"source": str(folder)}
    first = made(run, **table)
    trained = [line for line in lines if line.startswith("DSGAN 3/3")]
    assert len(trained) == 1
    lines.clear()
    second = made(run, **table)
    assert lines == [f"DSGAN for {folder}: already trained"]
    assert torch.equal(first(batch()), second(batch()))
    assert first.describe() == second.describe()
    assert torch.equal(first(batch()), made(context, **table)(batch()))  # trained without a folder
    for change in ({"lr": 1e-3}, {"iterations": 4}, {"texture": 0.1}):
        lines.clear()
        made(run, **table | change)
        assert any("left" in line for line in lines), change
    (tmp_path / "run/dsgan.safetensors").write_bytes(b"half a file")
    lines.clear()
    assert torch.equal(made(run, **table)(batch()), first(batch()))
    assert any("left" in line for line in lines)


def test_an_interrupted_training_leaves_nothing(tmp_path: Path, folder: Path, context: Context) -> None:
    def stop(line: str) -> None:
        if line.startswith("DSGAN 2/3"):
            raise KeyboardInterrupt

    run = replace(context, folder=tmp_path / "run", report=stop)
    with pytest.raises(KeyboardInterrupt):
        made(run, **FS, source=str(folder))
    assert not list((tmp_path / "run").glob("*.safetensors"))
    made(replace(run, report=lambda line: None), **FS, source=str(folder))
    assert [file.name for file in (tmp_path / "run").glob("*.safetensors")] == ["dsgan.safetensors"]


def test_without_lpips_the_dsgan_takes_lpips_lite_and_says_so(folder: Path, context: Context) -> None:
    large = replace(context, crops=lambda indices: F.interpolate(crops(indices), scale_factor=4))
    table = FS | {"source": "mini:ntire", "source_images": 4, "crop": 32, "perceptual_net": "auto"}
    facts = made(large, **table).describe()
    assert facts["perceptual_used"] == "lpips-lite"
    assert "lpips-alex is not installed" in facts["perceptual_note"]
    with pytest.raises(Unavailable, match="download"):
        made(context, **FS | {"source": str(folder), "perceptual_net": "lpips-alex"})


def test_with_lpips_the_dsgan_uses_it(shared_weights: Path, context: Context) -> None:
    large = replace(context, crops=lambda indices: F.interpolate(crops(indices), scale_factor=4))
    table = FS | {"source": "mini:ntire", "source_images": 4, "crop": 32, "perceptual_net": "auto"}
    assert made(large, **table).describe()["perceptual_used"] == "lpips-alex"


def test_dsgan_crops_larger_than_the_training_crops_are_refused(folder: Path, context: Context) -> None:
    with pytest.raises(BadInput, match="set crop of frequency-separation to 8 or less"):
        made(context, **FS | {"source": str(folder), "crop": 16})


def test_the_learning_rate_falls_over_the_last_half() -> None:
    assert [decay(i, 8) for i in range(8)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
