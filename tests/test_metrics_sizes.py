"""Which images a metric is defined for, what equal images score, and which way a score goes from there."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from srbench import protocols
from srbench.errors import BadInput, Unavailable
from srbench.metrics import metric, registry
from srbench.metrics.base import Metric, Scorer, require

# What the definitions say of equal images: 1, or no distance. pyiqa's PSNR ends at 80 dB.
EQUAL = {
    "psnr": 80.0,
    "ssim": 1.0,
    "lpips": 0.0,
    "lpips-lite": 0.0,
    "lpips-vgg": 0.0,
    "fsim": 1.0,
    "ms_ssim": 1.0,
    "gmsd": 0.0,
    "dists": 0.0,
    "block-mse": 0.0,
    "overshoot": 0.0,
}
# No shares: squared levels to a tenth, and levels to hundredths.
IN_LEVELS = ("block-mse", "overshoot")
NO_REFERENCE = ("niqe", "brisque", "piqe")


def scorer(one: Metric) -> Scorer:
    try:
        return one.make_scorer(protocols.protocol("rsr").known[one.name].params, "cpu")
    except Unavailable as error:
        pytest.skip(str(error))


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    """Blurred noise with some detail: what a natural image is to statistics of differences."""
    draw = np.random.default_rng(seed)
    coarse = torch.from_numpy(draw.random((1, 3, height // 4 + 2, width // 4 + 2))).float()
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    fine = torch.from_numpy(draw.random((1, 3, height, width))).float()
    return ((0.8 * smooth.clamp(0, 1) + 0.2 * fine) * 255).round() / 255


def noisy(image: Tensor, size: float) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return (image + size * torch.randn(image.shape, generator=draw)).clamp(0, 1)


def test_the_tables_know_every_metric() -> None:
    found = registry()
    assert {name for name, m in found.items() if m.kind == "FR"} == set(EQUAL)
    assert tuple(name for name, m in found.items() if m.kind == "NR") == NO_REFERENCE
    titles = [
        "PSNR",
        "SSIM",
        "LPIPS",
        "LPIPS-lite",
        "LPIPS-VGG",
        "FSIM",
        "MS-SSIM",
        "GMSD",
        "DISTS",
        "Block MSE",
        "Overshoot",
        "NIQE",
        "BRISQUE",
    ]
    assert [m.title for m in found.values()] == [*titles, "PIQE"]
    # As papers print them: hundredths of a dB, and of the scores that go to 100; shares to four digits.
    assert {name for name, m in found.items() if m.decimals == 2} == {"psnr", "overshoot", *NO_REFERENCE}
    assert {name for name, m in found.items() if m.decimals == 4} == set(EQUAL) - {"psnr", *IN_LEVELS}
    assert [name for name, m in found.items() if m.decimals == 1] == ["block-mse"]
    assert {name for name, m in found.items() if m.arrow == "↑"} == {"psnr", "ssim", "fsim", "ms_ssim"}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_images_score_what_the_definition_says_and_others_worse(
    name: str, shared_weights: object
) -> None:
    one = metric(name)
    score, image = scorer(one), texture(192, 176)
    assert score(image, image) == pytest.approx(EQUAL[name], abs=1e-4)
    scores = [score(noisy(image, size), image) for size in (0.02, 0.1, 0.3)]
    assert scores == sorted(scores, reverse=one.higher_is_better), "more noise is worse"
    assert (scores[0] < EQUAL[name]) == one.higher_is_better


@pytest.mark.parametrize("name", [*EQUAL, *NO_REFERENCE])
def test_the_smallest_image_has_a_score(name: str, shared_weights: object) -> None:
    one = metric(name)
    side = one.min_side
    sizes = [(side, side), (side, side + 9), (side + 9, side)] if side else [(96, 192), (192, 96)]
    if name == "psnr":
        sizes = [(1, 1)]
    score = scorer(one)
    for height, width in sizes:
        assert one.defined_for(height, width)
        assert math.isfinite(score(noisy(texture(height, width), 0.05), texture(height, width)))
    if side:
        assert not one.defined_for(side - 1, side + 99) and not one.defined_for(side + 99, side - 1)


def test_sizes_that_follow_from_a_definition() -> None:
    assert metric("ssim").min_side == 11, "one position of the 11 x 11 window"
    assert metric("ms_ssim").min_side == 10 * 2**4 + 1, "more than ten pixels after four halvings"
    assert metric("lpips").min_side == metric("dists").min_side == 32
    # NIQE has whole blocks of 96, and a covariance takes two of them.
    defined = metric("niqe").defined_for
    assert defined(96, 192) and defined(192, 96) and defined(200, 100)
    assert not any(defined(*size) for size in ((96, 191), (191, 96), (95, 400), (191, 191)))
    assert metric("psnr").defined_for(1, 1)


def test_psnr_is_its_formula_in_double_precision() -> None:
    """10 log10(1 / (MSE + 1e-8)); on large images a sum in single precision shows in the fifth digit."""
    score = scorer(metric("psnr"))
    image = texture(512, 640)
    for size in (0.003, 0.1):
        other = noisy(image, size)
        mse = np.mean((other.numpy().astype(np.float64) - image.numpy().astype(np.float64)) ** 2)
        assert score(other, image) == pytest.approx(-10 * math.log10(mse + 1e-8), abs=1e-9)


def test_parameters_of_a_protocol_are_known_or_refused() -> None:
    require({"net": "alex"}, "x", net=("alex", "vgg"), version=("0.1",))
    require({}, "x")
    for given in ({"net": "squeeze"}, {"nets": "alex"}):
        with pytest.raises(BadInput, match="the parameter net"):
            require(given, "x", net=("alex", "vgg"))
    for name, one in registry().items():
        with pytest.raises(BadInput, match=f"protocol gives {name}"):
            one.make_scorer({"no-such": "parameter"}, "cpu")
