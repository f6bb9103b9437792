"""Each check fires where it should and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from helpers import Nearest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from srbench.attacks import APGD, StructuredPGD, ThreatModel, verdicts

EPS = 14 / 255


def images() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(60, 196, (2, 3, 8, 8), generator=draw).float() / 255
    return x, Nearest()(1 - x)


def saved_and_read_back(image: Tensor, folder: Path) -> Tensor:
    read = []
    for index, single in enumerate(image):
        pixels = (single.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
        again = np.asarray(Image.open(folder / f"{index}.png"))
        read.append(torch.from_numpy(again.copy()).permute(2, 0, 1).float() / 255)
    return torch.stack(read)


def test_beats_random() -> None:
    assert verdicts.beats_random([0.5, 0.4], [0.3, 0.45]) == verdicts.Verdict(
        "beats random", True, "mean 0.45 against 0.375 (higher is worse); 1 of 2 images worse than by noise"
    )
    assert not verdicts.beats_random([0.3, 0.3], [0.3, 0.3]).ok
    assert not verdicts.beats_random([0.2, 0.3], [0.4, 0.2]).ok
    assert not verdicts.beats_random([float("nan")], [0.1]).ok


def test_share_at_bound_tells_the_published_attack_from_one_run_to_the_end() -> None:
    x, hr = images()
    threat = ThreatModel(eps=EPS)
    weak = verdicts.share_at_bound(x, StructuredPGD(Nearest(), eps=EPS)(x, hr), threat)
    strong = verdicts.share_at_bound(x, APGD(Nearest(), eps=EPS, objective="l1")(x, hr), threat)
    assert not weak.ok and strong.ok
    assert strong.detail == "100% of values at the bound"
    assert 5 <= int(weak.detail.split("%")[0]) <= 10, "two steps of 1 from uniform 14: about 1 in 14"
    black = torch.zeros_like(x)
    assert verdicts.share_at_bound(black, black, threat).ok, "the edge of the range is a bound too"
    half = ThreatModel("l2", 0.1)
    assert verdicts.share_at_bound(x, x + 0.09, half).ok and not verdicts.share_at_bound(x, x + 0.01, half).ok
    assert verdicts.share_at_bound(x, x, ThreatModel(eps=0)).ok


def test_monotone() -> None:
    rising = verdicts.monotone("eps", {14: 0.5, 2: 0.1, 8: 0.3})
    assert (
        rising.ok
        and rising.name == "monotone in eps"
        and rising.detail == "2: 0.1, 8: 0.3, 14: 0.5 (higher is worse)"
    )
    falling = verdicts.monotone("steps", {1: 0.3, 10: 0.5, 100: 0.4})
    assert not falling.ok and falling.detail == "falls from 10 to 100: 0.5 to 0.4 (higher is worse)"
    assert verdicts.monotone("steps", {1: 0.5, 2: 0.495}).ok, "within the slack"
    assert not verdicts.monotone("steps", {1: 0.5, 2: 0.495}, slack=0).ok
    assert not verdicts.monotone("steps", {1: 0.5, 2: float("nan")}).ok


def test_usable_gradient() -> None:
    good = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert verdicts.usable_gradient(good).ok
    for bad, said in (
        (torch.stack([good[0], torch.full_like(good[1], torch.nan)]), "NaN or infinite in 1 of 2"),
        (torch.stack([good[0], torch.full_like(good[1], torch.inf)]), "NaN or infinite in 1 of 2"),
        (torch.stack([good[0], torch.zeros_like(good[1])]), "zero everywhere in 1 of 2"),
        (torch.stack([good[0], torch.full_like(good[1], 0.3)]), "the same everywhere in 1 of 2"),
        (good * (good > 0.6), "exact zeros"),
    ):
        verdict = verdicts.usable_gradient(bad)
        assert not verdict.ok and said in verdict.detail


def test_gradient_check_sees_a_real_masked_model() -> None:
    class Rounding(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward((x * 255).round() / 255)

    x, hr = images()
    assert not verdicts.usable_gradient(StructuredPGD(Rounding()).gradient(x, x, hr)).ok
    assert not verdicts.usable_gradient(StructuredPGD(Nearest()).gradient(x, x, None)).ok, (
        "clean against clean"
    )
    assert verdicts.usable_gradient(StructuredPGD(Nearest(), objective="mse").gradient(x, x, hr)).ok


def test_deterministic() -> None:
    x, _ = images()
    model = nn.Sequential(Nearest(), nn.Dropout(0.5))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        noisy = verdicts.deterministic(model.train()(x), model(x))
    assert not noisy.ok and "differ" in noisy.detail
    assert verdicts.deterministic(model.eval()(x), model(x)).ok


def test_white_box_wins() -> None:
    assert verdicts.white_box_wins([0.5, 0.5], [0.4, 0.6]).ok
    lost = verdicts.white_box_wins([0.4, 0.5], [0.6, 0.4])
    assert not lost.ok and "1 of 2 images" in lost.detail


@given(st.lists(st.tuples(st.floats(5, 50), st.floats(5, 50)), min_size=1, max_size=8))
def test_a_measure_of_quality_is_judged_as_its_negative_is(pairs: list[tuple[float, float]]) -> None:
    """PSNR as it is says what minus PSNR says as damage, and its figures are PSNR's."""
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    low, high = ([-value for value in values] for values in (first, second))
    for judge in (verdicts.beats_random, verdicts.white_box_wins):
        natural, damage = judge(first, second, lower_is_worse=True), judge(low, high)
        assert natural.ok == damage.ok
        assert natural.detail.split("; ")[1] == damage.detail.split("; ")[1]
        assert "(lower is worse)" in natural.detail and "-" not in natural.detail
    by_eps = dict(enumerate(first))
    natural = verdicts.monotone("eps", by_eps, lower_is_worse=True)
    assert natural.ok == verdicts.monotone("eps", {eps: -value for eps, value in by_eps.items()}).ok
    assert "-" not in natural.detail and natural.detail.startswith("0: " if natural.ok else "rises from ")


