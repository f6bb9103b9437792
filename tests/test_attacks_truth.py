"""Attacks against independent truth: closed-form optima, finite differences, torchattacks' own PGD."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers import Nearest
from torch import Tensor, nn

from srbench.attacks import (
    APGD,
    FGSM,
    IFGSM,
    MIFGSM,
    PGDL2,
    Ensemble,
    RandomNoise,
    SquareSearch,
    SRAttack,
    StructuredPGD,
    UniversalPerturbation,
)
from srbench.attacks.objectives import Objective
from srbench.attacks.perceptual import LPIPS, VGG19

EPS = 14 / 255


class Smooth(nn.Module):
    """Two convolutions with a smooth activation between, and a pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.b(torch.tanh(self.a(x))), 4)


def images(low: float = 0.3, high: float = 0.7, *, count: int = 2, side: int = 6) -> tuple[Tensor, Tensor]:
    """LR in [low, high], and HR whose every block differs from its LR pixel by 0.1 to 0.25 either way."""
    draw = torch.Generator().manual_seed(3)
    x = low + (high - low) * torch.rand(count, 3, side, side, generator=draw, dtype=torch.float64)
    gap = 0.1 + 0.15 * torch.rand(x.shape, generator=draw, dtype=torch.float64)
    sign = torch.randint(0, 2, x.shape, generator=draw) * 2 - 1
    return x, Nearest()((x + gap * sign).clamp(0, 1))


LINF: list[tuple[type[SRAttack], dict[str, Any]]] = [
    (StructuredPGD, {"alpha": 4 / 255, "steps": 8}),
    (StructuredPGD, {"alpha": 4 / 255, "steps": 8, "structure": 2, "restarts": 2, "momentum": 1.0}),
    (FGSM, {}),
    (IFGSM, {}),
    (MIFGSM, {}),
    (APGD, {}),
]


@pytest.mark.parametrize(("attack", "options"), LINF)
@pytest.mark.parametrize("objective", ["l1", "mse"])
def test_linf_attacks_reach_the_known_optimum(
    attack: type[SRAttack], options: dict[str, Any], objective: str
) -> None:
    x, hr = images()
    gap = (x - F.avg_pool2d(hr, 4)).abs() + EPS
    worst = (gap if objective == "l1" else gap.square()).flatten(1).mean(1)
    made = attack(Nearest(), eps=EPS, objective=objective, **options)
    found = made.loss(x, made(x, hr), hr)
    assert (found <= worst + 1e-12).all()
    torch.testing.assert_close(found, worst, atol=1e-9, rtol=0)


def test_one_step_from_a_random_start_goes_three_quarters_of_the_way() -> None:
    """From u uniform in [-eps, eps] a step of eps ends at min(eps, u + eps), which is 3/4 eps on average."""
    x, hr = images(side=40)
    made = FGSM(Nearest(), eps=EPS, objective="l1", start="random")
    gained = made.loss(x, made(x, hr), hr) - made.loss(x, x, hr)
    torch.testing.assert_close(gained, torch.full_like(gained, 0.75 * EPS), rtol=0.02, atol=0)


@pytest.mark.parametrize("attack", [FGSM, IFGSM, MIFGSM])
def test_linf_attacks_reach_the_optimum_at_the_edge_of_the_range(attack: type[SRAttack]) -> None:
    x = images(0, 1)[0]
    x = torch.where((x - 0.5).abs() < EPS, torch.full_like(x, 0.8), x)
    hr = torch.full((2, 3, 24, 24), 0.5, dtype=torch.float64)
    worst = ((x + EPS * (x - 0.5).sign()).clamp(0, 1) - 0.5).abs().flatten(1).mean(1)
    made = attack(Nearest(), eps=EPS, objective="l1")
    torch.testing.assert_close(made.loss(x, made(x, hr), hr), worst, atol=1e-9, rtol=0)


@pytest.mark.parametrize("start", ["zero", "random"])
@pytest.mark.parametrize("objective", ["l1", "mse"])
def test_l2_attack_reaches_the_known_optimum(start: str, objective: str) -> None:
    x, hr = images()
    gap = (x - F.avg_pool2d(hr, 4)).flatten(1)
    eps = 5 / 255
    # Sums of squares grow most along themselves, sums of absolute values most along their signs.
    root = gap.square().mean(1).sqrt()
    worst = gap.abs().mean(1) + eps if objective == "l1" else (root + eps).square()
    made = PGDL2(Nearest(), eps=eps, objective=objective, start=start, steps=40, alpha=eps)
    found = made.loss(x, made(x, hr), hr)
    assert (found <= worst + 1e-9).all()
    torch.testing.assert_close(found, worst, atol=0, rtol=1e-4)


