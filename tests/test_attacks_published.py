"""Attacks have the settings of the papers they name, and say no to what no image or setting can be."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
import torch
from helpers import Nearest
from torch import Tensor

from srbench.attacks import (
    APGD,
    IFGSM,
    MIFGSM,
    PGDL2,
    SquareSearch,
    StructuredPGD,
    UniversalPerturbation,
    checked,
)
from srbench.attacks.apgd import checkpoints
from srbench.errors import BadInput

EPS = 8 / 255


@pytest.mark.parametrize(
    ("make", "published"),
    [
        # Choi et al. 2019: T = 50, and alpha, the whole way, is eps.
        (IFGSM, {"steps": 50, "alpha": EPS}),
        (UniversalPerturbation, {"steps": 50, "alpha": EPS}),
        # Dong et al. 2018: ten steps, decay 1.
        (MIFGSM, {"steps": 10, "decay": 1.0}),
        # Croce and Hein 2020: rho and alpha, both 0.75; one restart.
        (APGD, {"share_rising": 0.75, "inertia": 0.75, "restarts": 1}),
        # Madry's PGD has steps of 2.5 eps over their number.
        (PGDL2, {"steps": 10, "alpha": 0.25 * EPS, "restarts": 1}),
        # The authors' code of the structured attack: two steps of one level, cells of 1.5 pixels.
        (StructuredPGD, {"steps": 2, "alpha": 1 / 255, "structure": 1.5, "restarts": 1, "momentum": 0}),
        # AutoAttack's first squares cover 0.8 of the image.
        (SquareSearch, {"share": 0.8}),
    ],
)
def test_defaults_are_the_papers(make: Any, published: dict[str, Any]) -> None:
    attack = make(Nearest(), eps=EPS)
    assert {name: getattr(attack, name) for name in published} == pytest.approx(published)
    assert make(Nearest()).threat.eps == 14 / 255, "the radius this benchmark measures at"
    assert {"samples": attack.samples, "rounded": attack.threat.rounded, "seed": attack.seed} == {
        "samples": 1,
        "rounded": False,
        "seed": 0,
    }
    assert attack.precision == "fp32" and attack.straight_through is False


def test_squares_shrink_on_the_papers_schedule() -> None:
    """Halved after 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries, as printed."""
    attack = SquareSearch(Nearest(), queries=10_000, share=0.8)
    halvings = [n for n in range(1, 10_000) if attack._share_at(n) != attack._share_at(n - 1)]
    assert halvings == [11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001]
    assert [attack._share_at(n) for n in (0, 11, 9_999)] == [0.8, 0.4, 0.8 / 512]
    # Fewer queries go through the same schedule faster.
    fewer = SquareSearch(Nearest(), queries=100, share=0.8)
    assert [fewer._share_at(n) for n in (0, 1, 11, 99)] == [0.8, 0.2, 0.8 / 32, 0.8 / 512]


def test_squares_are_tried_as_the_paper_says() -> None:
    """Stripes first; then squares of the share's side, one sign a channel, kept only where they are worse."""
    seen: list[Tensor] = []

    class Watching(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.detach().clone())
            return super().forward(x)

    x = torch.full((1, 3, 10, 16), 0.5, dtype=torch.float64)
    hr = Nearest()(x) - 0.1
    attack = SquareSearch(Watching(), eps=EPS, queries=40, share=0.4, objective="mse")
    found = attack(x, hr)
    stripes = (seen[0] - x)[0]
    torch.testing.assert_close(stripes.abs(), torch.full_like(stripes, EPS))
    assert (stripes == stripes[:, :1]).all() and len(stripes[:, 0].unique(dim=1)) > 1
    damage = [(Nearest()(image) - hr).square().mean().item() for image in seen]
    best = 0
    for query, image in enumerate(seen[1:]):
        changed = (image != seen[best])[0].any(0)
        if changed.any():
            rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
            side = round(math.sqrt(attack._share_at(query) * 160))
            assert rows[-1] - rows[0] < max(side, 1) and columns[-1] - columns[0] < max(side, 1)
            square = (image - x)[0][:, changed]
            assert (square == square[:, :1]).all(), "one sign in each channel"
        if damage[query + 1] > damage[best]:
            best = query + 1
    assert len(seen) == 41 and best > 0
    torch.testing.assert_close(found, seen[best])


