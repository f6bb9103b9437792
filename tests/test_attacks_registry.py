"""Attacks are found in their files, which are read and not run; a class says what it is, no name does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers import record

from srbench import attacks
from srbench.attacks import AttackRecipe, index, preset, registry
from srbench.boards.compute import tables
from srbench.boards.site.facts import attack_facts
from srbench.errors import BadInput
from srbench.figures import curves
from srbench.store.record import Record

NEW = """
from __future__ import annotations

raise RuntimeError("this file is read, not run")

PRESETS: dict[str, object] = {
    "quiet": {
        "kind": "Quiet",
        "about": "Nothing much.",
        "eps": "0.5/255",
        "perceptual": ["vgg19", "lpips-lite"],
        "objective": "2*mse + {perceptual}",
        "options": {"length": "2/255", "times": 3, "way": None},
    },
}


class _Half(SRAttack):
    is_noise: ClassVar[bool] = True


class Quiet(Mixin, _Half):
    needs_gradient = False
    options = ("length", "times", "way")


class Louder(Quiet):
    options = ()


def helper() -> None: ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the package's files, to which others are added."""
    copy = tmp_path / "attacks"
    shutil.copytree(Path(registry.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_file_is_all_an_attack_takes(folder: Path) -> None:
    before = index.read(folder)
    (folder / "quiet.py").write_text(NEW)
    after = index.read(folder)
    assert set(after.classes) - set(before.classes) == {"Quiet", "Louder"}
    for name, options in (("Quiet", ("length", "times", "way")), ("Louder", ())):
        found = after.classes[name]
        assert found.module == "srbench.attacks.quiet" and found.options == options
        assert found.is_noise and not found.needs_gradient and found.norms == ("linf",)
    entry = after.presets["quiet"]
    assert entry.eps == 0.5 / 255 and entry.about == "Nothing much." and entry.perceptual[0] == "vgg19"
    assert dict(entry.options) == {"length": 2 / 255, "times": 3, "way": None}
    assert list(after.presets)[:2] == ["quiet", "random"], "noise first"
    assert after.homes["helper"] == "srbench.attacks.quiet" and "_Half" not in after.homes
    assert index.read(Path(registry.__file__).parent) == before


def test_a_name_of_two_modules_or_of_a_module_is_nobodys(folder: Path) -> None:
    (folder / "one.py").write_text("def shared() -> None: ...\ndef two() -> None: ...\n")
    (folder / "two.py").write_text("def shared() -> None: ...\n")
    assert not {"shared", "two"} & set(index.read(folder).homes)


def preset_with(**changes: Any) -> str:
    """A file with one preset, changed; what is changed to None is left out."""
    entry = {"kind": "FGSM", "about": "One step.", "eps": 14, "objective": "l1", "options": {"start": "auto"}}
    return f"PRESETS = {{'mine': { ({k: v for k, v in (entry | changes).items() if v is not None})!r}}}"


ENSEMBLE = {"kind": "Ensemble", "objective": None, "options": {"references": 1}}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("PRESETS = (", r"mine.py cannot be read: '\(' was never closed"),
        ("PRESETS = 3", "mine.py: PRESETS has to be a dict"),
        ("PRESETS = {'mine': FGSM}", "mine.py: PRESETS, line 1, has to be a literal"),
        ("PRESETS = {'mine': 3}", "mine.py: preset mine has to be a dict of kind, about, eps"),
        ("PRESETS = {'My Attack@8': {}}", "mine.py: 'My Attack@8' cannot name a preset"),
        ("PRESETS = {'none': {}}", "mine.py: 'none' cannot name a preset"),
        (preset_with(kind="FSGM"), "mine.py: preset mine, kind: .* attack class FSGM"),
        (preset_with(kind="Objective"), "mine.py: preset mine, kind: .* attack class Objective"),
        (preset_with(kind=None), "mine.py: preset mine, kind: it is missing"),
        (preset_with(about=""), "mine.py: preset mine, about: it is missing"),
        (preset_with(step=1), "mine.py: preset mine: unknown key 'step'; the keys are kind, about, eps"),
        (preset_with(eps=0.05), "mine.py: preset mine, eps: .*ambiguous"),
        (preset_with(eps=True), "mine.py: preset mine, eps: True is not a number"),
        (preset_with(objective="ssim"), "mine.py: preset mine, objective: .*cannot be read at 'ssim'"),
        (preset_with(objective="l1+{perceptual}"), "mine.py: preset mine, objective: .*cannot be read"),
        (preset_with(perceptual=["vgg19"]), "mine.py: preset mine, perceptual: the last has to be one of l1"),
        (preset_with(perceptual=[3]), "mine.py: preset mine, perceptual: 3 is not text"),
        (
            preset_with(options={"start": "auto", "steps": 2}),
            "mine.py: preset mine, options: .* no option 's",
        ),
        (preset_with(options={}), "mine.py: preset mine, options: start of FGSM is missing"),
        (preset_with(options={"start": [1]}), r"mine.py: preset mine, options, start: \[1\] is neither"),
        (preset_with(options={"start": "x/255"}), "mine.py: preset mine, options, start: .*cannot be read"),
        (preset_with(parts=["rsr"]), "mine.py: preset mine, parts: an ensemble, and nothing else, has parts"),
        (preset_with(**ENSEMBLE), "mine.py: preset mine, parts: an ensemble"),
        (
            preset_with(**ENSEMBLE, parts=["rsr"], measures=[7]),
            "mine.py: preset mine, measures: 7 is not text",
        ),
        (
            preset_with(**ENSEMBLE, parts=["rs"], measures=["l1"]),
            "preset mine, parts: 'rs' is no single",
        ),
        (
            preset_with(**ENSEMBLE, parts=["mine"], measures=["l1"]),
            "mine.py: preset mine, parts: 'mine' is no single",
        ),
        (preset_with(**ENSEMBLE, parts=[{"kind": "X"}], measures=["l1"]), "preset mine, part 1, kind: "),
        (
            preset_with().replace("mine", "rsr"),
            "attacks/structured_pgd.py: preset rsr is in attacks/mine.py too",
        ),
        ("class FGSM(SRAttack): ...", "mine.py: class FGSM is in attacks/fgsm.py too"),
        (
            "class Mine(SRAttack):\n  is_noise = not True",
            "mine.py: is_noise of Mine, line 2, has to be a lit",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_file_and_key(
    source: str, message: str, folder: Path
) -> None:
    (folder / "mine.py").write_text(source)
    with pytest.raises(BadInput, match=message) as caught:
        index.read(folder)
    assert "\n" not in str(caught.value)


def test_unknown_classes_are_refused_by_name() -> None:
    with pytest.raises(BadInput, match="unknown attack class 'FGSMM': did you mean FGSM"):
        registry.attack_class("FGSMM")


# Boards: noise is what a class says of itself. ------------------------------------------------------


def attacked(name: str, settings: dict[str, Any], damage: float) -> list[Record]:
    """Two images under an attack of that name and these settings."""
    return [
        record(
            image=image,
            attack=name,
            attack_hash=f"{name}-hash",
            attack_settings=settings,
            metrics={"psnr": 20.0 - damage, "lpips": 0.5 + damage / 10},
        )
        for image in "ab"
    ]


def settings_of(recipe: AttackRecipe) -> dict[str, Any]:
    return recipe.settings() | {"note": ""}


CLEAN = [record(image=image) for image in "ab"]
NOISE = settings_of(preset("random"))
PGD = settings_of(preset("rsr").with_(objective="l1", restarts=5))


def test_an_attack_named_random_is_an_attack() -> None:
    noise = attacked("gauss", NOISE, 1.0)
    pgd = attacked("random-restarts-pgd", PGD, 0.5)
    (table,) = tables(CLEAN + pgd + noise)
    assert table.attacks == ["none", "gauss", "random-restarts-pgd"]
    weak = [line for line in table.flags if line.startswith("weak attack")]
    assert len(weak) == 1 and weak[0].startswith("weak attack: random-restarts-pgd on ")
    assert attack_facts(pgd[0])["group"] == "attack" and attack_facts(noise[0])["group"] == "random"
    drawn = [curve.attack for curve in curves.plotted_curves(CLEAN + pgd + noise, "psnr")]
    assert drawn == [curves.RANDOM_LABEL, "random-restarts-pgd"]


def test_of_two_noises_none_is_a_weak_attack_and_each_keeps_its_name() -> None:
    one, other = attacked("random", NOISE, 1.0), attacked("gauss", NOISE | {"seed": 1}, 0.5)
    (table,) = tables(CLEAN + one + other)
    assert not table.flags and table.attacks == ["none", "gauss", "random"]
    drawn = [curve.attack for curve in curves.plotted_curves(CLEAN + one + other, "psnr")]
    assert drawn == ["gauss", "random"]


@pytest.mark.parametrize(
    "settings", [{"version": 1, "kind": "TheirNoise", "eps": 14 / 255}, {"eps": 0.1}, {}]
)
def test_an_attack_of_a_class_that_is_not_here_is_an_attack(settings: dict[str, Any]) -> None:
    theirs = attacked("random-theirs", settings, 1.0)
    assert not attacks.is_noise(settings)
    assert attack_facts(theirs[0])["group"] == "attack"
    (table,) = tables(CLEAN + theirs + attacked("rsr", PGD, 0.5))
    assert table.attacks == ["none", "random-theirs", "rsr"] and not table.flags
    assert not attacks.is_noise(None)


def test_noise_is_noise_whatever_model_it_was_drawn_for() -> None:
    there = attacked("random from rsr", NOISE | {"source": {"model": "rsr", "weights_sha256": ""}}, 1.0)
    assert attack_facts(there[0])["group"] == "transfer"
    (table,) = tables(CLEAN + there + attacked("rsr", PGD, 0.5))
    assert [line.split(" on ")[0] for line in table.flags] == ["weak attack: rsr"]
