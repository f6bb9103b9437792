"""Certificates of smoothed models: against the binomial, a linear model's closed form, and attacks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import Nearest, inside, write_pairs
from scipy.stats import binom, norm
from torch import Tensor, nn

from srbench import attacks, zoo
from srbench.attacks.certificate import Certificate, bounds, ranks
from srbench.boards.compute import tables
from srbench.entries.numbers import check_record
from srbench.errors import BadInput
from srbench.evaluation import EvaluationRequest, evaluate
from srbench.run.certified import certify
from srbench.zoo.defences.mrs import sample


class Mixing(nn.Module):
    """Every value of a block sees all three channels of its pixel and its neighbour's."""

    def __init__(self, bend: float) -> None:
        super().__init__()
        self.bend = bend

    def forward(self, lr: Tensor) -> Tensor:
        mixed = 0.6 * lr + 0.5 * lr.roll(1, 1) - 0.4 * lr.roll(1, 3)
        return Nearest()(0.5 + 0.4 * torch.sin(self.bend * mixed))


MODELS = {"straight": Nearest(), "bent": Mixing(4.0), "folded": Mixing(25.0)}


@pytest.mark.parametrize(("n", "sigma", "radius", "alpha"), [(60, 0.1, 0.02, 0.01), (500, 0.05, 0.05, 0.001)])
def test_the_ranks_are_the_closest_that_the_binomial_allows(
    n: int, sigma: float, radius: float, alpha: float
) -> None:
    values = 3 * 16 * 16
    low, high = ranks(n, sigma, radius, alpha, values)
    share, level = norm.cdf(radius / sigma), alpha / (2 * values)
    # The high-th sample is below the quantile only if high samples or more are.
    assert 1 - binom.cdf(high - 1, n, share) <= level < 1 - binom.cdf(high - 2, n, share)
    assert binom.cdf(low - 1, n, 1 - share) <= level < binom.cdf(low, n, 1 - share)
    wider = ranks(n, sigma, radius, alpha / 100, values)
    assert wider[0] < low and high < wider[1]


@pytest.mark.parametrize(("sigma", "radius", "alpha"), [(0.05, 0.1, 0.001), (0.1, 0.25, 0.05)])
def test_too_few_samples_say_how_many_would_do(sigma: float, radius: float, alpha: float) -> None:
    with pytest.raises(BadInput, match=r"n=\d+ would do") as caught:
        ranks(20, sigma, radius, alpha, 48)
    due = int(str(caught.value).rpartition("n=")[2].split()[0])
    ranks(due, sigma, radius, alpha, 48)
    with pytest.raises(BadInput):
        ranks(due - 1, sigma, radius, alpha, 48)
    with pytest.raises(BadInput, match="a larger sigma or a smaller radius would do"):
        ranks(1000, 0.05, 5.0, 0.001, 48)


def test_a_linear_model_has_the_interval_of_its_closed_form() -> None:
    """A value that is one LR value moves by the radius and no more: x - r to x + r."""
    lr, sigma, n = 0.3 + 0.4 * torch.rand(1, 3, 3, 3, generator=torch.Generator().manual_seed(1)), 0.1, 20_000
    for radius in (0.02, 0.1, 0.2):
        torch.manual_seed(2)
        places = ranks(n, sigma, radius, 0.001, Nearest()(lr).numel())
        low, high = bounds(sample(Nearest(), lr, {"sigma": sigma, "n": n}), places)
        centre, share = Nearest()(lr), float(norm.cdf(radius / sigma))
        # An order statistic lies around its quantile with this standard deviation.
        error = sigma * math.sqrt(share * (1 - share) / n) / norm.pdf(radius / sigma)
        for outside in (high - centre - radius, centre - radius - low):
            assert bool((outside >= 0).all()) and float(outside.max()) < 10 * error


