"""Photographs kept from training, photographs at several sizes, and what validation measures on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srbench.errors import BadInput
from srbench.train import recipe as recipes
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.validation import Validation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six plain images: image n is gray 40 n everywhere."""
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(1, 7):
        Image.new("RGB", (160, 96), (40 * number,) * 3).save(root / f"{number}.png")
    return root


def grays(folder: Path, **options: object) -> set[int]:
    source = open_sources([str(folder)], patch=32, **options)  # type: ignore[arg-type]
    return {int(source.crop(index, 32, 0)[0, 0, 0]) // 40 for index in range(600)}


def test_every_nth_photograph_is_for_validation_alone(folder: Path) -> None:
    assert grays(folder) == {1, 2, 3, 4, 5, 6}
    assert grays(folder, hold_out=2) == {1, 3, 5}
    assert grays(folder, hold_out=2, held_out=True) == {2, 4, 6}
    assert grays(folder, hold_out=3) == {1, 2, 4, 5}
    assert grays(folder, hold_out=3, held_out=True) == {3, 6}


def test_what_is_held_out_is_no_part_of_the_data(folder: Path) -> None:
    """The hash is that of the images trained on, so that it says what the network saw."""
    rest = folder.parent / "elsewhere" / "photos"
    rest.mkdir(parents=True)
    for number in (1, 3, 5):
        (rest / f"{number}.png").write_bytes((folder / f"{number}.png").read_bytes())
    kept = open_sources([str(folder)], patch=32, hold_out=2)
    assert kept.content_hash == open_sources([str(rest)], patch=32).content_hash
    assert kept.describe() == "photos: 3 images"


def test_held_out_validation_leaves_procedural_images_out(folder: Path) -> None:
    specs = ["dead-leaves", str(folder)]
    held = open_sources(specs, patch=32, hold_out=2, held_out=True)
    assert held.name == "photos"
    assert open_sources(["dead-leaves"], patch=32, hold_out=2, held_out=True).name == "dead-leaves"


def test_a_folder_with_too_few_images_to_hold_some_out_is_refused(folder: Path) -> None:
    with pytest.raises(
        BadInput, match=r"holds 6 images: with every 7\. held out none is left to validate on"
    ):
        open_sources([str(folder)], patch=32, hold_out=7, held_out=True)
    with pytest.raises(BadInput, match="none is left to train on"):
        open_sources([str(folder)], patch=32, hold_out=1)


def test_photographs_at_two_sizes_are_dealt_out_equally(tmp_path: Path) -> None:
    """Stripes of one pixel become plain gray at half size; half of all crops are of either kind."""
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    source = open_sources([str(tmp_path)], patch=32, shrink=(0.5, 1.0))
    crops = [source.crop(index, 32, 0) for index in range(200)]
    assert sum(int(crop.std()) > 100 for crop in crops) == 100
    assert source.describe() == f"50 % {tmp_path.name}: 1 image, shrunk by 0.5; 50 % {tmp_path.name}: 1 image"


@pytest.mark.parametrize("shrink", [(), (0.5, 0.5), (0.5, 2.0), 0.0, 1.5, (0.0,)])
def test_sizes_that_cannot_be_are_refused(shrink: object) -> None:
    with pytest.raises(BadInput, match="shrink"):
        recipes.load("esrgan-mini", {"data.shrink": shrink})


def test_validation_degrades_crops_by_a_mixture_of_its_own() -> None:
    crops = Crops(open_sources(["dead-leaves"], patch=64), 64, seed=5)
    one, two = (Validation(crops, 8, torch.device("cpu"), "fp32") for _ in range(2))
    clean, degraded = one.lr
    assert torch.equal(degraded, two.lr[1])
    distances = (degraded - clean).flatten(1).std(1) * 255
    assert distances.min() > 1.5 and distances.max() < 30
    assert distances.max() > 1.5 * distances.min()  # each image has its own strength


def test_trainings_from_several_seeds_are_validated_on_the_same_crops() -> None:
    one, two = (
        Validation(Crops(open_sources(["dead-leaves"], patch=32), 32, s), 4, torch.device("cpu"), "fp32")
        for s in (1, 2)
    )
    assert torch.equal(one.hr, two.hr)
    assert all(torch.equal(a, b) for a, b in zip(one.lr, two.lr, strict=True))
