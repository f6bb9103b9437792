"""What is saved of an attacked image stays in the ball."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from attacked_nets import Net, images
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from srbench.attacks import (
    ThreatModel,
    preset,
    verdicts,
)
from srbench.run.perturb import attack_image, make_perturbation


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 20), st.sampled_from(["linf", "l2"]))
def test_files_stay_in_the_ball(seed: int, levels: float, norm: Any) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (2, 3, 6, 5), generator=draw).float() / 255
    threat = ThreatModel(norm, levels / 255)
    adversarial = threat.apply(x, torch.randn(2, 3, 6, 5, generator=draw) * 0.1)
    made = threat.to_8bit(x, adversarial)
    verdict = verdicts.inside(x, made, threat)
    assert verdict.ok, verdict.detail
    torch.testing.assert_close((made * 255).round() / 255, made, atol=1e-7, rtol=0)
    plain = (adversarial * 255).round() / 255
    assert (made - adversarial).abs().max() <= 1.001 / 255
    if verdicts.inside(x, plain, threat).ok:
        assert torch.equal(made, plain)


@given(st.integers(0, 255), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_at_whole_levels_files_are_what_plain_rounding_makes(levels: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (1, 3, 6, 5), generator=draw).float() / 255
    threat = ThreatModel(eps=levels / 255)
    adversarial = threat.apply(x, torch.randn(1, 3, 6, 5, generator=draw))
    assert torch.equal(threat.to_8bit(x, adversarial), (adversarial * 255).round() / 255)


def test_l2_files_lose_as_little_as_the_ball_allows() -> None:
    """A value that would have stayed is not turned inwards: undoing any one turn leaves the ball."""
    draw = torch.Generator().manual_seed(3)
    x = torch.full((1, 3, 6, 5), 100 / 255)
    threat = ThreatModel("l2", 3 / 255)
    adversarial = threat.apply(x, torch.randn(1, 3, 6, 5, generator=draw))
    made, plain = threat.to_8bit(x, adversarial), (adversarial * 255).round() / 255
    assert not verdicts.inside(x, plain, threat).ok and verdicts.inside(x, made, threat).ok
    turned = (made != plain).sum()
    assert 0 < turned < made.numel() / 4


def test_at_a_fractional_radius_the_saved_image_stays_inside() -> None:
    from srbench.support.cache import Cache

    lr, hr = images(1, 16)
    recipe = replace(preset("ifgsm-choi"), eps=2.6 / 255)
    perturbation = make_perturbation(recipe, _named(Net().eval()), "cpu", None)
    attacked = attack_image(perturbation, lr, hr, "a", (), Cache(1 << 20, lambda made: 1), lambda: hr)
    assert attacked.saved is not None and not attacked.flags
    assert (attacked.saved - attacked.clean).abs().mul(255).round().max() == 2


def _named(net: nn.Module) -> Any:
    net.name, net.weights_sha256 = "net", ""  # type: ignore[assignment]
    return net
