"""CosPGD's loss against its definition by hand, and what it comes to for super-resolution."""

from __future__ import annotations

from itertools import product
from math import log, sqrt

import pytest
import torch
from test_attacks_truth import EPS, Smooth, images

from srbench import attacks
from srbench.attacks import CosMSE, StructuredPGD, parse_objective


def pixels(*values: tuple[float, float, float]) -> torch.Tensor:
    """An image of one row, pixel by pixel."""
    return torch.tensor(values, dtype=torch.float64).T.reshape(1, 3, 1, len(values))


def test_two_pixels_by_hand() -> None:
    """Softmax of (ln 2, 0, 0) is (2, 1, 1) / 4, of (0, 0, ln 3) it is (1, 1, 3) / 5."""
    sr = pixels((log(2), 0, 0), (0, 0, log(3))).requires_grad_()
    target = pixels((0, 0, 0), (log(3), 0, 0))
    first, second = 2 * sqrt(2) / 3, 7 / 11  # (1/3) / sqrt(3/8 * 1/3), and (3 + 1 + 3) / (1 + 1 + 9)
    loss = CosMSE()(sr, target)
    assert loss.item() == pytest.approx((first * log(2) ** 2 / 3 + second * 2 * log(3) ** 2 / 3) / 2)
    (gradient,) = torch.autograd.grad(loss.sum(), sr)
    # The weight is a constant to the gradient, as in the authors' code.
    due = pixels((first * log(2) / 3, 0, 0), (-second * log(3) / 3, 0, second * log(3) / 3))
    torch.testing.assert_close(gradient, due)


def test_of_colours_in_the_range_no_weight_is_small() -> None:
    corners = [pixels(corner) for corner in product((0.0, 1.0), repeat=3)]
    inside = [
        pixels(tuple(c)) for c in torch.rand(40, 3, generator=torch.Generator().manual_seed(0)).tolist()
    ]
    weights = []
    for a, b in product(corners + inside, repeat=2):
        if mse := (a - b).square().mean().item():
            weights.append(CosMSE()(a, b).item() / mse)
    assert 0.66 < min(weights) < 0.68 and max(weights) <= 1 + 1e-12


def test_the_preset_is_pgd_on_that_loss() -> None:
    recipe = attacks.preset("cospgd")
    assert recipe.objective == "cos-mse" and parse_objective("cospgd").text == "cos-mse"
    x, hr = (t.float() for t in images(count=2, side=8))
    model = Smooth()
    found = recipe.with_(eps=EPS).build(model)(x, hr, ["a", "b"])
    same = StructuredPGD(model, eps=EPS, alpha=2 / 255, steps=10, structure=1.0, objective=CosMSE())
    assert torch.equal(found, same(x, hr, ["a", "b"]))
    weaker = attacks.preset("random").with_(eps=EPS).build(model)(x, hr, ["a", "b"])
    assert (same.loss(x, found, hr) > same.loss(x, weaker, hr)).all()