@pytest.mark.parametrize(
    "shape",
    [(3, 8, 8), (1, 1, 3, 8, 8), (1, 1, 8, 8), (1, 4, 8, 8), (0, 3, 8, 8), (1, 3, 0, 8), (1, 3, 8, 0)],
)
def test_each_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match=r"LR has to be of shape \(N, 3, H, W\)"):
        checked.image_batch(torch.zeros(shape), "LR")


def test_images_are_taken_up_to_the_ends_of_the_range_and_not_beyond() -> None:
    x = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2).expand(1, 3, 2, 2)
    assert checked.image_batch(x, "LR").equal(x)
    for by in (1e-6, -1e-6):
        with pytest.raises(BadInput, match=r"HR has to be in \[0, 1\]"):
            checked.image_batch(x + by, "HR")
    with pytest.raises(BadInput, match=r"torch\.Tensor of shape"):
        checked.image_batch(x.numpy(), "LR")
    assert not checked.image_batch(x.clone().requires_grad_(), "LR").requires_grad


@pytest.mark.parametrize("value", [True, None, "2", 2.5, math.nan, math.inf, -math.inf, 0, -1])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="steps is"):
        checked.whole("steps", value)


def test_counts_and_shares_may_go_to_their_ends() -> None:
    assert [checked.whole("n", 1), checked.whole("n", 3.0), checked.whole("n", 0, 0)] == [1, 3, 0]
    assert isinstance(checked.whole("n", 3.0), int)
    assert checked.share("share", 1) == 1.0 and checked.share("share", 1e-9) == 1e-9
    checked.at_least("structure", 1, 1)
    for value in (0, 1.0001, -0.5, math.nan, True, "1", None):
        with pytest.raises(BadInput, match="share is"):
            checked.share("share", value)
    for value in (0.999, math.inf, math.nan, True, "1"):
        with pytest.raises(BadInput, match="structure is"):
            checked.at_least("structure", value, 1)
    assert checked.step_length(None, 7.0) == 7.0 and checked.step_length(0.5, 7.0) == 0.5


def test_words_flags_and_ids_are_what_they_are_named() -> None:
    checked.one_of("start", "zero", ("auto", "zero"))
    for word in ("Zero", "", None, 0, "a"):
        with pytest.raises(BadInput, match="choose auto or zero"):
            checked.one_of("start", word, ("auto", "zero"))
    assert checked.flag("rounded", True) is True and checked.flag("rounded", False) is False
    for value in (1, 0, None, "True"):
        with pytest.raises(BadInput, match="True or False"):
            checked.flag("rounded", value)
    assert checked.image_ids(None, 2) == ["0", "1"] and checked.image_ids(("a", "b"), 2) == ["a", "b"]
    for ids, count in (("ab", 2), (["a"], 2), (["a", "b", "c"], 2)):
        with pytest.raises(BadInput, match="image ids"):
            checked.image_ids(ids, count)


def test_apgd_looks_at_its_step_where_the_paper_does_whatever_the_number_of_steps() -> None:
    """Section 3.1 of Croce and Hein 2020, in exact arithmetic: p is 0, .22, and grows by what it last grew
    by less .03, by .06 at least."""
    p = [Fraction(0), Fraction(22, 100)]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - Fraction(3, 100), Fraction(6, 100)))
    for steps in range(1, 301):
        assert checkpoints(steps) == {math.ceil(each * steps) for each in p[1:-1]}, steps