def test_l2_attack_fills_up_the_range_exactly() -> None:
    """L1 in a ball cut by the range: every pixel gets the same push, as far as its room allows."""
    x = images(0, 1)[0][:1]
    x = torch.where((x - 0.5).abs() < 0.15, torch.full_like(x, 0.9), x)
    eps = 0.1
    room = torch.where(x > 0.5, 1 - x, x).flatten()
    low, high = 0.0, 1.0
    for _ in range(60):
        push = (low + high) / 2
        within = room.clamp(max=push).square().mean().sqrt() <= eps
        low, high = (push, high) if within else (low, push)
    worst = ((x - 0.5).abs().flatten() + room.clamp(max=low)).mean()
    assert (room < low).any() and (room > low).any()
    made = PGDL2(Nearest(), eps=eps, objective="l1", start="zero", steps=200, alpha=0.05)
    hr = torch.full((1, 3, 24, 24), 0.5, dtype=torch.float64)
    assert made.loss(x, made(x, hr), hr).item() == pytest.approx(worst.item(), abs=1e-5)


def test_universal_noise_is_the_majority_of_the_signs() -> None:
    x, _ = images(count=3)
    sign = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(5)) * 2.0 - 1
    hr = Nearest()(x - 0.2 * sign)
    made = UniversalPerturbation(Nearest(), eps=EPS, objective="l1", steps=10)
    made.fit([(x[:1], hr[:1]), (x[1:], hr[1:])])
    assert made.noise is not None
    torch.testing.assert_close(made.noise, EPS * sign.double().sum(0, keepdim=True).sign(), atol=1e-9, rtol=0)
    torch.testing.assert_close(made(x), x + made.noise, atol=1e-9, rtol=0)


def test_universal_noise_is_tiled_over_other_sizes() -> None:
    """The gradient of a tile is the sum over its places: fitted on 6 x 6 with a 4 x 3 tile."""
    x, _ = images(count=1)
    tile = torch.randint(0, 2, (1, 3, 4, 3), generator=torch.Generator().manual_seed(5)) * 2.0 - 1
    sign = tile.repeat(1, 1, 2, 2)[:, :, :6]
    made = UniversalPerturbation(Nearest(), eps=EPS, objective="l1", steps=3, size=(4, 3))
    made.fit([(x, Nearest()(x - 0.2 * sign))])
    assert made.noise is not None
    torch.testing.assert_close(made.noise, EPS * tile.double(), atol=1e-9, rtol=0)
    other = torch.full((1, 3, 9, 5), 0.5, dtype=torch.float64)
    torch.testing.assert_close(
        made(other) - other, EPS * tile.double().repeat(1, 1, 3, 2)[:, :, :9, :5], atol=1e-9, rtol=0
    )


def test_square_search_beats_random_noise_and_never_falls() -> None:
    x, hr = images()
    noise = RandomNoise(Smooth().double(), eps=EPS, objective="mse")
    few, many = (SquareSearch(Smooth().double(), eps=EPS, objective="mse", queries=q) for q in (1, 60))
    clean, random = noise.loss(x, x, hr), noise.loss(x, noise(x, hr), hr)
    first, last = few.loss(x, few(x, hr), hr), many.loss(x, many(x, hr), hr)
    assert (last > random).all() and (last > clean).all() and (last >= first).all()


def test_apgd_is_no_weaker_than_plain_steps() -> None:
    x, hr = images(count=4)
    model = Smooth().double()
    plain = StructuredPGD(model, eps=EPS, alpha=EPS / 4, steps=20, structure=1, objective="mse")
    adaptive = APGD(model, eps=EPS, steps=20, structure=1, objective="mse")
    assert (adaptive.loss(x, adaptive(x, hr), hr) >= plain.loss(x, plain(x, hr), hr) * 0.999).all()


def test_ensemble_keeps_the_worst_of_each_image() -> None:
    x, hr = images(count=3)
    model = Smooth().double()
    parts: list[SRAttack] = [
        RandomNoise(model, eps=EPS, seed=1),
        RandomNoise(model, eps=EPS, seed=2),
        RandomNoise(model, eps=EPS, seed=3),
    ]
    whole = Ensemble(model, attacks=parts, measures=["mse"])

    def clipped(adversarial: Tensor) -> Tensor:
        return (model(adversarial).clamp(0, 1) - hr).square().flatten(1).mean(1)

    each = torch.stack([clipped(part(x, hr)) for part in parts])
    assert len(set(each.argmax(0).tolist())) > 1, "the test needs images with different winners"
    torch.testing.assert_close(clipped(whole(x, hr)), each.amax(0))