@pytest.mark.parametrize("name", MODELS)
def test_nothing_in_the_ball_leaves_the_bounds(name: str) -> None:
    """3,400 changes of an LR image each: random ones, and those along the gradient of each of its values."""
    model, sigma, radius, n = MODELS[name], 0.1, 0.08, 400
    draw = torch.Generator().manual_seed(5)
    lr = 0.3 + 0.4 * torch.rand(1, 3, 1, 2, generator=draw)
    torch.manual_seed(6)
    places = ranks(n, sigma, radius, 0.001, model(lr).numel())
    low, high = bounds(sample(model, lr, {"sigma": sigma, "n": n}), places)
    assert bool((low < high).all())
    leaf = lr.expand(500, -1, -1, -1).clone().requires_grad_()
    smooth = model(leaf + sigma * torch.randn(leaf.shape, generator=draw)).mean(0).flatten()
    steepest = [
        torch.autograd.grad(smooth[i], leaf, retain_graph=True)[0].mean(0) for i in range(len(smooth))
    ]
    directions = torch.cat(
        [torch.stack(steepest), -torch.stack(steepest), torch.randn(3400, 3, 1, 2, generator=draw)]
    )
    directions = directions[directions.flatten(1).norm(dim=1) > 0][:3400]
    changes = radius * directions / directions.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    first, last = (int(binom.isf(tail, 200, 0.5)) for tail in (1 - 1e-9, 1e-9))
    violations = 0
    for chunk in (lr + changes).split(400):
        ordered = sample(model, chunk, {"sigma": sigma, "n": 200}).sort(dim=0).values
        # The median at the changed image lies between these of 200 samples, but for one time in 10^9.
        violations += int(((ordered[last] < low) | (ordered[first - 1] > high)).flatten(1).any(1).sum())
    assert violations == 0
    if name == "folded":  # noise of this size has averaged its folds away, and nothing moves
        return
    narrow, middle = (high - low) / 20, (low + high) / 2
    moved = sample(model, lr + changes[:200], {"sigma": sigma, "n": 200}).sort(dim=0).values
    outside = (moved[last] < middle - narrow) | (moved[first - 1] > middle + narrow)
    assert bool(outside.any()), "bounds a tenth as wide would be left"


def test_no_image_within_the_bounds_is_worse_than_what_is_guaranteed() -> None:
    model = zoo.resolve(["mrs(bicubic,sigma=0.1,n=100)"])[0].load()
    lr, hr = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 16, 16)
    found = certify(Certificate(0.02), model, lr, hr)
    torch.manual_seed(0)
    assert model.smoothing is not None
    low, high = bounds(model.smoothing.sample(lr).clamp(0, 1), ranks(100, 0.1, 0.02, 0.001, hr.numel()))
    torch.manual_seed(0)
    found = certify(Certificate(0.02), model, lr, hr)
    error = (found.worst - hr).square().mean()
    for _ in range(200):
        inside = low + (high - low) * torch.rand_like(low).round()
        assert (inside - hr).square().mean() <= error
    torch.testing.assert_close(found.width, high - low)
    assert found.settings["certificate"]["width"] == pytest.approx(255 * float((high - low).mean()), abs=1e-3)


def test_certificates_stand_beside_attacks(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=8)
    request = EvaluationRequest(
        models=("mrs(bicubic,sigma=0.1,n=80)",),
        datasets=(f"pairs:{lr}:{hr}",),
        metrics=("psnr", "ssim"),
        attacks=("none", "certified@0.02", "certified@0.01(alpha=0.05)"),
        store=tmp_path / "store",
    )
    records = evaluate(request).records
    psnr = {(r.attack, r.image): r.metrics["psnr"] for r in records}
    for image in {r.image for r in records}:
        clean, near, far = (psnr[name, image] for name in request.attacks[:1] + request.attacks[:0:-1])
        assert clean > near > far  # type: ignore[operator]
    certified = [r for r in records if r.attack != "none"]
    assert {(r.metrics["ssim"], r.notes["ssim"]) for r in certified} == {(None, "no bound is known")}
    assert {r.effect["lr_max"] for r in certified} == {0.0}
    assert {tuple(r.attack_settings["certificate"]) for r in certified if r.attack_settings} == {
        ("sigma", "n", "ranks", "width")
    }
    assert [line for record in records for line in check_record(record)] == []
    (table,) = tables(records)
    assert table.attacks == ["none", "certified@0.01(alpha=0.05)", "certified@0.02"]
    again = evaluate(replace(request, store=tmp_path / "other", workers=2)).records
    assert [r.metrics for r in again] == [r.metrics for r in records]


