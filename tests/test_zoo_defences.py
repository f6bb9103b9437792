"""Defences around models: what they compute, what they are called, and attacks adapted to them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Nearest, write_pairs
from PIL import Image
from scipy.ndimage import median_filter
from torch import Tensor, nn

from srbench import zoo
from srbench.attacks import preset
from srbench.boards.compute import tables
from srbench.entries.numbers import check_record
from srbench.errors import BadInput
from srbench.evaluation import EvaluationRequest, evaluate
from srbench.support.words import words
from srbench.zoo import defences
from srbench.zoo.defended import from_defence
from srbench.zoo.model import SRModel
from srbench.zoo.own import from_factory
from srbench.zoo.schema import user_card

EVERY = sorted(defences.registry())


def image(side: int = 12, count: int = 1) -> Tensor:
    draw = torch.Generator().manual_seed(3)
    return (torch.rand(count, 3, side, side, generator=draw) * 255).round() / 255


def model(spec: str) -> SRModel:
    return zoo.resolve([spec])[0].load()


def defend(name: str, lr: Tensor, network: Any = None, **values: float) -> Tensor:
    defence = defences.registry()[name]
    usual = {key: option.usual for key, option in defence.options.items()}
    return defence.defend(network or Nearest(), lr, usual | values)


class Bumpy(nn.Module):
    """Steep, and not the same in every direction: no defence leaves it as it is."""

    def forward(self, lr: Tensor) -> Tensor:
        ramp = torch.linspace(0.2, 1, lr.shape[-1]).to(lr)
        return Nearest()(0.5 + 0.5 * torch.sin(9 * lr * ramp + 3 * lr.roll(1, 2)))


def test_jpeg_is_that_of_pillow() -> None:
    lr, done = image(16, 2), []
    for each in (lr * 255).round().byte().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(each).save(file, "JPEG", quality=40)
        done.append(np.asarray(Image.open(file)))
    due = torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2) / 255
    assert torch.equal(defend("jpeg", lr, quality=40), Nearest()(due))


def test_bits_leave_so_many_levels() -> None:
    sr = defend("bits", torch.linspace(0, 1, 768).reshape(1, 3, 16, 16), bits=3)
    assert sr.unique().tolist() == pytest.approx([level / 7 for level in range(8)])
    assert torch.equal(defend("bits", image(), bits=8), Nearest()(image())), "8-bit images have 8 bits"


def test_median_is_that_of_scipy() -> None:
    lr = image(9)
    for side in (3, 5):
        due = torch.from_numpy(median_filter(lr.numpy(), (1, 1, side, side), mode="nearest"))
        assert torch.equal(defend("median", lr, side=side), Nearest()(due))


def test_the_self_ensemble_turns_with_the_image() -> None:
    lr, network = image(10), Bumpy()
    sr = defend("selfensemble", lr, network)
    assert not torch.allclose(network(lr.rot90(1, (2, 3))), network(lr).rot90(1, (2, 3)), atol=0.01)
    for turned in (lambda t: t.rot90(1, (2, 3)), lambda t: t.flip(3), lambda t: t.transpose(2, 3)):
        torch.testing.assert_close(defend("selfensemble", turned(lr), network), turned(sr))
    torch.testing.assert_close(defend("selfensemble", lr), Nearest()(lr), msg="what turns already stays")


def test_smoothing_takes_the_median_and_averaging_the_mean() -> None:
    lr, network = image(6), Bumpy()
    for name, middle in (("mrs", np.median), ("tta-noise", np.mean)):
        for n in (2, 5, 8):
            torch.manual_seed(4)
            sr = defend(name, lr, network, sigma=0.1, n=n)
            torch.manual_seed(4)
            samples = [network(lr + 0.1 * torch.randn_like(lr)).numpy() for _ in range(n)]
            np.testing.assert_allclose(sr.numpy(), middle(samples, axis=0), atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_a_defended_model_is_a_model(name: str) -> None:
    defence = defences.registry()[name]
    (bare, ref) = zoo.resolve(["bicubic", f"{name}(bicubic)"])
    assert ref.name == defence.usage().replace("MODEL", "bicubic"), "the name says every option"
    assert zoo.resolve([ref.name])[0] == ref and zoo.resolve([f"mine={ref.name}"])[0].name == "mine"
    assert len(ref.weights_sha256) == 64 and ref.card.domain == bare.card.domain
    loaded = ref.load()
    assert not loaded.training and loaded(image(9)).shape == (1, 3, 36, 36)
    assert loaded.forwards == {"selfensemble": 8, "tta-noise": 8, "mrs": 16}.get(name, 1)
    with pytest.raises(ValueError, match="expected LR of shape"):
        loaded(torch.zeros(3, 8, 8))


def test_names_and_identities() -> None:
    specs = [
        "bits(bicubic,5)",
        "bits(bicubic,bits=4)",
        "bits(esrgan-mini)",
        "bits(median(bicubic))",
        "bicubic",
    ]
    refs = zoo.resolve(specs)
    assert [ref.name for ref in refs[:2]] == ["bits(bicubic,bits=5)", "bits(bicubic,bits=4)"]
    assert refs[3].name == "bits(median(bicubic,side=3),bits=5)"
    assert len({ref.weights_sha256 for ref in refs}) == len(refs)
    assert [ref.name for ref in zoo.resolve(["jpeg(*-mini,90)"])][:1] == ["jpeg(esrgan-mini,quality=90)"]
    (mini,) = zoo.resolve(["jpeg(rsr)"], stand_in=True)
    assert mini.name == "jpeg(rsr-mini,quality=75)" and mini.note.startswith("rsr is not installed")
    assert words("mrs(a.pth,n=4), b") == ("mrs(a.pth,n=4)", "b")
    assert words("a(1.pth,b.pth") == ("a(1.pth", "b.pth"), "a parenthesis in a file's name is a letter"


def test_options_of_the_model_go_to_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud.py").write_text(
        "import torch\n"
        "class Loud(torch.nn.Module):\n"
        "    def forward(self, lr):\n"
        "        return torch.nn.functional.interpolate(lr + 51, scale_factor=4)\n"
        "def make():\n"
        "    return Loud()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    lr = image()
    torch.testing.assert_close(model("bits(loud:make,range=255,bits=8)")(lr), Nearest()(lr) + 0.2)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mrs(bicubic,sigma=0)", "mrs: sigma=0: it has to be a number above 0, 1 at most"),
        ("mrs(bicubic,n=1)", "mrs: n=1: it has to be a whole number of 2 or more"),
        ("mrs(bicubic,n=2.5)", "whole number"),
        ("mrs(bicubic,sigma=nan)", "sigma=nan"),
        ("tta-noise(bicubic,sigma=inf)", "sigma=inf"),
        ("jpeg(bicubic,101)", "100 at most"),
        ("jpeg(bicubic,good)", "jpeg: quality=good"),
        ("bits(bicubic,0)", "of 1 or more, 8 at most"),
        ("median(bicubic,4)", "it has to be an odd number of 3 or more"),
        ("jpeg(bicubic,75,80)", "it takes no 2 options"),
        ("jpeg(bicubic,quality=75,quality=80)", "quality is given twice"),
        ("jpeg(bicubic,side=3)", "it has no option 'side'"),
        ("selfensemble(bicubic,8)", "it takes no 1 options"),
        ("jpeg()", "say around which model"),
        ("jpeg(nothing-like-it)", "nothing-like-it"),
        ("jepg(bicubic)", "did you mean jpeg"),
        ("jpeg(bicubic),title=X", "options are for files and code of your own"),
    ],
)
def test_what_cannot_be_is_one_line(spec: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        zoo.resolve([spec])
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_images_made_elsewhere_cannot_be_defended(tmp_path: Path) -> None:
    _, hr = write_pairs(tmp_path, 2)
    with pytest.raises(BadInput, match="a defence has to run the network"):
        zoo.resolve([f"jpeg(bits(outputs:{hr}))"])


def bumpy(name: str) -> SRModel:
    """A network that no defence leaves as it is, behind one."""
    inner = from_factory("bumpy", "bumpy", user_card("bumpy", {"family": "python"}), Bumpy)
    (ref,) = from_defence(f"{name}(bumpy)", lambda specs: [inner])
    return ref.load()


def damage(loaded: SRModel, adaptive: bool, eps: float = 12 / 255) -> tuple[Tensor, str]:
    """The squared error an attack makes on four images, each of them, and what the attack lacked."""
    lr = 0.2 + 0.6 * image(12, 4)
    hr = Nearest()(1 - lr)
    recipe = preset("ifgsm-choi").with_(eps=eps, steps=10, alpha=2 / 255, adaptive=adaptive)
    torch.manual_seed(1)
    adversarial, lacked = recipe.build(loaded).examined(lr, hr, list("abcd"))
    torch.manual_seed(2)
    with torch.no_grad():
        sr = loaded(adversarial)
    return (sr - hr).square().flatten(1).mean(1), lacked


@pytest.mark.parametrize("name", EVERY)
def test_an_adapted_attack_does_as_much_as_a_plain_one_and_masked_gradients_are_found(name: str) -> None:
    loaded = bumpy(name)
    adapted, blind = damage(loaded, adaptive=True)
    plain, lacked = damage(loaded, adaptive=False)
    assert blind == ""
    if loaded.defence.straight_through:
        assert "the gradient was zero on every value" in lacked, "a masked gradient is no robustness"
        clean, _ = damage(loaded, adaptive=True, eps=0)
        assert torch.equal(plain, clean) and bool((adapted > 1.01 * clean).all())
    else:
        assert lacked == "" and adapted.mean() > 0.97 * plain.mean()


def test_what_an_attack_is_adapted_by() -> None:
    asked = {name: bumpy(name).adaptive for name in EVERY}
    assert asked["jpeg"] == asked["bits"] == {"samples": 1, "straight_through": True}
    assert (
        asked["median"] == asked["selfensemble"] == asked["mrs"] == {"samples": 1, "straight_through": False}
    )
    loaded = model("tta-noise(jpeg(bicubic),n=2)")
    assert loaded.adaptive == {"samples": 4, "straight_through": True}, "of every defence around it"
    built = preset("ifgsm-choi").build(loaded)
    assert (built.samples, built.straight_through) == (4, True)
    more = preset("ifgsm-choi").with_(samples=9).build(loaded)
    assert (more.samples, more.straight_through) == (9, True), "what is asked for stays"
    plain = preset("ifgsm-choi(adaptive=false)").build(loaded)
    assert (plain.samples, plain.straight_through) == (1, False)
    parts = preset("strong").build(loaded).attacks
    assert {part.samples for part in parts if part.needs_gradient} == {4}
    assert preset("random").adapted(4, True) == preset("random"), "noise has no gradient"


def test_records_and_tables_say_how_a_defence_was_attacked(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=16)
    attacks = ("none", "ifgsm-choi(steps=2)", "ifgsm-choi(steps=2,adaptive=false)")
    request = EvaluationRequest(
        models=("bicubic", "jpeg(bicubic)", "tta-noise(bicubic,n=2)"),
        datasets=(f"pairs:{lr}:{hr}",),
        metrics=("psnr",),
        attacks=attacks,
        store=tmp_path / "store",
    )
    first = evaluate(request).records
    settings = {(r.model, r.attack): (r.attack_settings or {}).get("adapted") for r in first}
    assert settings["bicubic", "ifgsm-choi(steps=2)"] is None
    assert settings["jpeg(bicubic,quality=75)", "ifgsm-choi(steps=2)"] == {
        "samples": 1,
        "straight_through": True,
    }
    assert settings["jpeg(bicubic,quality=75)", "ifgsm-choi(steps=2,adaptive=False)"] == {}
    assert [line for record in first for line in check_record(record)] == []
    assert {r.cost.get("forwards") for r in first if r.model.startswith("tta")} == {2}
    (table,) = tables(first)
    shown = " ".join(table.flags)
    assert (
        "jpeg(bicubic,quality=75) is not attacked adaptively by ifgsm-choi(steps=2,adaptive=False)" in shown
    )
    assert "is attacked adaptively by ifgsm-choi(steps=2): surrogates for gradients it lacks" in shown
    assert "4 outputs averaged for a gradient" in shown and "stochastic: tta-noise" in shown
    again = evaluate(replace(request, store=tmp_path / "other", workers=2)).records
    drawn = {(r.model, r.attack, r.image): r.metrics for r in first}
    assert {(r.model, r.attack, r.image): r.metrics for r in again} == drawn, (
        "the same command, the same numbers"
    )