def objectives() -> list[Objective | str]:
    import lpips

    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3, stride=2)).double()
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    return ["l1", "mse", "0.3*l1+2*mse", VGG19(features), LPIPS("alex", network)]


@pytest.mark.parametrize("index", range(5))
def test_gradients_agree_with_finite_differences(index: int) -> None:
    objective = objectives()[index]
    x, hr = images(count=2, side=9)
    made = StructuredPGD(Smooth().double(), eps=EPS, objective=objective)
    at = x + 0.01
    gradient = made.gradient(x, at, hr)
    draw = torch.Generator().manual_seed(0)
    for _ in range(6):
        direction = torch.randn(x.shape, generator=draw, dtype=torch.float64)
        step = 1e-6
        up, down = made.loss(x, at + step * direction, hr), made.loss(x, at - step * direction, hr)
        numeric = (up - down) / (2 * step)
        torch.testing.assert_close((gradient * direction).flatten(1).sum(1), numeric, rtol=1e-4, atol=1e-8)


def test_first_gradient_is_zero_where_the_start_saturates() -> None:
    """The start is not projected: the first forward sees the clipped image."""
    x = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3).expand(1, 3, 1, 3).contiguous()
    made = StructuredPGD(Nearest(), eps=EPS, objective="l1")
    with made.opened(x, torch.full((1, 3, 4, 12), 0.4), None) as problem:
        delta = torch.tensor([-0.01, 0.01, 0.01]).expand_as(x)
        gradient, _ = problem.gradient(delta)
    assert (gradient[..., 0] == 0).all() and (gradient[..., 1] > 0).all() and (gradient[..., 2] == 0).all()


@pytest.mark.parametrize("objective", ["l1", "mse"])
def test_equals_torchattacks_pgd_with_its_loss_swapped(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchattacks = pytest.importorskip("torchattacks")
    from torchattacks.attacks import pgd

    model = Smooth()
    x, hr = (t.float() for t in images(count=3, side=8))
    loss = {"l1": nn.L1Loss, "mse": nn.MSELoss}[objective]
    theirs = torchattacks.PGD(model, eps=EPS, alpha=2 / 255, steps=10, random_start=True)
    with monkeypatch.context() as patch:
        # Their PGD builds its loss inside; images stay within [0.24, 0.76], so no clipping tells them apart.
        patch.setattr(pgd.nn, "CrossEntropyLoss", loss)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            start = torch.empty_like(x).uniform_(-EPS, EPS)
            torch.manual_seed(7)
            wanted = theirs(x, hr)
    monkeypatch.setattr(StructuredPGD, "start", lambda self, problem, stream: start)
    ours = StructuredPGD(model, eps=EPS, alpha=2 / 255, steps=10, structure=1, objective=objective)(x, hr)
    torch.testing.assert_close(ours, wanted, atol=1e-6, rtol=0)
    assert (ours - x - start).abs().max() > 1 / 255


def test_structured_start_is_the_published_one() -> None:
    """int(H // s) cells, nearest neighbour: 21 cells over 32 pixels, 11 of them doubled."""
    x = torch.full((1, 3, 32, 32), 0.5)
    with StructuredPGD(Nearest(), eps=EPS, structure=1.5).opened(x, None, ["a"]) as problem:
        start = problem.start("random", 1.5)
    row = start[0, 0, 0]
    runs = torch.unique_consecutive(row, return_counts=True)[1].tolist()
    assert len(runs) == 21 and sorted(runs) == [1] * 10 + [2] * 11
    assert start.abs().max() <= EPS and start.std().item() == pytest.approx(EPS / math.sqrt(3), rel=0.1)
    assert not torch.equal(start[0, 0], start[0, 1])
    with StructuredPGD(Nearest(), structure=2).opened(x, None, ["a"]) as problem:
        blocks = problem.noise(2, "0")
    torch.testing.assert_close(Nearest()(F.avg_pool2d(blocks, 2))[..., ::2, ::2], blocks)


def test_a_problem_shares_features_between_objectives_of_one_batch() -> None:
    calls: list[int] = []

    class Counting(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            calls.append(len(image))
            return image * 2

    x, hr = (t.float() for t in images())
    attack = StructuredPGD(Nearest(), eps=EPS, steps=5, objective=VGG19(Counting()))
    attack(x, hr)
    assert len(calls) == 6, "once for HR, once a step"
    calls.clear()
    Ensemble(attack.model, attacks=[attack, attack], measures=[attack.objective])(x, hr)
    assert len(calls) == 1 + 2 * (5 + 1), "HR once for all parts and measures"
