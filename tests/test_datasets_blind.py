"""Blind degradation: kernels by closed forms, operations by independent references, choices by their odds."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.fft import fft2, fftshift
from PIL import Image
from scipy import ndimage, stats

from srbench.datasets import blind, blur_kernels
from srbench.datasets.blind import PUBLISHED, DrawnRound
from srbench.datasets.blur_kernels import bell, sinc

SIZES = (7, 13, 21)


def moments(kernel: np.ndarray) -> np.ndarray:
    """The second moments about the middle, [[columns, mixed], [mixed, rows]]."""
    rows, columns = np.mgrid[: len(kernel), : len(kernel)] - float(len(kernel) // 2)
    mixed = (kernel * rows * columns).sum()
    return np.array([[(kernel * columns**2).sum(), mixed], [mixed, (kernel * rows**2).sum()]])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", ["gaussian", "generalized", "plateau"])
def test_bells_sum_to_one_and_are_symmetric_about_the_middle(family: Any, size: int) -> None:
    kernel = bell(family, size, (0.9, 2.1), 0.7, 1.6)
    assert kernel.shape == (size, size) and (kernel >= 0).all()
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert np.array_equal(np.unravel_index(kernel.argmax(), kernel.shape), (size // 2, size // 2))
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-15)


def test_a_gaussian_has_the_covariance_it_was_given() -> None:
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    due = turn @ np.diag([2.0**2, 1.0**2]) @ turn.T
    assert moments(bell("gaussian", 41, (2, 1), 0.6)) == pytest.approx(due, abs=1e-6)
    spike = np.zeros((41, 41))
    spike[20, 20] = 1
    plain = ndimage.gaussian_filter(spike, 1.7, truncate=12)
    assert bell("gaussian", 41, (1.7, 1.7)) == pytest.approx(plain, abs=1e-9)


def test_the_shape_decides_how_flat_a_bell_is() -> None:
    """beta 1 is the Gaussian and the Cauchy-like 1/(1 + q); a large one is a flat disc of radius sigma."""
    assert np.allclose(bell("generalized", 21, (2, 3), 0.3, 1.0), bell("gaussian", 21, (2, 3), 0.3))
    rows, columns = np.mgrid[:21, :21] - 10.0
    radius = np.hypot(rows, columns)
    plateau = 1 / (1 + (radius / 2.5) ** 2)
    assert np.allclose(bell("plateau", 21, (2.5, 2.5), 0, 1.0), plateau / plateau.sum())
    for family in ("generalized", "plateau"):
        disc = bell(family, 21, (5.3, 5.3), 0, 200.0)  # type: ignore[arg-type]
        assert np.ptp(disc[radius < 5.2]) < 1e-6 and disc[radius > 5.5].max() < 1e-6


@pytest.mark.parametrize("cutoff", [np.pi / 5, np.pi / 3, 2.0])
def test_a_sinc_passes_what_lies_below_its_cutoff(cutoff: float) -> None:
    """The response is that of a disc: 1 well inside, 0 well outside, a half at the rim."""
    side = 301
    response = np.abs(fftshift(fft2(np.pad(sinc(201, cutoff), 50))))
    rows, columns = (np.indices((side, side)) - side // 2) * 2 * np.pi / side
    radius = np.hypot(rows, columns)
    assert response[radius < 0.7 * cutoff] == pytest.approx(1, abs=0.05)
    assert response[(radius > 1.4 * cutoff) & (radius < np.pi)].max() < 0.05
    assert response[np.abs(radius - cutoff) < 0.01].mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("size", SIZES)
def test_a_sinc_sums_to_one_and_rings(size: int) -> None:
    kernel = sinc(size, np.pi / 2)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.min() < 0 and np.allclose(kernel, kernel.T) and np.allclose(kernel, kernel[::-1, ::-1])
    assert kernel[size // 2, size // 2] > kernel[size // 2, size // 2 + 1]


def test_a_kernel_has_a_middle() -> None:
    with pytest.raises(ValueError, match="odd"):
        sinc(8, 1.0)


@pytest.mark.parametrize("shape", [(40, 33, 3), (6, 50, 3)])
def test_blur_is_scipys_correlation_with_mirrored_borders(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape)
    kernel = bell("plateau", 15, (1.0, 3.0), 0.4, 1.5)
    kernel[2, 3] += 0.2  # not symmetric, so that a convolution would be told from a correlation
    due = np.stack([ndimage.correlate(image[..., c], kernel, mode="mirror") for c in range(3)], -1)
    assert blind.blur(image, kernel) == pytest.approx(due, abs=1e-12)
    assert blind.blur(image, None) is image


@pytest.mark.parametrize("mode", blind.MODES)
def test_resizing_is_torchs(mode: Any) -> None:
    image = np.random.default_rng(1).random((32, 48, 3))
    due = torch.nn.functional.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None], size=(20, 60), mode=mode
    )
    assert np.array_equal(blind.resize(image, (20, 60), mode), due[0].permute(1, 2, 0).numpy())
    constant = np.full((32, 48, 3), 0.3)
    assert blind.resize(constant, (19, 61), mode) == pytest.approx(0.3)
    assert blind.resize(image, (0, 10), mode).shape == (1, 10, 3)


def test_area_is_the_mean_of_what_is_covered() -> None:
    image = np.random.default_rng(2).random((32, 48, 3))
    due = image.reshape(16, 2, 12, 4, 3).mean((1, 3))
    assert blind.resize(image, (16, 12), "area") == pytest.approx(due)


@pytest.mark.parametrize("gray", [False, True])
def test_gaussian_noise_has_its_standard_deviation(gray: bool) -> None:
    noise = 255 * blind.gaussian_noise(np.zeros((300, 400, 3)), 12.5, gray, np.random.default_rng(3))
    assert noise.shape == (300, 400, 3)
    assert noise.std() == pytest.approx(12.5, rel=0.02) and abs(noise.mean()) < 0.15
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 2].ravel())[0, 1] - gray) < 0.02


@pytest.mark.parametrize("gray", [False, True])
def test_poisson_noise_has_the_variance_of_its_photons(gray: bool) -> None:
    """Of 256 levels: strength² times the signal over 256. The luma of a gray image is the image."""
    ramp = np.broadcast_to((np.arange(256) / 255.0)[None, :, None], (4000, 256, 3))
    noise = blind.poisson_noise(ramp, 1.5, gray, np.random.default_rng(4))
    found = noise.var(0).mean(-1)
    due = 1.5**2 * np.arange(256) / 255 / 256
    assert found == pytest.approx(due, rel=0.15, abs=1e-12)
    assert np.abs(noise.mean(0)).max() < 0.01
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1] - gray) < 0.02
    two = blind.poisson_noise(np.where(ramp > 0.5, 1.0, 0.0), 1.0, False, np.random.default_rng(5))
    assert set(np.unique(2 * two)) <= set(range(-2, 30)), "an image of two levels has two photons at white"


@pytest.mark.parametrize("quality", [30, 63, 95])
def test_jpeg_is_pillows(quality: int) -> None:
    levels = np.random.default_rng(6).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    due = np.asarray(Image.open(file).convert("RGB"))
    assert np.array_equal(blind.compress(levels / 255.0, quality), due / 255.0)
    assert np.array_equal(blind.compress(np.full((8, 8, 3), 1.4), 95), np.ones((8, 8, 3)))


def agrees(choices: Sequence[Any], odds: dict[Any, float]) -> bool:
    """Whether counts fit the odds (chi square; a wrong pipeline is refused far below this level)."""
    counts = Counter(choices)
    assert counts.keys() <= odds.keys()
    seen = [counts[choice] for choice in odds]
    return bool(stats.chisquare(seen, [p * len(choices) for p in odds.values()]).pvalue > 1e-4)


def test_choices_have_the_published_odds(monkeypatch: pytest.MonkeyPatch) -> None:
    """options/train_realesrgan_x4plus.yml, number for number."""
    made: list[tuple[Any, ...]] = []

    def note_bell(family: Any, size: int, sigma: Any, angle: float, beta: float) -> np.ndarray:
        isotropic = sigma[0] == sigma[1]
        made.append((family, isotropic, size, sigma, angle, beta))
        return blur_kernels.bell(family, size, sigma, angle, beta)

    def note_sinc(size: int, cutoff: float) -> np.ndarray:
        made.append(("sinc", size, cutoff))
        return blur_kernels.sinc(size, cutoff)

    monkeypatch.setattr(blind, "bell", note_bell)
    monkeypatch.setattr(blind, "sinc", note_sinc)
    drawn = [blind.draw(PUBLISHED, np.random.default_rng(seed)) for seed in range(2500)]
    kernels = {"first": made[0::3], "second": made[1::3], "last": made[2::3]}
    uniform_sizes = dict.fromkeys(range(7, 22, 2), 1 / 8)
    bells_odds = {
        ("gaussian", True): 0.45,
        ("gaussian", False): 0.25,
        ("generalized", True): 0.12,
        ("generalized", False): 0.03,
        ("plateau", True): 0.12,
        ("plateau", False): 0.03,
    }
    for which, largest in (("first", 3.0), ("second", 1.5)):
        sincs = [k for k in kernels[which] if k[0] == "sinc"]
        bells = [k for k in kernels[which] if k[0] != "sinc"]
        assert agrees(
            ["sinc" if k[0] == "sinc" else "bell" for k in kernels[which]], {"sinc": 0.1, "bell": 0.9}
        )
        assert agrees([k[:2] for k in bells], bells_odds)
        assert agrees([k[2] for k in bells], uniform_sizes)
        evenly([k[3][0] for k in bells], 0.2, largest)
        evenly([k[3][1] for k in bells if not k[1]], 0.2, largest)
        evenly([k[4] for k in bells if not k[1]], -np.pi, np.pi)
        for family, low, high in (("generalized", 0.5, 4), ("plateau", 1, 2)):
            betas = [k[5] for k in bells if k[0] == family]
            below = [b for b in betas if b < 1] if low < 1 else [b for b in betas if b == 1]
            assert agrees([b in below for b in betas], {True: 0.5, False: 0.5})
            evenly([b for b in betas if b > 1], 1, high)
        evenly([k[2] for k in sincs if k[1] < 13], np.pi / 3, np.pi)
        evenly([k[2] for k in sincs if k[1] >= 13], np.pi / 5, np.pi)
    assert agrees([k[1] for k in kernels["last"]], uniform_sizes)
    evenly([k[2] for k in kernels["last"]], np.pi / 3, np.pi)

    rounds = {
        "first": (1.0, (0.2, 0.7, 0.1), (0.15, 1.5), (1, 30), (0.05, 3)),
        "second": (0.8, (0.3, 0.4, 0.3), (0.3, 1.2), (1, 25), (0.05, 2.5)),
    }
    for which, (blurs, (up, down, keep), (least, most), std, poisson) in rounds.items():
        own: list[DrawnRound] = [getattr(d, which) for d in drawn]
        if blurs < 1:
            assert agrees([r.kernel is not None for r in own], {True: blurs, False: 1 - blurs})
        else:
            assert all(r.kernel is not None for r in own)
        assert agrees([np.sign(r.factor - 1) for r in own], {1.0: up, -1.0: down, 0.0: keep})
        evenly([r.factor for r in own if r.factor > 1], 1, most)
        evenly([r.factor for r in own if r.factor < 1], least, 1)
        assert agrees([r.mode for r in own], dict.fromkeys(("area", "bilinear", "bicubic"), 1 / 3))
        assert agrees([r.noise for r in own], {"gaussian": 0.5, "poisson": 0.5})
        evenly([r.strength for r in own if r.noise == "gaussian"], *std)
        evenly([r.strength for r in own if r.noise == "poisson"], *poisson)
        assert agrees([r.gray for r in own], {True: 0.4, False: 0.6})
        assert min(r.quality for r in own) == 30 and max(r.quality for r in own) == 95
        assert np.mean([r.quality for r in own]) == pytest.approx(62.5, abs=1.2)
    assert agrees([d.last_kernel is not None for d in drawn], {True: 0.8, False: 0.2})
    assert agrees([d.last_mode for d in drawn], dict.fromkeys(("area", "bilinear", "bicubic"), 1 / 3))
    assert agrees([d.jpeg_last for d in drawn], {True: 0.5, False: 0.5})


def evenly(values: Sequence[float], low: float, high: float) -> None:
    """Assert that values are spread evenly from low to high (Kolmogorov-Smirnov)."""
    assert len(values) > 50
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4, (low, high)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_any_size_and_scale_gives_lr_that_differs_from_image_to_image(scale: int) -> None:
    hr = np.random.default_rng(7).integers(0, 256, (8 * scale, 11 * scale, 3), dtype=np.uint8)
    made = [blind.blind(hr, np.random.default_rng(seed), scale) for seed in range(40)]
    assert all(lr.shape == (8, 11, 3) and lr.dtype == np.uint8 for lr in made)
    assert len({lr.tobytes() for lr in made}) == 40
    assert np.array_equal(made[5], blind.blind(hr, np.random.default_rng(5), scale))


def test_without_randomness_it_is_what_the_steps_make_one_after_another() -> None:
    """Order and sizes of the steps, with operations of other libraries."""
    hr = np.random.default_rng(8).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    kernel = bell("gaussian", 7, (1.0, 1.0))
    calm = DrawnRound(kernel, 0.5, "area", "gaussian", 0.0, False, 95)
    for jpeg_last in (True, False):
        drawn = blind.Drawn(calm, calm, "bilinear", sinc(7, 2.5), jpeg_last)
        image = hr / 255.0
        for size in ((32, 48), (8, 12)):
            image = np.stack([ndimage.correlate(image[..., c], kernel, mode="mirror") for c in range(3)], -1)
            step = image.shape[0] // size[0]
            image = image.reshape(size[0], step, size[1], step, 3).mean((1, 3)).clip(0, 1)
            if size == (32, 48) or not jpeg_last:
                image = _pillow(image)
        image = (
            torch.nn.functional.interpolate(
                torch.from_numpy(image).permute(2, 0, 1)[None], size=(16, 24), mode="bilinear"
            )[0]
            .permute(1, 2, 0)
            .numpy()
        )
        image = np.stack(
            [ndimage.correlate(image[..., c], sinc(7, 2.5), mode="mirror") for c in range(3)], -1
        )
        due = _pillow(image.clip(0, 1)) if jpeg_last else image.clip(0, 1)
        found = blind.degrade(hr, drawn, np.random.default_rng(0), 4)
        assert np.array_equal(found, np.floor(255 * due + 0.5).astype(np.uint8))


def _pillow(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.floor(255 * image + 0.5).astype(np.uint8)).save(
        file, "JPEG", quality=95, subsampling=2
    )
    return np.asarray(Image.open(file).convert("RGB")) / 255.0
