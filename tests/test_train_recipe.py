"""Recipes: the published values, what a person may write, and the learning rate."""

from __future__ import annotations

import tomllib
from math import cos, pi
from pathlib import Path
from typing import Any

import pytest
from helpers import inside

from srbench.errors import BadInput
from srbench.support.toml import to_toml
from srbench.train import recipe as recipes
from srbench.train.recipe import ScheduleSettings
from srbench.train.schedule import learning_rate

NEEDS_SOURCE = {"impressionism": "somewhere", "esrgan-fs": "somewhere"}
MINIS = [name for name in recipes.names() if name.endswith("-mini") and name != "esrgan-psnr-mini"]


def shipped(name: str) -> recipes.TrainingRecipe:
    source = NEEDS_SOURCE.get(name)
    return recipes.load(name, {"degradation.source": source} if source else {})


def test_the_shipped_recipes_and_a_mini_of_each() -> None:
    full = {"rsr", "random-structured", "esrgan-psnr", "esrgan", "impressionism", "esrgan-fs"}
    full |= {"blind", "blind-adversarial", "certsr"}
    assert set(recipes.names()) == full | {f"{name}-mini" for name in full}


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_is_named_as_its_file_and_survives_toml(name: str) -> None:
    recipe = shipped(name)
    assert recipe.name == name
    text = to_toml(recipe.model_dump(mode="json"))
    again = recipes.parse(tomllib.loads(text))
    assert again == recipe and again.hash == recipe.hash
    assert recipes.differences(recipe, again) == []


# Settings of the authors' public code: iterations, milestones, betas, start.
@pytest.mark.parametrize(
    ("name", "iterations", "milestones", "betas", "init"),
    [
        ("rsr", 30_000, (4e3, 8e3, 10e3, 12e3, 16e3, 20e3, 25e3), (0.9, 0.99), "esrgan"),
        ("random-structured", 30_000, (4e3, 8e3, 10e3, 12e3, 16e3, 20e3, 25e3), (0.9, 0.99), "esrgan"),
        ("esrgan", 400_000, (50e3, 100e3, 200e3, 300e3), (0.9, 0.99), "esrgan-psnr"),
        ("impressionism", 60_000, (5e3, 10e3, 20e3, 30e3), (0.9, 0.999), "esrgan-psnr"),
        ("esrgan-fs", 60_000, (5e3, 10e3, 20e3, 30e3), (0.9, 0.999), "esrgan"),
    ],
)
def test_the_published_gan_settings(
    name: str, iterations: int, milestones: tuple[float, ...], betas: tuple[float, float], init: str
) -> None:
    recipe = shipped(name)
    assert (recipe.schedule.iterations, recipe.schedule.milestones) == (iterations, milestones)
    assert (recipe.optimizer.lr, recipe.optimizer.betas, recipe.optimizer.weight_decay) == (1e-4, betas, 0)
    assert recipe.schedule.gamma == 0.5 and recipe.init == init
    assert (recipe.losses.l1, recipe.losses.perceptual, recipe.losses.gan) == (0.01, 1.0, 0.005)
    assert (recipe.data.patch, recipe.data.batch) == (128, 16)
    assert (recipe.generator.num_feat, recipe.generator.num_block) == (64, 23)
    assert (recipe.discriminator.kind, recipe.discriminator.num_feat) == ("vgg", 64)


def test_what_sets_each_method_apart() -> None:
    attack = {"eps": "14/255", "alpha": "1/255", "steps": 2, "structure": 1.5, "loss": "0.01*l1+percep"}
    assert attack.items() <= shipped("rsr").degradation.items()
    assert shipped("random-structured").degradation["steps"] == 0
    impressionism = shipped("impressionism")
    assert impressionism.data.shrink == (0.5, 1.0)
    detached = {
        name: shipped(name).losses.detach_means for name in ("rsr", "esrgan", "esrgan-fs", "impressionism")
    }
    assert detached == {"rsr": True, "esrgan": False, "esrgan-fs": False, "impressionism": False}
    rules = {"patch": 256, "stride": 256, "max_variance": 20.0, "min_mean": 0.0}
    assert rules.items() <= impressionism.degradation.items()
    separated = shipped("esrgan-fs")
    assert separated.data.shrink == (0.5, 1.0)
    assert (separated.losses.l1_low_pass, separated.losses.gan_high_pass) == (9, 9)
    dsgan = {"low_pass": 5, "colour": 1.0, "texture": 0.005, "perceptual": 0.01, "lr": 2e-4, "beta1": 0.5}
    assert dsgan.items() <= separated.degradation.items()
    stage = shipped("esrgan-psnr")
    assert (stage.losses.l1, stage.losses.gan, stage.discriminator.kind) == (1.0, 0.0, "none")
    assert (stage.schedule.iterations, stage.schedule.restarts, stage.optimizer.lr) == (1_000_000, 4, 2e-4)


