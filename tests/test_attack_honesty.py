"""Nothing wrong is silent: settings and images of every kind, modes, zero gradients, and what files hold."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers import write_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import srbench
from srbench.attacks import (
    APGD,
    Ensemble,
    RandomNoise,
    StructuredPGD,
    ThreatModel,
    UniversalPerturbation,
    ZeroGradient,
    preset,
    verdicts,
)
from srbench.attacks.model_state import networks, untouched
from srbench.attacks.straight_through import gradients_straight_through
from srbench.attacks.tiles import attack_in_tiles
from srbench.errors import BadInput
from srbench.robustness import attack as job
from srbench.robustness.strength import check_strength
from srbench.run.perturb import attack_image, make_perturbation


class Net(nn.Module):
    """A small x4 network; ``rounds`` rounds its input to 8 bit, as a model with a file inside does."""

    def __init__(self, rounds: bool = False) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)
            self.norm = nn.BatchNorm2d(8)
        self.rounds = rounds

    def forward(self, x: Tensor) -> Tensor:
        x = (x * 255).round() / 255 if self.rounds else x
        return F.pixel_shuffle(self.b(torch.tanh(self.norm(3 * self.a(x)))), 4)


def rounding() -> Net:
    return Net(rounds=True).eval()


class Blocked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return F.interpolate(x, scale_factor=4, mode="nearest")


def images(count: int = 2, side: int = 8) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    hr = torch.rand(count, 3, 4 * side, 4 * side, generator=draw)
    return (F.avg_pool2d(hr, 4) * 255).round() / 255, hr


# Settings and images -------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"steps": 3.0}, {"restarts": 2.0}, {"samples": 1.0}])
def test_whole_numbers_of_any_type_are_whole_numbers(changes: dict[str, float]) -> None:
    whole = {key: int(value) for key, value in changes.items()}
    assert preset("rsr").with_(**changes).hash == preset("rsr").with_(**whole).hash
    lr, hr = images()
    kept = {"preset": "rsr", "objective": "l1"}
    ours, theirs = (srbench.attack(Net().eval(), lr, hr, **kept, **each) for each in (changes, whole))  # type: ignore[arg-type]
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 2.5}, "steps is 2.5: it has to be a whole number"),
        ({"steps": "3"}, "steps is '3': it has to be a whole number"),
        ({"steps": float("nan")}, "steps is nan"),
        ({"steps": True}, "steps is True"),
        ({"steps": 0}, "steps is 0: it has to be 1 or more"),
        ({"restarts": 1.5}, "restarts is 1.5"),
        ({"samples": None}, "samples is None"),
        ({"alpha": 2}, "alpha is 2: it has to be above 0 and at most 1: write 2 levels of 255 as 2/255"),
        ({"alpha": 0}, "alpha is 0: it has to be above 0"),
        ({"alpha": "1/255"}, "alpha is '1/255'"),
        ({"structure": "fine"}, "structure is 'fine': it has to be a number"),
        ({"structure": [2]}, r"structure is \[2\]"),
        ({"momentum": None}, "momentum is None"),
        ({"eps": "14"}, "eps is '14'"),
        ({"eps": True}, "eps is True"),
        ({"rounded": "no"}, "rounded is 'no': it has to be True or False"),
        ({"straight_through": 1}, "straight_through is 1"),
        ({"objective": 3}, "objective is 3"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"preset": "apgd"}, "unknown attack 'apgd'"),
        ({"preset": ""}, "'' names no attack"),
        ({"preset": None}, "None names no attack"),
        ({"preset": "ifgsm-choi", "start": "bogus"}, "start is 'bogus': choose auto, zero or random"),
        ({"preset": "ifgsm-choi", "start": None}, "start is None"),
        ({"preset": "square", "queries": 2.5}, "queries is 2.5"),
        ({"preset": "square", "share": "all"}, "share is 'all'"),
        ({"preset": "square", "share": 0}, "share is 0"),
        ({"ids": "0801"}, "image ids are '0801': they have to be a list"),
    ],
)
def test_settings_of_another_kind_are_refused_in_a_line(changes: dict[str, Any], said: str) -> None:
    lr, hr = images()
    with pytest.raises(BadInput, match=said) as caught:
        srbench.attack(Net().eval(), lr, hr, **changes)
    assert "\n" not in str(caught.value)


def test_classes_refuse_them_too() -> None:
    noise = RandomNoise(Net())
    for make, said in (
        (lambda: APGD(Net(), steps=2.5), "steps is 2.5"),  # type: ignore[arg-type]
        (lambda: APGD(Net(), start="bogus"), "start is 'bogus'"),  # type: ignore[arg-type]
        (lambda: StructuredPGD(Net(), alpha=2), "alpha is 2"),
        (lambda: RandomNoise(Net(), eps="14"), "eps '14' is not a number"),
        (lambda: RandomNoise(Net(), rounded=1), "rounded is 1"),
        (lambda: Ensemble(noise.model, attacks=[noise], references=0.5), "references is 0.5"),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadInput, match=said):
            make()


@pytest.mark.parametrize("image", [[[0.5]], 0.5, None, torch.rand(1, 3, 8, 8).numpy()])
def test_what_is_no_tensor_is_refused_in_a_line(image: Any) -> None:
    lr, _ = images(1)
    with pytest.raises(BadInput, match=r"LR has to be a torch\.Tensor of shape \(N, 3, H, W\), not"):
        srbench.attack(Net().eval(), image)
    if image is not None:
        with pytest.raises(BadInput, match=r"HR has to be a torch\.Tensor"):
            StructuredPGD(Net().eval())(lr, image)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
@pytest.mark.parametrize(
    "wrap", [lambda net: net, lambda net: net.forward, lambda net: lambda lr: net(lr) + 0]
)
def test_other_float_types_are_converted(kind: torch.dtype, wrap: Callable[[nn.Module], Any]) -> None:
    lr, hr = images()
    net = Net().eval()
    made = srbench.attack(wrap(net), lr.to(kind), hr.to(kind), objective="l1")
    assert made.dtype == torch.float32
    assert torch.equal(made, srbench.attack(net, lr.to(kind).float(), hr.to(kind).float(), objective="l1"))
    double = Net().double().eval()
    assert srbench.attack(double, lr.double(), hr.double(), objective="l1").dtype == torch.float64


# Modes ---------------------------------------------------------------------------------------------------

BEHIND: dict[str, Callable[[nn.Module], Any]] = {
    "itself": lambda net: net,
    "bound method": lambda net: net.forward,
    "lambda": lambda net: lambda lr: net(lr) + 0,
    "partial": lambda net: functools.partial(lambda model, lr: model(lr), net),
    "partial of a bound method": lambda net: functools.partial(net.forward),
    "list": lambda net: functools.partial(lambda nets, lr: sum(each(lr) for each in nets), [net]),
    "object": lambda net: type("Calls", (), {"__call__": lambda self, lr: self.net(lr)})(),
}


def behind(name: str, net: nn.Module) -> Any:
    model = BEHIND[name](net)
    if name == "object":
        model.net = net
    return model


@pytest.mark.parametrize("name", BEHIND)
def test_a_model_in_train_mode_is_attacked_in_eval_mode_and_left_as_found(name: str) -> None:
    lr, hr = images()
    net = Net().train()
    net.a.eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    assert networks(behind(name, net)) == [net]
    with pytest.warns(UserWarning, match="Net was in train mode: it was attacked in eval mode"):
        made = srbench.attack(behind(name, net), lr, hr, objective="l1")
    assert [module.training for module in net.modules()] == [True, False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(made, srbench.attack(Net().eval(), lr, hr, objective="l1"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        singles = [
            srbench.attack(behind(name, net), lr[i : i + 1], hr[i : i + 1], objective="l1", ids=[str(i)])
            for i in range(2)
        ]
    assert torch.cat(singles).sub(made).abs().max() < 1e-3
    with pytest.raises(BadInput), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        srbench.attack(behind(name, net), lr, hr[:1], objective="l1")
    assert net.norm.training


def test_networks_of_torch_s_own_classes_are_found_behind_their_methods() -> None:
    net = nn.Sequential(nn.Dropout())

    class Holder:
        def __init__(self) -> None:
            self.net = net

        def run(self, lr: Tensor) -> Tensor:
            return self.net(lr)  # type: ignore[no-any-return]

    assert networks(Holder().run) == [net]
    assert networks(functools.partial(net.forward)) == networks(lambda lr: net.forward(lr) + 0) == [net]


def test_a_mode_that_changes_nothing_is_not_spoken_of() -> None:
    lr, hr = images()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        srbench.attack(nn.Upsample(scale_factor=4), lr, hr, objective="l1")


def test_classes_leave_running_statistics_behind_a_function() -> None:
    net = Net().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    StructuredPGD(lambda lr: net(lr) + 0)(*images())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_wrapper_in_train_mode_does_not_spoil_other_threads() -> None:
    """Its network is in eval mode: nothing changes, so nothing may be written back."""
    wrapper = nn.Sequential(Net())
    wrapper[0].eval()
    assert wrapper.training
    versions = [buffer._version for buffer in wrapper.buffers()]
    with untouched(wrapper):
        pass
    assert [buffer._version for buffer in wrapper.buffers()] == versions
    wrapper.requires_grad_(False)
    attack, (lr, hr) = StructuredPGD(wrapper, steps=3), images(1)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: attack(lr, hr), range(40)))
    assert all(torch.equal(each, made[0]) for each in made)


# Zero gradients ------------------------------------------------------------------------------------------


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
    name = f"test_attack_honesty:{model.__name__}"
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


# Straight through ----------------------------------------------------------------------------------------


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


# Files ---------------------------------------------------------------------------------------------------


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
