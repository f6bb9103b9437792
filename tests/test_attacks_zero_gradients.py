"""Attacks that follow no gradient say so, and what masks gradients is found out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from attacked_nets import Blocked, Net, images, rounding
from helpers import write_pairs
from torch import Tensor, nn

import srbench
from srbench.attacks import (
    StructuredPGD,
    UniversalPerturbation,
    ZeroGradient,
    preset,
)
from srbench.attacks.straight_through import gradients_straight_through
from srbench.attacks.tiles import attack_in_tiles
from srbench.errors import BadInput
from srbench.robustness import attack as job
from srbench.robustness.strength import check_strength
from srbench.run.perturb import attack_image, make_perturbation


@pytest.mark.parametrize("name", ["rsr", "rsr-paper", "ifgsm-choi"])
def test_a_blind_attack_says_so(name: str) -> None:
    lr, hr = images()
    with pytest.warns(ZeroGradient, match="image 0, 1: the gradient was zero on every value") as caught:
        srbench.attack(rounding(), lr, hr, preset=name)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for harmless in (
            {"preset": "random"},
            {"preset": name, "eps": 0.0},
            {"preset": name, "straight_through": True},
        ):
            srbench.attack(rounding(), lr, hr, **harmless)  # type: ignore[arg-type]
        srbench.attack(Net().eval(), lr, hr, preset=name)


def test_only_the_images_concerned_are_named() -> None:
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            up = F.interpolate(x, scale_factor=4, mode="nearest")
            return torch.where(torch.arange(len(x)).reshape(-1, 1, 1, 1) == 1, up.round(), up)

    _, finding = StructuredPGD(Half()).examined(*images(3), ids=["a", "b", "c"])
    assert finding.startswith("image b: the gradient was zero on every value")


@pytest.mark.parametrize("make", [rounding, Blocked])
def test_strong_falls_back_on_what_needs_no_gradient_and_says_so(make: Callable[[], nn.Module]) -> None:
    lr, hr = images()
    with pytest.warns(ZeroGradient, match=r"only RandomNoise, SquareSearch of the ensemble, which need none"):
        made = srbench.attack(make(), lr, hr, preset="strong")
    assert not torch.equal(made, lr)


def test_an_attack_without_a_gradient_to_follow_or_to_do_without_is_refused() -> None:
    with pytest.raises(BadInput, match="gives no gradient"):
        srbench.attack(Blocked(), *images())


def test_universal_and_tiled_attacks_say_so_too() -> None:
    lr, hr = images(1, 16)
    with pytest.warns(ZeroGradient, match="the gradient was zero on every value"):
        UniversalPerturbation(rounding(), steps=2).fit([(lr, hr)])
    with pytest.warns(ZeroGradient, match=r"the gradient was zero on every value.*\(4 of 4 tiles\)"):
        attack_in_tiles(StructuredPGD(rounding()), lr, hr, "0801", tile=8, halo=2)


@pytest.mark.parametrize(
    ("name", "flagged"), [("rsr", True), ("strong", True), ("random", False), ("square", False)]
)
def test_the_record_says_it(name: str, flagged: bool, tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=16)
    records = srbench.evaluate(
        {"masked": rounding, "open": lambda: Net().eval()},
        datasets=f"pairs:{lr}:{hr}",
        attacks=name,
        metrics="psnr",
    )
    for model, remark in zip(records["model"], records["flags"], strict=True):
        assert ("usable gradient: " in remark) == (flagged and model == "masked")


def test_transferred_noise_carries_its_flag() -> None:
    from srbench.attacks import Transfer
    from srbench.support.cache import Cache
    from srbench.zoo.from_python import from_python

    ((source, _),) = from_python({"masked": rounding()}).values()
    spec = Transfer(recipe=preset("rsr"), source=source)
    lr, hr = images(1)
    noise: Cache[Any] = Cache(1 << 20, lambda made: made.nbytes)
    for _ in range(2):  # the second time for another model, from what is kept
        perturbation = make_perturbation(spec, Net().eval(), "cpu", None)  # type: ignore[arg-type]
        attacked = attack_image(perturbation, lr, hr, "a", (), noise, lambda: hr)
        assert attacked.flags["usable gradient"].startswith("image a: the gradient was zero on every value")


@pytest.mark.parametrize("model", [rounding, Blocked])
def test_the_strength_check_suggests_what_helps(model: Callable[[], nn.Module], tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=16)
    name = f"attacked_nets:{model.__name__}"
    prepared = job.prepare(
        job.AttackRequest(
            model=name, dataset=f"pairs:{lr}:{hr}", eps=("14",), presets=("strong",), metrics=("psnr",)
        )
    )
    job.run(prepared)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {verdict.name: verdict for verdict in check_strength(prepared, thorough=True).verdicts}
    assert "straight_through=True" in found["strong: usable gradient"].detail
    assert not found["usable gradient in records"].ok
    assert found["inside the ball"].ok


def test_the_square_preset_finds_what_masked_gradients_hide() -> None:
    lr, hr = images(1)
    masked = rounding()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        blind, searched, seen = (
            F.mse_loss(masked(srbench.attack(masked, lr, hr, **each)), hr)  # type: ignore[arg-type]
            for each in (
                {"preset": "rsr", "objective": "mse"},
                {"preset": "square"},
                {"preset": "ifgsm-choi", "eps": 14 / 255, "straight_through": True},
            )
        )
    assert searched > blind and seen > blind


@pytest.mark.parametrize(
    "steep",
    [
        torch.round,
        lambda x: x.round(),
        lambda x: (x + 0).round_(),
        torch.floor,
        torch.sign,
        lambda x: x.clamp(0.4, 0.6),
        lambda x: torch.clamp(x, min=0.4),
        lambda x: torch.clip(input=x, min=0.4, max=0.6),
        lambda x: (x + 0).clamp_(0.4, 0.6),
        lambda x: F.hardtanh(x, 0.4, 0.6),
        nn.Hardtanh(0.4, 0.6),
        nn.ReLU6(),
        lambda x: F.hardtanh(x + 0, 0.4, 0.6, inplace=True),
        lambda x: torch.round(x, decimals=1),
    ],
)
def test_straight_through_keeps_values_and_passes_gradients(steep: Callable[[Tensor], Tensor]) -> None:
    x = torch.linspace(-1, 7, 33, requires_grad=True)
    due = steep(x).detach()
    with gradients_straight_through():
        made = steep(x)
    assert torch.equal(made, due)
    (gradient,) = torch.autograd.grad((2 * made).sum(), x)
    assert torch.equal(gradient, torch.full_like(x, 2))


def test_straight_through_is_left_out_of_the_hash_at_its_default() -> None:
    for name in ("rsr", "strong"):
        recipe = preset(name)
        assert recipe.with_(straight_through=False).hash == recipe.hash
        assert "straight_through" not in recipe.settings()
        through = recipe.with_(straight_through=True)
        assert through.hash != recipe.hash and through.settings()["straight_through"] is True
        assert through.name == f"{name}(straight_through=True)"
        assert all(part.straight_through for part in through.parts)


def test_straight_through_is_the_gradient_of_the_unmasked_model() -> None:
    lr, hr = images()
    through = StructuredPGD(rounding(), straight_through=True).gradient(lr, lr, hr)
    torch.testing.assert_close(through, StructuredPGD(Net().eval()).gradient(lr, lr, hr))
