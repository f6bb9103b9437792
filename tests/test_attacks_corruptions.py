"""Natural corruptions: seeded, ordered by severity, and as strong as their constants say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut

from srbench.attacks.corruptions import CORRUPTIONS, GAUSSIAN_SIGMA, SEVERITIES, Pixels, corrupt
from srbench.errors import BadInput

NOISES = ("gaussian-noise", "poisson-noise", "speckle-noise")


@pytest.fixture(scope="module")
def photograph() -> Pixels:
    """A crop of a photograph, halved in size as LR images are."""
    crop = astronaut()[:192, 100:292].astype(np.float64)
    return np.rint(crop.reshape(96, 2, 96, 2, 3).mean((1, 3))).astype(np.uint8)


def psnr(a: Pixels, b: Pixels) -> float:
    return float(-10 * np.log10(np.mean((a / 255 - b / 255) ** 2)))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_is_worse_than_the_one_before(name: str, photograph: Pixels) -> None:
    values = [psnr(corrupt(photograph, name, s, seed=0, image_id="a"), photograph) for s in SEVERITIES]
    assert values == sorted(values, reverse=True) and len(set(values)) == 5
    assert values[-1] > 18 and values[0] < 45


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_seed_and_image_decide_everything(name: str, photograph: Pixels) -> None:
    before = photograph.copy()
    np.random.seed(0)
    state = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    first = corrupt(photograph, name, 3, seed=0, image_id="a")
    assert np.array_equal(first, corrupt(photograph, name, 3, seed=0, image_id="a"))
    assert np.array_equal(state, np.random.get_state()[1])  # type: ignore[index]
    assert np.array_equal(photograph, before)
    assert first.dtype == np.uint8 and first.shape == photograph.shape
    random = name in NOISES or name == "motion-blur"
    for other in ({"seed": 1, "image_id": "a"}, {"seed": 0, "image_id": "b"}):
        changed = corrupt(photograph, name, 3, **other)  # type: ignore[arg-type]
        assert np.array_equal(first, changed) != random


def flat(value: int) -> Pixels:
    return np.full((128, 128, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "sigma"),
    [
        ("gaussian-noise", lambda v: 0.08),
        ("poisson-noise", lambda v: np.sqrt(v / 100)),
        ("speckle-noise", lambda v: 0.12 * v),
    ],
)
def test_noise_has_the_documented_strength(name: str, sigma: Callable[[float], Any]) -> None:
    for value in (64, 128):
        noisy = corrupt(flat(value), name, 3, seed=0, image_id="a") / 255
        assert noisy.mean() == pytest.approx(value / 255, abs=0.003)
        assert noisy.std() == pytest.approx(sigma(value / 255), rel=0.03)
    assert GAUSSIAN_SIGMA[2] == 0.08


def test_gaussian_blur_is_scipys(photograph: Pixels) -> None:
    wanted = gaussian_filter(photograph / 255, sigma=(1, 1, 0), mode="mirror")
    assert (
        np.abs(corrupt(photograph, "gaussian-blur", 5, seed=0, image_id="a") / 255 - wanted).max()
        <= 0.5001 / 255
    )


@pytest.mark.parametrize("name", ["gaussian-blur", "defocus-blur", "motion-blur"])
def test_blurs_keep_flat_images_and_the_mean_of_a_dot(name: str) -> None:
    for severity in SEVERITIES:
        assert np.array_equal(corrupt(flat(77), name, severity, seed=0, image_id="a"), flat(77))
    dot = np.zeros((65, 65, 3), dtype=np.uint8)
    dot[28:37, 28:37] = 250
    blurred = corrupt(dot, name, 5, seed=0, image_id="a")
    assert blurred.mean() == pytest.approx(dot.mean(), rel=0.01)


def test_defocus_at_severity_five_is_a_disk_of_nine_pixels() -> None:
    dot = np.zeros((33, 33, 3), dtype=np.uint8)
    dot[16, 16] = 255
    blurred = corrupt(dot, "defocus-blur", 5, seed=0, image_id="a")[..., 0]
    assert (blurred[15:18, 15:18] == round(255 / 9)).all() and np.count_nonzero(blurred) == 9


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 3)])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_tiny_images(name: str, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 100, dtype=np.uint8)
    assert corrupt(image, name, 5, seed=0, image_id="a").shape == image.shape


def test_bad_requests_are_refused(photograph: Pixels) -> None:
    with pytest.raises(BadInput, match="did you mean jpeg"):
        corrupt(photograph, "jpg", 1, seed=0, image_id="a")
    with pytest.raises(BadInput, match="severity is 6"):
        corrupt(photograph, "jpeg", 6, seed=0, image_id="a")
    with pytest.raises(BadInput, match="uint8 image"):
        corrupt(photograph[..., 0], "jpeg", 1, seed=0, image_id="a")
    with pytest.raises(BadInput, match="float64"):
        corrupt(photograph / 255, "jpeg", 1, seed=0, image_id="a")  # type: ignore[arg-type]
