"""Attacks towards a target: where they end, what identifies them, and what has no target."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import Nearest, inside
from PIL import Image
from test_attacks_truth import EPS, Smooth, images
from torch.nn import functional as F

from srbench import attacks
from srbench.attacks import PGDL2, StructuredPGD
from srbench.attacks.target import Target
from srbench.errors import BadInput


def test_the_output_ends_as_near_to_the_target_as_the_ball_allows() -> None:
    """Every pixel of a nearest-neighbour upscaler goes its own way: towards its own mean, eps at most."""
    x, goal = images()
    due = x + (F.avg_pool2d(goal, 4) - x).clamp(-EPS, EPS)
    attack = StructuredPGD(Nearest(), eps=EPS, alpha=0.5 / 255, steps=80, objective="mse", targeted=True)
    found = attack(x, goal)
    assert (found - due).abs().max() <= 0.5 / 255
    assert (attack.loss(x, found, goal) > attack.loss(x, x, goal)).all()


def test_l2_and_other_networks_come_nearer_too() -> None:
    x, goal = images(count=3)
    model = Smooth().double()
    for attack in (
        StructuredPGD(model, eps=EPS, steps=10, objective="l1", targeted=True),
        PGDL2(model, eps=EPS, objective="mse", targeted=True),
    ):
        with torch.no_grad():
            before, after = ((model(lr) - goal).square().mean((1, 2, 3)) for lr in (x, attack(x, goal)))
        assert (after < before).all()
    with pytest.raises(BadInput, match="needs the image it goes towards"):
        StructuredPGD(model, targeted=True)(x)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "goal.png")
    return tmp_path / "goal.png"


def test_contents_and_names_identify_a_target_and_its_place_does_not(picture: Path, tmp_path: Path) -> None:
    recipe = attacks.preset("rsr")
    aimed = recipe.towards(picture)
    assert aimed.name == "rsr(target=goal.png)" and aimed.hash != recipe.hash
    moved = tmp_path / "elsewhere.png"
    shutil.copy(picture, moved)
    assert recipe.towards(moved).hash == aimed.hash
    assert aimed.with_(eps=8 / 255).target == aimed.target
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(picture, folder / "a.png")
    assert recipe.towards(folder).hash != aimed.hash
    assert torch.equal(Target(folder).image("a", (40, 52)), Target(picture).image("any", (40, 52)))
    assert Target(picture).image("any", (16, 24)).shape == (1, 3, 16, 24)


def test_what_cannot_be_a_target(picture: Path, tmp_path: Path) -> None:
    for name in ("random", "strong"):
        with pytest.raises(BadInput, match=f"attack {name} goes towards no target"):
            attacks.preset(name).towards(picture)
    with pytest.raises(BadInput, match="neither an image nor a folder"):
        Target(tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadInput, match="empty"):
        Target(empty)
    shutil.copy(picture, empty / "a.png")
    with pytest.raises(BadInput, match=r"no target for image b: put b\.png into it"):
        Target(empty).image("b", (8, 8))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(BadInput, match=r"text\.png"):
        Target(tmp_path / "text.png").image("a", (8, 8))


def test_the_command_says_how_near_it_came(picture: Path, tmp_path: Path) -> None:
    shared = ["attack", "bicubic", "--dataset", "clean-mini", "--limit", "1", "--metrics", "psnr"]
    shared += ["--store", str(tmp_path / "store")]
    shared += ["--preset", "rsr", "--loss", "mse", "--steps", "8", "--alpha", "2", "--target", str(picture)]
    done = inside(*shared, "--eps", "4,16", "--json")
    assert done.returncode == 0, done.stderr
    assert "with --target there are none" in done.stderr
    found = json.loads(done.stdout)
    near = [point["effects"]["rsr"] for point in found["curve"]]
    assert all(effect["target_psnr"] > effect["target_psnr_clean"] for effect in near)
    assert near[1]["target_psnr"] > near[0]["target_psnr"]
    assert found["curve"][0]["effects"]["random"]["target_psnr"] is None
    assert len(found["attacks"]["rsr"]["target"]) == 64 and str(picture) not in done.stdout
    shown = inside(*shared, "--eps", "4,16")
    assert "towards the target: PSNR of SR against it" in shown.stdout
    bad = inside(*shared[:-1], str(tmp_path / "none.png"))
    assert bad.returncode == 2 and "neither an image nor a folder" in bad.stderr.splitlines()[-1]
