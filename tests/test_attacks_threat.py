"""Threat models: projections against brute force and closed form, rounding, and how a radius is written."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench.attacks import ThreatModel, parse_eps
from srbench.attacks.threat import eps_text
from srbench.errors import BadInput


@pytest.mark.parametrize(
    ("written", "levels"), [("14", 14), ("14/255", 14), (14, 14), ("0.5/255", 0.5), (0, 0)]
)
def test_eps_is_read_in_levels(written: str | int, levels: float) -> None:
    assert parse_eps(written) == levels / 255


def test_eps_below_one_is_ambiguous_and_both_readings_are_named() -> None:
    with pytest.raises(BadInput, match=r"ambiguous.*0\.05/255.*12\.75/255"):
        parse_eps("0.05")


@pytest.mark.parametrize("written", ["-1", "256", "nan", "inf", "", "x", "14/100", "14/255/3", True, "1e3"])
def test_other_eps_are_refused(written: str) -> None:
    with pytest.raises(BadInput, match="eps"):
        parse_eps(written)


def test_eps_text_reads_back() -> None:
    for levels in (0, 0.5, 2, 14, 255):
        assert parse_eps(eps_text(levels / 255)) == pytest.approx(levels / 255, abs=1e-12)


@pytest.mark.parametrize(
    "settings_", [{"norm": "l1"}, {"eps": -0.1}, {"eps": 1.5}, {"eps": 14}, {"low": 1.0}]
)
def test_impossible_threat_models_are_refused(settings_: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        ThreatModel(**settings_)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 0.4), st.sampled_from(["linf", "l2"]), st.floats(0.01, 3))
def test_projection_is_feasible_and_keeps_what_is_allowed(
    seed: int, eps: float, norm: str, size: float
) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(2, 3, 4, 5, generator=draw, dtype=torch.float64)
    threat = ThreatModel(norm, eps)  # type: ignore[arg-type]
    delta = (torch.rand(2, 3, 4, 5, generator=draw, dtype=torch.float64) * 2 - 1) * size
    projected = threat.project(delta, x)
    assert (threat.size(x, x + projected) <= eps + 1e-9).all()
    assert (x + projected >= -1e-12).all() and (x + projected <= 1 + 1e-12).all()
    torch.testing.assert_close(threat.project(projected, x), projected, atol=1e-9, rtol=0)


def test_l2_projection_is_the_nearest_point() -> None:
    """Against scipy's constrained minimiser, with ball and box both active."""
    from scipy.optimize import minimize

    draw = torch.Generator().manual_seed(1)
    x = torch.rand(1, 3, 2, 2, generator=draw, dtype=torch.float64) * 0.2
    delta = torch.randn(1, 3, 2, 2, generator=draw, dtype=torch.float64) * 0.3
    threat = ThreatModel("l2", 0.1)
    ours = threat.project(delta, x).flatten().numpy()
    flat, wanted = x.flatten().numpy(), delta.flatten().numpy()
    best = minimize(
        lambda d: float(np.sum((d - wanted) ** 2)),
        np.zeros(12),
        jac=lambda d: 2 * (d - wanted),
        bounds=list(zip(-flat, 1 - flat, strict=True)),
        constraints={"type": "ineq", "fun": lambda d: 12 * 0.1**2 - float(np.sum(d**2))},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(ours, best.x, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 20), st.sampled_from(["linf", "l2"]))
def test_rounded_images_are_8_bit_and_stay_in_the_ball(seed: int, levels: float, norm: str) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (2, 3, 4, 5), generator=draw).float() / 255
    threat = ThreatModel(norm, levels / 255, rounded=True)  # type: ignore[arg-type]
    adversarial = threat.apply(x, torch.randn(2, 3, 4, 5, generator=draw) * 0.1)
    torch.testing.assert_close((adversarial * 255).round() / 255, adversarial, atol=1e-7, rtol=0)
    assert (threat.size(x, adversarial) <= levels / 255 + 1e-6).all()
    assert adversarial.min() >= 0 and adversarial.max() <= 1


def test_rounding_asks_for_8_bit_input() -> None:
    with pytest.raises(BadInput, match="8-bit"):
        ThreatModel(rounded=True).apply(torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 3, 2, 2))


def test_l2_radius_is_a_root_mean_square_whatever_the_size() -> None:
    for side in (4, 16):
        x = torch.full((1, 3, side, side), 0.5)
        projected = ThreatModel("l2", 0.1).project(torch.ones_like(x), x)
        assert projected.square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-5)
        assert -20 * math.log10(0.1) == pytest.approx(
            -10 * math.log10(projected.square().mean().item()), abs=1e-3
        )