@pytest.mark.parametrize(
    ("model", "attack", "message"),
    [
        ("bicubic", "certified@0.1", "bicubic has no certificate: put the median over noise around it"),
        ("jpeg(mrs(bicubic))", "certified@0.01", "has no certificate"),
        ("mrs(bicubic)", "certified", "is no certificate: write certified@0.1"),
        ("mrs(bicubic)", "certified@x", "is no certificate"),
        ("mrs(bicubic)", "certified@0", "the radius is an l2 distance above 0"),
        ("mrs(bicubic)", "certified@nan", "the radius is an l2 distance above 0"),
        ("mrs(bicubic)", "certified@0.1(alpha=2)", "alpha is 2, and has to be between 0 and 1"),
        ("mrs(bicubic,n=4)", "certified@0.01", "4 samples with noise of 0.05 certify no radius of 0.01"),
    ],
)
def test_what_cannot_be_certified_is_one_line(model: str, attack: str, message: str) -> None:
    request = EvaluationRequest(models=(model,), datasets=("clean-mini",), attacks=(attack,), limit=1)
    with pytest.raises(BadInput) as caught:
        evaluate(request)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_set_without_hr_and_tiles_have_no_certificate(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    request = EvaluationRequest(
        models=("mrs(bicubic,n=60)",), attacks=("certified@0.001",), store=tmp_path / "s"
    )
    with pytest.raises(BadInput, match="has no HR"):
        evaluate(replace(request, datasets=(f"folder:{lr}",)))
    with pytest.raises(BadInput, match="a certificate is of whole images"):
        evaluate(replace(request, datasets=(f"pairs:{lr}:{hr}",), tile=16))


def test_names_are_those_that_are_written() -> None:
    for text in ("certified@0.1", "certified@0.05(alpha=0.01)"):
        (spec,) = attacks.resolve([text])
        assert spec.name == text and not spec.needs_gradient and not spec.is_noise
    assert Certificate(0.1).hash != Certificate(0.1, 0.01).hash


def test_the_command_says_what_is_guaranteed(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=8)
    command = ("certify", "bicubic", "--sigma", "0.1", "--n", "60", "--radius", "0.01,0.03")
    given = ("--dataset", f"pairs:{lr}:{hr}", "--attack-steps", "3", "--out", str(tmp_path / "out"))
    done = inside(*command, *given, "--json", SRBENCH_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    near, far = json.loads(done.stdout)
    assert near["radius"] == 0.01 and near["images"] == 2
    assert near["levels"] == pytest.approx(255 * 0.01 / math.sqrt(3 * 64))
    assert near["clean"] - near["guaranteed"] > 1 and near["guaranteed"] > far["guaranteed"]
    # Medians of 60 samples are not exact: on so small a ball they move as much as the attack.
    assert near["guaranteed"] < near["attacked"] < near["clean"] + 0.05
    assert far["guaranteed"] < far["attacked"] < near["clean"]
    assert far["width"] > near["width"] > 0
    made = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*g"))
    assert made == [
        "certified.png",
        *(f"certified@{r}/{i}.png" for r in (0.01, 0.03) for i in ("000", "001")),
    ]
    refused = inside(*command[:-1], "0.01,wide", *given, SRBENCH_HOME=str(tmp_path / "home"))
    assert refused.returncode == 2 and "--radius wide: it has to be a number" in refused.stderr