def test_mini_models_differ_in_their_input_alone() -> None:
    """The comparison is fair: one start, as many steps, the same losses (but for ESRGAN-FS's filters)."""
    apart = {"name", "title", "domain", "degradation"}
    first = shipped("esrgan-mini").model_dump(exclude=apart)
    for name in MINIS:
        other = shipped(name).model_dump(exclude=apart)
        if name == "esrgan-fs-mini":
            assert (other["losses"].pop("l1_low_pass"), other["losses"].pop("gan_high_pass")) == (9, 9)
            other["losses"] |= {"l1_low_pass": 0, "gan_high_pass": 0}
        assert other == first, name


def test_milestones_halve_the_rate_from_their_iteration_on() -> None:
    schedule = ScheduleSettings(iterations=100, milestones=(10, 0.5), gamma=0.5)
    rates = {i: learning_rate(schedule, 8.0, i) for i in (0, 9, 10, 49, 50, 99)}
    assert rates == {0: 8.0, 9: 8.0, 10: 4.0, 49: 4.0, 50: 2.0, 99: 2.0}


def test_cosine_restarts() -> None:
    schedule = ScheduleSettings(iterations=100, restarts=4, lr_floor=1.0)
    assert learning_rate(schedule, 3.0, 0) == learning_rate(schedule, 3.0, 25) == 3.0
    assert learning_rate(schedule, 3.0, 5) == pytest.approx(1 + 2 * (1 + cos(pi / 5)) / 2)
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3.0)
    torchs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=25, eta_min=1.0)
    for iteration in range(60):
        assert learning_rate(schedule, 3.0, iteration) == pytest.approx(torchs.get_last_lr()[0]), iteration
        optimizer.step()
        torchs.step()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"optimizer.lr": -1}, "optimizer.lr"),
        ({"optimizer.speed": 1}, "optimizer.speed"),
        ({"data.patch": 130}, "data.patch"),
        ({"generator.growth": 16}, "generator.growth"),
        ({"data.batch": 3, "accumulate": 2}, "accumulate 2"),
        ({"losses.gan": 0.1, "discriminator.kind": "none"}, "discriminator.kind"),
        ({"losses.l1": 0, "losses.perceptual": 0, "losses.gan": 0}, "every loss has weight 0"),
        ({"schedule.restarts": 2, "schedule.milestones": [10]}, "exclude each other"),
        ({"name": "../up"}, "cannot name a model"),
        ({"degradation.epsilon": "14"}, "no setting 'epsilon'"),
        ({"degradation": {"kind": "adverserial"}}, "adversarial"),
        ({"optimizer": 3}, "optimizer"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named.replace(".", r"\.")) as caught:
        recipes.load("rsr-mini", changes)
    assert "\n" not in str(caught.value)


def test_a_source_domain_has_to_be_given() -> None:
    with pytest.raises(BadInput, match="'source'"):
        recipes.load("impressionism")


def test_differences_name_every_key() -> None:
    old = shipped("rsr-mini")
    new = recipes.override(old, {"optimizer.lr": 1e-3, "degradation.eps": "8"})
    assert sorted(recipes.differences(old, new)) == [
        "degradation.eps is '14/255' in the run and '8/255' now",
        "optimizer.lr is 0.0002 in the run and 0.001 now",
    ]


def test_a_recipe_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[schedule]\niterations = 5\n')
    assert recipes.load(str(file)).schedule.iterations == 5
    file.write_text("name = \n")
    with pytest.raises(BadInput, match="no TOML file"):
        recipes.load(str(file))
    with pytest.raises(BadInput, match="no such recipe file"):
        recipes.load(str(tmp_path / "none.toml"))


def test_strings_survive_toml() -> None:
    table = {"a": 'quote " back \\ line \n tab \t del \x7f é', "b": [{"x y": 1, "z": [1.5, True]}], "c": {}}
    assert tomllib.loads(to_toml(table)) == table


def test_the_command_line_lists_recipes() -> None:
    done = inside("train")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == recipes.names()
