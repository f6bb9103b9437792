"""BSRGAN's degradation: orders and draws by their odds, operations by independent references."""

from __future__ import annotations

import io
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

from srbench.datasets import blind, shuffled
from srbench.datasets.shuffled import PUBLISHED, STEPS, ShuffledSettings

STILL = ShuffledSettings(
    halve=0,
    variance=(0, 0),
    sigma=(0, 0),
    shrink=1,
    factor=0.25,
    std=(0, 0),
    gray=0,
    colour=1,
    jpeg=0,
    quality=(95, 95),
)
"""Kernels are spikes, the first shrinking is by 1, and there is no noise: only resizing and JPEG are left."""


def test_every_order_with_resizing_after_shrinking_is_as_likely() -> None:
    rng = np.random.default_rng(0)
    orders = [o for o in permutations(STEPS) if o.index("shrink") < o.index("resize")]
    drawn = Counter(tuple(shuffled.order(rng)) for _ in range(20_000))
    assert set(drawn) == set(orders) and len(orders) == 360
    assert stats.chisquare([drawn[o] for o in orders]).pvalue > 1e-4


def test_blur_kernels_have_the_spread_that_is_published() -> None:
    rng = np.random.default_rng(1)
    kernels = [shuffled.draw_kernel(PUBLISHED, 4, rng) for _ in range(1500)]
    assert {len(k) for k in kernels} == {7, 9, 11, 13, 15, 17, 19, 21, 23, 25}
    assert all(k.sum() == pytest.approx(1) and np.allclose(k, k[::-1, ::-1]) for k in kernels)
    round_ = [k for k in kernels if np.allclose(k, k.T) and np.allclose(k, k[::-1])]
    assert len(round_) / len(kernels) == pytest.approx(0.5, abs=0.06)
    # Large kernels cut nothing off, so that their second moments are the variances that were drawn.
    wide = [k for k in kernels if len(k) >= 21]
    spread = np.array([np.linalg.eigvalsh(_moments(k)) for k in wide])
    assert spread.max() <= 8.0 and spread[:, 1].max() > 6.5
    assert spread[[np.allclose(k, k.T) for k in wide]].max() <= 2.8**2


def _moments(kernel: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: len(kernel), : len(kernel)] - float(len(kernel) // 2)
    mixed = (kernel * rows * columns).sum()
    return np.array([[(kernel * columns**2).sum(), mixed], [mixed, (kernel * rows**2).sum()]])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_sampling_takes_the_middle_of_each_cell(factor: int) -> None:
    ramp = np.broadcast_to(np.arange(24.0 * factor)[:, None, None], (24 * factor, 24 * factor, 3)) / 200
    middles = (factor * np.arange(24) + (factor - 1) / 2) / 200
    found = shuffled.sampled(ramp, factor, 0.4 * factor)
    assert found.shape == (24, 24, 3)
    assert found[8:16, 5, 0] == pytest.approx(middles[8:16])
    image = np.random.default_rng(2).random((8 * factor, 8 * factor, 3))
    # A narrow Gaussian sees the pixels nearest the middle: one of an odd cell, four of an even one.
    near = image[factor // 2 :: factor, factor // 2 :: factor]
    if factor % 2 == 0:
        near = image.reshape(8, factor, 8, factor, 3)[:, factor // 2 - 1 : factor // 2 + 1]
        near = near[..., factor // 2 - 1 : factor // 2 + 1, :].mean((1, 3))
    assert shuffled.sampled(image, factor, 0.1) == pytest.approx(near)
    line = np.exp(-0.5 * ((np.arange(25) - 12 - (factor - 1) / 2) / (0.6 * factor)) ** 2)
    kernel = np.outer(line, line) / np.outer(line, line).sum()
    due = [ndimage.correlate(image[..., c], kernel, mode="mirror")[::factor, ::factor] for c in range(3)]
    assert shuffled.sampled(image, factor, 0.6 * factor) == pytest.approx(np.stack(due, -1))


def test_noise_is_of_three_kinds_as_often_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    correlated: list[int] = []
    draw = shuffled.draw_covariance
    monkeypatch.setattr(shuffled, "draw_covariance", lambda rng: (correlated.append(1), draw(rng))[1])
    rng = np.random.default_rng(3)
    made = [shuffled.noise(np.zeros((12, 12, 3)), PUBLISHED, rng) for _ in range(1000)]
    gray = [noise for noise in made if np.array_equal(noise[..., 0], noise[..., 2])]
    assert len(gray) / 1000 == pytest.approx(0.4, abs=0.06)
    assert len(correlated) / 1000 == pytest.approx(0.2, abs=0.06)
    stds = 255 * np.array([noise.std() for noise in gray])
    assert stds.min() < 4 and 23 < stds.max() < 29 and stds.mean() == pytest.approx(13.5, abs=1.2)


def test_correlated_noise_has_the_covariance_that_is_drawn() -> None:
    settings = ShuffledSettings(gray=0, colour=0)
    drawn = 255 * shuffled.noise(np.zeros((300, 400, 3)), settings, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    rng.integers(2, 25, endpoint=True), rng.random()
    due = shuffled.draw_covariance(rng) * 25**2
    assert np.cov(drawn.reshape(-1, 3).T) == pytest.approx(due, abs=0.02 * due.max())
    assert (due >= 0).all() and np.allclose(due, due.T)


def test_what_is_left_without_blur_and_noise_is_resizing_and_jpeg() -> None:
    hr = np.random.default_rng(5).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    due = np.stack([_jpeg(blind.resize(hr / 255.0, (16, 24), mode)) for mode in blind.MODES]).astype(int)
    nearest = Counter()
    for seed in range(30):
        far = np.abs(shuffled.degrade(hr, STILL, np.random.default_rng(seed)) - due).mean((1, 2, 3))
        # Means of whole levels have ties, which the blur's rounding turns either way.
        assert 3 * far.min() < sorted(far)[1]
        nearest[int(far.argmin())] += 1
    assert len(nearest) == 3


def test_halving_first_leaves_the_same_size() -> None:
    hr = np.random.default_rng(6).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    halved = STILL.model_copy(update={"halve": 1.0, "factor": 0.5})
    made = [shuffled.degrade(hr, halved, np.random.default_rng(s)) for s in range(10)]
    assert {lr.shape for lr in made} == {(16, 24, 3)}
    assert {lr.tobytes() for lr in made}.isdisjoint(
        {shuffled.degrade(hr, STILL, np.random.default_rng(s)).tobytes() for s in range(10)}
    )


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_any_size_and_scale_gives_lr_that_differs_from_image_to_image(scale: int) -> None:
    hr = np.random.default_rng(7).integers(0, 256, (16 * scale, 11 * scale, 3), dtype=np.uint8)
    made = [shuffled.shuffled(hr, np.random.default_rng(seed), scale) for seed in range(20)]
    assert all(lr.shape == (16, 11, 3) and lr.dtype == np.uint8 for lr in made)
    assert len({lr.tobytes() for lr in made}) == 20
    assert np.array_equal(made[5], shuffled.shuffled(hr, np.random.default_rng(5), scale))


def _jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    levels = np.floor(255 * image.clip(0, 1) + 0.5).astype(np.uint8)
    Image.fromarray(levels).save(file, "JPEG", quality=95, subsampling=2)
    return np.asarray(Image.open(file).convert("RGB"))
