"""Presets: what they are, hashes that never move, names, and how missing weights are spoken of."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench import attacks
from srbench.attacks import (
    IFGSM,
    NONE,
    AttackRecipe,
    Ensemble,
    RandomNoise,
    SRAttack,
    StructuredPGD,
    UniversalPerturbation,
    parse_objective,
    preset,
    registry,
)
from srbench.attacks.ensemble import choose
from srbench.attacks.passes import AttackPasses
from srbench.errors import BadInput

ROOT = Path(__file__).resolve().parents[1]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        base = F.interpolate(x, scale_factor=4, mode="nearest")
        return base + 0.3 * F.pixel_shuffle(self.b(torch.tanh(3 * self.a(x))), 4)


def images(count: int = 2, side: int = 8) -> tuple[Tensor, Tensor]:
    hr = torch.rand(count, 3, 4 * side, 4 * side, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(hr, 4), hr


# A hash is the identity of stored records: if one of these moves, old and new records no longer meet. A
# preset that ships has its hash here; one that is only tried in a copy of the package has none to keep yet.
GOLDEN = {
    "random": "c2041c0ca52c31ab9c1a3061c8ee48271136ff0e8de4980fd45782c1deb40db5",
    "rsr": "41879eca201ae4c5a9eb98275523aa4a1a7751f4b1e730f7afb04b32dfec64c2",
    "rsr-paper": "b094a939027fa33d9401b3689912125fdafe2d30fc904e25b179a7412c011546",
    "ifgsm-choi": "b47b40dbcac93f250e6f67c03119405e1ae1a65663b07f4c7555e85e81e7adc2",
    "square": "3aec143e4d35794ac2beaf4d1f30467fba8403459749d12e3c6960a59cdadd2b",
    "strong": "e35fb2e0c51422e5143621019fef6b1816e71c26537c44f91fd20b10dfd56b88",
    "cospgd": "5f6d17150112ac1d0820cb4606c25653aa41f4810bab65aa1f7ec5dbdb1ff189",
    "band-low": "3de2ea0070348654508ad6677e2764750595705ecadb350ef5a817098d4b51fd",
    "band-mid": "c483ef94fcdc6bc003c97f2f541fa9c408b37a1ad2e0f9e2cc96ed1a913d0118",
    "band-high": "0a078245e79926f1ae3f5a207e13540ada1fdd88a0c5325464025d914c2885dd",
    "universal": "91e2d79b1cd95383b086641d4d981ec11aa5e89329af480648f2bf60d8dd0a79",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_hashes_never_move(name: str) -> None:
    """``rsr`` and ``rsr-paper`` as published; ``strong`` as it is without downloaded weights."""
    published = {"rsr": "0.01*l1+vgg19", "rsr-paper": "l1+vgg19"}
    recipe = preset(name)
    assert GOLDEN[name] == (recipe.with_(objective=published[name]) if name in published else recipe).hash


@pytest.mark.skipif(
    Path(registry.__file__).resolve().parent != ROOT / "attacks", reason="not the package beside these tests"
)
def test_every_preset_that_ships_has_its_hash_here() -> None:
    assert set(attacks.names()) == {"none", *GOLDEN}


def test_rsr_has_the_values_of_the_authors_code() -> None:
    recipe = preset("rsr")
    assert recipe.settings()["options"] == {
        "alpha": 1 / 255,
        "steps": 2,
        "structure": 1.5,
        "restarts": 1,
        "momentum": 0.0,
    }
    assert recipe.eps == 14 / 255 and not recipe.rounded and recipe.kind == "StructuredPGD"
    choi = preset("ifgsm-choi").build(Net())
    assert isinstance(choi, IFGSM) and choi.objective.text == "mse" and choi.steps == 50
    assert choi.alpha == choi.threat.eps == 8 / 255
    assert preset("ifgsm-choi@4").build(Net()).alpha == 4 / 255, "alpha follows eps"


def test_without_vgg19_the_objective_falls_back_and_says_so(shared_weights: Path) -> None:
    recipe = preset("rsr")
    assert recipe.name == "rsr" and recipe.objective == "0.01*l1+lpips-alex"
    assert recipe.note.startswith(
        "vgg19 is not installed, objective 0.01*l1+lpips-alex in place of 0.01*l1+vgg19: "
    )
    assert "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth" in recipe.note
    assert recipe.hash != recipe.with_(objective="0.01*l1+vgg19").hash
    assert preset("strong").measures == ("mse", "lpips-alex")


def test_with_no_downloaded_weights_lpips_lite_stands_in() -> None:
    assert preset("rsr").objective == "0.01*l1+lpips-lite" and "in place of" in preset("rsr").note
    strong = preset("strong")
    assert strong.measures == ("mse", "lpips-lite") and "lpips-alex is not installed" in strong.note
    assert "vgg19 is not installed" in strong.note
    assert preset("random").note == "" == preset("ifgsm-choi").note


def test_names_say_what_was_changed_and_hashes_follow_settings_alone() -> None:
    recipe = preset("rsr")
    assert preset("rsr@8").name == "rsr@8" == recipe.with_(eps=8 / 255).name == preset("rsr@8/255").name
    assert preset("rsr@14") == recipe == preset("rsr@8").with_(eps=14 / 255)
    changed = recipe.with_(eps=4 / 255, steps=10).with_(alpha=2 / 255, objective="percep+l1")
    assert changed.name == "rsr@4(steps=10,alpha=2/255,objective=l1+vgg19)"
    hashes = {
        recipe.with_(**change).hash
        for change in (
            {},
            {"eps": 0.0},
            {"seed": 1},
            {"rounded": True},
            {"precision": "bf16"},
            {"structure": 2.0},
            {"momentum": 1.0},
            {"objective": "mse"},
        )
    }
    assert len(hashes) == 8
    assert dataclasses.replace(recipe, name="other", note="x").hash == recipe.hash
    assert json.loads(json.dumps(recipe.settings())) == recipe.settings()


def test_unknown_settings_and_presets_are_refused() -> None:
    with pytest.raises(BadInput, match=r"no setting 'stride'.*structure"):
        preset("rsr").with_(stride=2)
    with pytest.raises(BadInput, match="no setting 'objective'"):
        preset("random").with_(objective="l1")
    with pytest.raises(BadInput, match="no setting 'steps'"):
        preset("strong").with_(steps=2)
    with pytest.raises(BadInput, match="did you mean rsr"):
        attacks.resolve(["rsrr"])
    with pytest.raises(BadInput, match="ambiguous"):
        attacks.resolve(["rsr@0.05"])
    with pytest.raises(BadInput, match="steps is 0"):
        preset("rsr").with_(steps=0).build(Net())


def test_resolve_keeps_order_and_drops_doubles() -> None:
    specs = attacks.resolve(["rsr", "none", "random@14", "rsr"])
    assert [spec.name for spec in specs] == ["rsr", "none", "random"]
    assert specs[1] is NONE and NONE.hash == ""
    assert attacks.names()[:2] == ["none", "random"], "noise is what the others are read against"


def fitted(attack: SRAttack, lr: Tensor, hr: Tensor) -> SRAttack:
    """The attack, fitted on these images where it has to be."""
    if isinstance(attack, UniversalPerturbation):
        return attack.fit([(lr, hr)])
    assert not attack.fitted
    return attack


@pytest.mark.parametrize("name", sorted(registry.presets()))
def test_every_preset_builds_and_attacks(name: str) -> None:
    lr, hr = images(1)
    recipe = preset(name).with_(eps=5 / 255, seed="s", rounded=True)
    attack = recipe.build(Net())
    assert attack.threat.eps == 5 / 255 and attack.threat.rounded
    lr = (lr * 255).round() / 255
    adversarial = fitted(attack, lr, hr)(lr, hr)
    assert (adversarial - lr).abs().max() >= 1 / 255
    # LR is rounded first: by half a level at most.
    assert attack.threat.size(lr, adversarial) < 5.51 / 255


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("name", sorted(registry.presets()))
def test_every_preset_takes_the_passes_it_states(name: str, samples: int) -> None:
    counted = {True: 0, False: 0}
    model = Net()
    recipe = preset(name).with_(samples=samples)
    attack = fitted(recipe.build(model), *images(1))
    model.register_forward_pre_hook(lambda module, inputs: counted.update(_one_more(counted, inputs[0])))
    attack(*images(1))
    passes = recipe.passes()
    assert (passes.forwards, passes.gradients) == (counted[False], counted[True])
    assert recipe.needs_gradient == (passes.gradients > 0 or recipe.fitted)


def _one_more(counted: dict[bool, int], lr: Tensor) -> dict[bool, int]:
    return {lr.requires_grad: counted[lr.requires_grad] + 1}


def test_stating_passes_loads_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = preset("strong").with_(seed=1)
    monkeypatch.delenv("SRBENCH_HOME")
    monkeypatch.setattr("srbench.attacks.perceptual.locate", None)
    # Gradients: two steps of rsr, twenty and ten of APGD. Forwards: the last point of each APGD, start and
    # twenty queries of the search, and the SR by which each part is compared.
    assert recipe.passes() == AttackPasses(forwards=1 + 1 + 21 + 5, gradients=2 + 20 + 10)


def test_recipes_say_whether_they_need_gradients_or_are_noise() -> None:
    assert [preset(name).needs_gradient for name in ("random", "rsr", "strong")] == [False, True, True]
    assert [preset(name).is_noise for name in ("random", "rsr", "strong")] == [True, False, False]
    strong = preset("strong")
    blind = dataclasses.replace(strong, parts=(strong.parts[1], strong.parts[4]))
    assert not blind.needs_gradient and not blind.is_noise
    assert not NONE.needs_gradient and not NONE.is_noise
    assert not attacks.resolve(["jpeg:3"])[0].needs_gradient


def test_the_l2_forms() -> None:
    l2 = preset("rsr@8").with_(steps=7).in_norm("l2")
    assert l2.kind == "PGDL2" and l2.name == "rsr@8(steps=7,norm=l2)" and l2.in_norm("l2") is l2
    assert dict(l2.options) == {
        "alpha": 1 / 255,
        "steps": 7,
        "structure": 1.5,
        "restarts": 1,
        "start": "random",
    }
    noise = preset("random").in_norm("l2")
    assert noise.kind == "RandomNoise" and noise.is_noise and noise.options == preset("random").options
    with pytest.raises(BadInput, match=r"strong is bounded in linf only: random, .*rsr.* have an l2 form"):
        preset("strong").in_norm("l2")
    with pytest.raises(BadInput, match="'l1' is not a norm"):
        preset("rsr").in_norm("l1")


def test_strong_contains_rsr_and_random_as_they_are() -> None:
    strong = preset("strong@8")
    assert [part.hash for part in strong.parts[:2]] == [preset("rsr@8").hash, preset("random@8").hash]
    built = strong.with_(seed=3).build(Net())
    assert isinstance(built, Ensemble) and built.references == 2
    assert isinstance(built.attacks[0], StructuredPGD) and isinstance(built.attacks[1], RandomNoise)
    assert {part.seed for part in built.attacks} == {3} and {part.threat.eps for part in built.attacks} == {
        8 / 255
    }


def damage(recipe: AttackRecipe, measures: tuple[str, ...]) -> Tensor:
    model = Net()
    lr, hr = images()
    with torch.no_grad():
        sr = model(recipe.build(model)(lr, hr)).clamp(0, 1)
        return torch.stack([parse_objective(measure)(sr, hr) for measure in measures])


@pytest.mark.parametrize("eps", [2, 14])
def test_strong_damages_each_image_at_least_as_much(eps: int, shared_weights: Path) -> None:
    """By squared error and by LPIPS, and more than both weaker presets in the mean."""
    measures = ("mse", "lpips-alex")
    strong, rsr, random = (damage(preset(f"{name}@{eps}"), measures) for name in ("strong", "rsr", "random"))
    assert (strong >= rsr).all()
    assert (strong.mean(1) > torch.maximum(rsr, random).mean(1)).all()


def test_the_choice_of_an_ensemble() -> None:
    """Attacks x measures x images; the first attack is the anchor, the first two are the references."""
    damages = torch.tensor(
        [
            [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],  # anchor
            [[2.0, 2.0, 0.5], [0.5, 0.5, 0.5]],  # reference, weaker than the anchor in one measure
            [[3.0, 1.5, 0.9], [1.2, 1.0, 9.0]],
            [[9.0, 1.9, 2.0], [0.9, 1.1, 1.5]],
        ]
    )
    assert choose(damages, 2).tolist() == [2, 3, 3]
    assert choose(damages[:2], 2).tolist() == [0, 0, 0]
    assert choose(damages[:, :1], 1).tolist() == [3, 1, 3]
    assert choose(torch.zeros(3, 2, 2), 1).tolist() == [0, 0]
