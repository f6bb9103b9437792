"""What checks let pass is what float32 can be off by, and no more: each allowance from both sides.

An allowance ten times as large would call an attack lawful that is not, or a weak one strong. Every test has
one value just inside and one just outside; the values are in double precision, which adds nothing of its own.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from srbench.attacks import ThreatModel, verdicts
from srbench.attacks.threat import Norm
from srbench.errors import BadInput


def gray(level: float = 100, *, side: int = 4) -> Tensor:
    return torch.full((1, 3, side, side), level / 255, dtype=torch.float64)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_ball_is_left_by_more_than_a_millionth_of_the_range(norm: Norm) -> None:
    threat, x = ThreatModel(norm, 0.1), gray()
    assert verdicts.inside(x, x + 0.1 + 0.8e-6, threat).ok
    assert not verdicts.inside(x, x + 0.1 + 1.2e-6, threat).ok
    # What the allowance is for: adding in float32 is never off by more.
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    assert verdicts.inside(x, x + torch.full_like(x, 0.1), threat).ok


def test_the_range_is_left_by_any_amount() -> None:
    threat, x = ThreatModel(eps=0.1), gray(255)
    assert verdicts.inside(x, x, threat).ok
    assert not verdicts.inside(x, x + 1e-9, threat).ok
    assert not verdicts.inside(1 - x, 1 - x - 1e-9, threat).ok


def test_a_value_is_at_the_bound_within_a_hundred_thousandth() -> None:
    threat, x = ThreatModel(eps=0.1), gray()
    for sign in (1, -1):
        assert verdicts.share_at_bound(x, x + sign * (0.1 - 0.8e-5), threat).ok
        assert not verdicts.share_at_bound(x, x + sign * (0.1 - 1.2e-5), threat).ok
    for black, inwards in ((gray(0), 1), (gray(255), -1)):
        assert verdicts.share_at_bound(black, black + inwards * 0.8e-5, threat).ok
        assert not verdicts.share_at_bound(black, black + inwards * 1.2e-5, threat).ok


def test_a_rounded_value_is_at_the_bound_within_half_a_level() -> None:
    threat, x = ThreatModel(eps=10.4 / 255, rounded=True), gray()
    assert verdicts.share_at_bound(x, x + 10 / 255, threat).ok, "the last whole level of the ball"
    assert not verdicts.share_at_bound(x, x + 9 / 255, threat).ok
    assert verdicts.share_at_bound(gray(0), gray(0.4), threat).ok
    assert not verdicts.share_at_bound(gray(0), gray(1), threat).ok
    assert verdicts.share_at_bound(gray(255), gray(254.6), threat).ok
    assert not verdicts.share_at_bound(gray(255), gray(254), threat).ok


@pytest.mark.parametrize(("touched", "ok"), [(23, False), (24, True), (25, True)])
def test_half_of_the_values_have_to_be_at_the_bound(touched: int, ok: bool) -> None:
    threat, x = ThreatModel(eps=0.1), gray()
    delta = torch.zeros(48, dtype=torch.float64)
    delta[:touched] = 0.1
    verdict = verdicts.share_at_bound(x, x + delta.reshape(x.shape), threat)
    assert (verdict.ok, verdict.detail) == (ok, f"{touched / 48:.0%} of values at the bound")


def test_in_l2_the_smallest_image_has_to_use_half_of_the_radius() -> None:
    threat, x = ThreatModel("l2", 0.1), gray().repeat(2, 1, 1, 1)
    for smallest, ok in ((0.049, False), (0.051, True)):
        delta = torch.tensor([0.1, smallest], dtype=torch.float64).reshape(2, 1, 1, 1)
        verdict = verdicts.share_at_bound(x, x + delta, threat)
        assert (verdict.ok, verdict.detail) == (ok, f"{smallest * 10:.0%} of the radius used")


def test_damage_may_fall_by_a_fiftieth_of_its_largest() -> None:
    assert verdicts.monotone("eps", {1: 0.5, 2: 1.0, 3: 0.981}).ok
    assert not verdicts.monotone("eps", {1: 0.5, 2: 1.0, 3: 0.979}).ok
    # Of the largest size, where what grows is negative (minus a PSNR).
    assert verdicts.monotone("eps", {1: -50.0, 2: -50.9}).ok
    assert not verdicts.monotone("eps", {1: -50.0, 2: -51.1}).ok


def test_half_of_a_gradient_may_be_zero() -> None:
    for zeros, ok in ((24, True), (25, False)):
        gradient = torch.arange(48.0) + 1
        gradient[:zeros] = 0
        verdict = verdicts.usable_gradient(gradient.reshape(1, 3, 4, 4))
        assert (verdict.ok, verdict.detail) == (ok, f"{zeros / 48:.0%} exact zeros")


def test_an_image_is_8_bit_within_a_thousandth_of_a_level() -> None:
    threat, still = ThreatModel(eps=3 / 255, rounded=True), torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(threat.apply(gray(100.0008), still), gray(100))
    for level in (100.0012, 99.9988):
        with pytest.raises(BadInput, match="8-bit"):
            threat.apply(gray(level), still)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_radius_has_the_next_level_within_a_millionth_of_it(norm: Norm) -> None:
    """A radius that is 3/255 but for a rounding has three levels; one of 2.999998 has two."""
    for levels, whole in ((3 - 0.8e-6, 3), (3 - 2e-6, 2)):
        threat = ThreatModel(norm, levels / 255, rounded=True)
        found = threat.apply(gray(), torch.ones(1, 3, 4, 4, dtype=torch.float64))
        torch.testing.assert_close(found * 255, torch.full_like(found, 100.0 + whole))


def test_a_file_holds_the_next_level_within_a_ten_thousandth_of_it() -> None:
    x = gray()
    for levels, whole in ((3 - 0.8e-4, 3), (3 - 2e-4, 2)):
        found = ThreatModel(eps=levels / 255).to_8bit(x, x + levels / 255)
        torch.testing.assert_close(found * 255, torch.full_like(x, 100.0 + whole))
        found = ThreatModel(eps=levels / 255).to_8bit(x, x - levels / 255)
        torch.testing.assert_close(found * 255, torch.full_like(x, 100.0 - whole))


@pytest.mark.parametrize("seed", range(4))
def test_a_file_in_an_l2_ball_is_the_same_whichever_way_each_value_went(seed: int) -> None:
    """Darker or brighter, which values are rounded inwards depends on how far they went alone."""
    draw = torch.Generator().manual_seed(seed)
    # All of them are rounded up, which is too much for the ball.
    size = torch.randint(1, 5, (1, 3, 5, 5), generator=draw) + 0.55
    size = size + 0.4 * torch.rand(size.shape, generator=draw, dtype=torch.float64)
    sign = torch.randint(0, 2, size.shape, generator=draw) * 2.0 - 1
    threat, x = ThreatModel("l2", size.square().mean().sqrt().item() / 255), gray(side=5)
    changes = [(threat.to_8bit(x, x + s * size / 255) - x) * 255 for s in (1, sign)]
    torch.testing.assert_close(changes[1], sign * changes[0])
    inwards = changes[0] < size.round() - 0.5
    assert inwards.any() and threat.size(x, x + changes[0] / 255).item() <= threat.eps + 1e-9
    # Those that moved least for what they give: (1 - 2 * up) / (2 * level - 1), of the values rounded up.
    up, level = size.round() - size, size.round()
    price = ((1 - 2 * up) / (2 * level - 1)).where(up > 0, torch.inf)
    assert price[inwards].max() <= price[~inwards].min()


def test_counts_in_verdicts_are_of_images_that_are_worse_not_equal() -> None:
    assert verdicts.beats_random([0.5, 0.3], [0.3, 0.3]).detail.endswith("1 of 2 images worse than by noise")
    white = verdicts.white_box_wins([0.3, 0.3], [0.3, 0.2])
    assert white.ok and white.detail.endswith("0 of 2 images worse without gradients")
    assert verdicts.white_box_wins([0.3], [0.3]).ok, "as strong is strong enough"
    assert not verdicts.beats_random([], []).ok and math.isnan(verdicts._mean([]))
