"""What no attack takes, and outputs that fail a run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from every_attack import (
    ALL,
    BLACK,
    MAKERS,
    WHITE,
    Make,
    Net,
    batch,
    needs_gradient,
)
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
    StructuredPGD,
    UniversalPerturbation,
    ZeroGradient,
)
from srbench.errors import BadInput, RunFailed


@WHITE
def test_a_model_without_gradients_is_refused(name: str) -> None:
    inner = Net().eval()

    class Blocked(nn.Module):
        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return inner(x)  # type: ignore[no-any-return]

    if name == "Ensemble":  # whose search needs none
        with pytest.warns(ZeroGradient, match="only SquareSearch of the ensemble"):
            MAKERS[name](Blocked())(*batch())
        return
    with pytest.raises(BadInput, match="no gradient"):
        MAKERS[name](Blocked())(*batch())


@BLACK
def test_black_box_attacks_ask_for_no_gradient(name: str) -> None:
    model = Net().eval()
    model.forward = torch.no_grad()(model.forward)  # type: ignore[method-assign]
    lr, hr = batch()
    assert not torch.equal(MAKERS[name](model)(lr, hr), lr)


@WHITE
def test_nan_in_the_output_fails_the_run_and_names_the_image(name: str) -> None:
    class Poisoned(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            dark = x.flatten(1).mean(1).reshape(-1, 1, 1, 1) < 0.3
            return super().forward(x) + torch.where(dark, torch.nan, 0.0)

    lr, hr = batch()
    lr[1] *= 0.1
    if name == "UniversalPerturbation":
        with pytest.raises(RunFailed, match=r"NaN or infinite values \(image 1\)"):
            UniversalPerturbation(Poisoned(), steps=2).fit([(lr, hr)])
        return
    with pytest.raises(RunFailed, match=r"NaN or infinite values \(image second\)"):
        MAKERS[name](Poisoned())(lr, hr, ids=["first", "second"])


def test_nan_in_the_gradient_alone_fails_the_run() -> None:
    class Root(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 0 * (x * 0).sum().sqrt()

    with pytest.raises(RunFailed, match="NaN"):
        StructuredPGD(Root())(*batch())


@ALL
def test_bad_images_are_refused(name: str) -> None:
    attack = MAKERS[name](Nearest())
    lr, hr = batch()
    with pytest.raises(BadInput, match=r"HR is \(2, 3, 20, 27\) where \(2, 3, 20, 28\) was due"):
        attack(lr, hr[..., :-1])
    with pytest.raises(BadInput, match="shape"):
        attack(lr[0], hr)
    with pytest.raises(BadInput, match="float"):
        attack((lr * 255).byte(), hr)
    with pytest.raises(BadInput, match=r"in \[0, 1\]"):
        attack(lr * 255, hr)
    with pytest.raises(BadInput, match=r"in \[0, 1\]"):
        attack(torch.full_like(lr, torch.nan), hr)
    with pytest.raises(BadInput, match="ids"):
        attack(lr, hr, ids=["a"])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (StructuredPGD, {"steps": 0}, "steps is 0"),
        (IFGSM, {"steps": 0}, "steps is 0"),
        (MIFGSM, {"steps": 0}, "steps is 0"),
        (PGDL2, {"steps": 0}, "steps is 0"),
        (APGD, {"steps": 0}, "steps is 0"),
        (UniversalPerturbation, {"steps": 0}, "steps is 0"),
        (SquareSearch, {"queries": 0}, "queries is 0"),
        (SquareSearch, {"share": 0.0}, "share is 0"),
        (StructuredPGD, {"structure": 0.5}, "structure is 0.5"),
        (StructuredPGD, {"alpha": -1.0}, "alpha"),
        (StructuredPGD, {"alpha": float("nan")}, "alpha"),
        (StructuredPGD, {"restarts": 0}, "restarts"),
        (StructuredPGD, {"eps": 14}, "14/255"),
        (StructuredPGD, {"precision": "fp8"}, "precision"),
        (StructuredPGD, {"objective": "ssim"}, "ssim"),
        (RandomNoise, {"norm": "l1"}, "norm"),
        (Ensemble, {"attacks": []}, "at least one attack"),
    ],
)
def test_bad_options_are_refused(make: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make(Nearest(), **options)


def test_ensembles_share_model_and_threat() -> None:
    model = Nearest()
    with pytest.raises(BadInput, match="share one model"):
        Ensemble(model, attacks=[RandomNoise(model, eps=0.1), RandomNoise(model, eps=0.2)])
    with pytest.raises(BadInput, match="share one model"):
        Ensemble(model, attacks=[RandomNoise(Nearest())])
    with pytest.raises(BadInput, match="references"):
        Ensemble(model, attacks=[RandomNoise(model)], references=2)


def test_a_model_of_another_scale_is_refused() -> None:
    with pytest.raises(BadInput, match=r"the model made \(2, 3, 10, 14\) where \(2, 3, 20, 28\) was due"):
        StructuredPGD(nn.Upsample(scale_factor=2))(*batch())


def test_without_hr_the_target_is_the_clean_output() -> None:
    lr, _ = batch()
    model = Net().eval()
    for name in filter(needs_gradient, MAKERS):
        if name == "UniversalPerturbation":  # whose target was what it was fitted on
            continue
        attack = MAKERS[name](model)
        damage = attack.loss(lr, attack(lr))
        assert (attack.loss(lr, lr) == 0).all() and (damage > 1e-5).all(), name
    for make in (FGSM, IFGSM, MIFGSM, APGD, PGDL2):
        with pytest.raises(BadInput, match="zero start needs HR"):
            make(model, start="zero")(lr)


def test_unfitted_universal_noise_is_refused() -> None:
    with pytest.raises(BadInput, match="fitted first"):
        UniversalPerturbation(Nearest())(*batch())
    with pytest.raises(BadInput, match="no images"):
        UniversalPerturbation(Nearest()).fit([])


def test_bf16_finds_nearly_as_much_damage() -> None:
    lr, hr = batch(2, 12, 12)
    exact, fast = (StructuredPGD(Net().eval(), steps=5, precision=p) for p in ("fp32", "bf16"))
    gain, gained = (exact.loss(lr, a(lr, hr), hr) - exact.loss(lr, lr, hr) for a in (exact, fast))
    assert not torch.equal(exact(lr, hr), fast(lr, hr))
    torch.testing.assert_close(gained, gain, rtol=0.1, atol=0)