def test_zero_is_clean() -> None:
    x, hr = images()
    assert verdicts.zero_is_clean(x, StructuredPGD(Nearest(), eps=0.0)(x, hr)).ok
    touched = x.clone()
    touched[0, 0, 0, 0] += 1e-7
    assert verdicts.zero_is_clean(x, touched) == verdicts.Verdict("eps 0 is clean", False, "1 values differ")


def test_inside_the_ball_as_float_and_as_saved(tmp_path: Path) -> None:
    x, hr = images()
    for norm in ("linf", "l2"):
        threat = ThreatModel(norm, EPS)  # type: ignore[arg-type]
        assert verdicts.inside(x, threat.apply(x, torch.randn_like(x)), threat).ok
        assert not verdicts.inside(x, x + 1.01 * EPS, threat).ok
    threat = ThreatModel(eps=EPS)
    adversarial = StructuredPGD(Nearest(), eps=EPS)(x, hr)
    read = saved_and_read_back(adversarial, tmp_path)
    assert not torch.equal(read, adversarial)
    verdict = verdicts.inside(x, read, threat, name="inside the ball, saved")
    assert verdict == verdicts.Verdict("inside the ball, saved", True, verdict.detail)
    # Half levels do not survive a file: rounding leaves the ball unless the attack rounds within it.
    half = ThreatModel(eps=2.5 / 255)
    outside = saved_and_read_back(APGD(Nearest(), eps=half.eps)(x, hr) + 1e-4, tmp_path)
    within = saved_and_read_back(APGD(Nearest(), eps=half.eps, rounded=True)(x, hr), tmp_path)
    assert not verdicts.inside(x, outside, half).ok and verdicts.inside(x, within, half).ok


def test_inside_the_range() -> None:
    x = torch.zeros(1, 3, 2, 2)
    threat = ThreatModel(eps=EPS)
    assert not verdicts.inside(x, x - 0.01, threat).ok
    assert not verdicts.inside(x, torch.full_like(x, torch.nan), threat).ok
    assert not verdicts.inside(x + 1, x + 1.01, threat).ok
