"""Block MSE and overshoot say what was painted: against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from test_metrics_sizes import scorer
from torch import Tensor

from srbench.metrics import metric

LEVEL = 1 / 255


def plane(value: float, side: int = 16) -> Tensor:
    return torch.full((1, 3, side, side), value)


def edge(at: int, side: int = 16) -> Tensor:
    """Dark to the left of a column, light from there on."""
    image = plane(50 * LEVEL, side)
    image[..., at:] = 150 * LEVEL
    return image


def test_block_mse_is_the_error_of_the_means() -> None:
    score = scorer(metric("block-mse"))
    hr = plane(0.5)
    assert score(plane(0.5 + 10 * LEVEL), hr) == pytest.approx(100, rel=1e-5), "a tone of 10 levels"
    weave = hr.clone()
    weave[..., ::2] += 10 * LEVEL
    weave[..., 1::2] -= 10 * LEVEL
    assert score(weave, hr) == pytest.approx(0, abs=1e-9), "detail finer than a block leaves the mean"
    one = hr.clone()
    one[:, 0, :4, :4] += 12 * LEVEL
    assert score(one, hr) == pytest.approx(144 / 48, rel=1e-4), "one block of 16, in one channel of three"


def test_overshoot_is_the_distance_from_the_range_nearby() -> None:
    score = scorer(metric("overshoot"))
    hr = edge(8)
    assert score(edge(10), hr) == 0, "an edge two pixels away"
    assert score(plane(100 * LEVEL), hr) == pytest.approx(10 * 50 / 16, rel=1e-5), (
        "six columns see both sides"
    )
    halo = hr.clone()
    halo[..., 7] -= 20 * LEVEL
    halo[..., 8] += 40 * LEVEL
    assert score(halo, hr) == pytest.approx((20 + 40) / 16, rel=1e-5), "a dark line and a light one"
    assert score(hr, halo) == 0, "a lost halo is none"
    noise = hr + LEVEL * torch.randn(hr.shape, generator=torch.Generator().manual_seed(0))
    flat, near = (2 / math.pi) ** 0.5, (0.5 / math.pi) ** 0.5  # E|n|, and half of it where one side is free
    assert score(noise, hr) == pytest.approx((10 * flat + 6 * near) / 16, rel=0.03)


def test_neither_ranks_nor_is_measured_unasked() -> None:
    from srbench import protocols

    for name in ("rsr", "y"):
        protocol = protocols.protocol(name)
        assert {"block-mse", "overshoot"} <= set(protocol.known)
        assert not {"block-mse", "overshoot"} & {*protocol.default, *protocol.rank}
