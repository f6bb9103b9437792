"""Photographs in training, and their mixtures with other sources."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from train_images import Coded, coded_image

from srbench.errors import BadInput, RunFailed
from srbench.train.data.dead_leaves import DeadLeaves
from srbench.train.data.photographs import Photographs
from srbench.train.data.sharing import SLOTS
from srbench.train.data.sources import MixedSource, open_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "deep" / "er").mkdir(parents=True)
    (root / ".hidden").mkdir()
    coded_image(1, 40, 60).save(root / "one.png")
    coded_image(2, 33, 32).save(root / "deep" / "two.png")
    coded_image(3, 200, 250).save(root / "deep" / "er" / "three.bmp")
    coded_image(4, 31, 200).save(root / "flat.png")
    coded_image(5, 50, 50).save(root / ".hidden" / "five.png")
    coded_image(6, 50, 50).save(root / ".six.png")
    (root / "notes.txt").write_text("no image")
    return root


def test_photographs_are_cut_from_every_image_large_enough(folder: Path) -> None:
    source = Photographs(folder, patch=32)
    assert source.describe() == "photos: 3 images, 1 smaller than 32 px left out"
    sizes = {1: (40, 60), 2: (33, 32), 3: (200, 250)}
    places: dict[int, set[tuple[int, int]]] = {1: set(), 2: set(), 3: set()}
    for index in range(900):
        crop = source.crop(index, 32, 9)
        number, top, left = (int(v) for v in crop[0, 0])
        whole = np.asarray(coded_image(number, *sizes[number]))
        assert np.array_equal(crop, whole[top : top + 32, left : left + 32])
        places[number].add((top, left))
    assert places[2] == {(0, 0), (1, 0)}
    assert {p[0] for p in places[1]} == set(range(9)) and {p[1] for p in places[1]} == set(range(29))
    assert len(places[3]) > 150


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"a\nb.png", b"\xff/a.png"])
def test_photographs_of_names_that_no_report_can_show(name: bytes, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(name)
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(file)
    with pytest.raises(BadInput, match="rename it") as raised:
        Photographs(tmp_path, patch=32)
    assert str(raised.value).isprintable()


def test_photographs_are_drawn_by_area_and_without_replacement(tmp_path: Path) -> None:
    coded_image(0, 480, 480).save(tmp_path / "small.png")
    coded_image(1, 960, 1440).save(tmp_path / "large.png")
    source = Photographs(tmp_path, patch=16)
    numbers = Counter(int(source.crop(index, 16, 0)[0, 0, 0]) for index in range(SLOTS * 16 * 7))
    assert numbers[1] / numbers[0] == pytest.approx(6, rel=0.25)


def test_photographs_do_not_depend_on_order_cache_or_place(folder: Path, tmp_path: Path) -> None:
    roomy = Photographs(folder, patch=32)
    crops = {i: roomy.crop(i, 32, 4).copy() for i in range(80)}
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "other-name")
    tight = Photographs(moved, patch=32, cache_bytes=1)
    for index in np.random.default_rng(0).permutation(80).tolist():
        assert np.array_equal(tight.crop(index, 32, 4), crops[index])
    assert tight.content_hash == roomy.content_hash


def test_content_hash_sees_content_names_and_shrinking(folder: Path) -> None:
    hashes = [
        Photographs(folder, patch=16).content_hash,
        Photographs(folder, patch=16, shrink=0.5).content_hash,
    ]
    (folder / "one.png").rename(folder / "uno.png")
    hashes.append(Photographs(folder, patch=16).content_hash)
    coded_image(9, 40, 60).save(folder / "uno.png")
    hashes.append(Photographs(folder, patch=16).content_hash)
    assert len(set(hashes)) == 4


def test_shrinking_is_antialiased_and_counts_for_the_size(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (64, 81, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    coded_image(0, 60, 64).save(tmp_path / "b.png")
    source = Photographs(tmp_path, patch=32, shrink=0.5)
    assert source.describe().endswith("1 image, shrunk by 0.5, 1 smaller than 32 px left out")
    wanted = np.asarray(Image.fromarray(noise).resize((40, 32), Image.Resampling.BICUBIC))
    crop = source.crop(0, 32, 0)
    windows = [wanted[:, left : left + 32] for left in range(9)]
    assert any(np.array_equal(crop, window) for window in windows)
    assert wanted.std() < 0.75 * noise.std()  # the mean of independent pixels, hence antialiased
    with pytest.raises(BadInput, match="at least 33 px high and wide after shrinking by"):
        Photographs(tmp_path, patch=33, shrink=0.5)


def test_bad_folders_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: Photographs(empty, patch=32), r"empty holds no images"),
        (lambda: Photographs(tmp_path / "absent", patch=32), "absent is not a folder"),
        (lambda: Photographs(folder, patch=201), "no image in .*photos is at least 201 px"),
        (lambda: Photographs(folder, patch=32, shrink=0.0), "shrink 0 is not above 0"),
        (lambda: Photographs(folder, patch=32, shrink=2), "shrink 2 is not above 0"),
    ]
    for attempt, message in cases:
        with pytest.raises(BadInput, match=message) as refusal:
            attempt()
        assert "\n" not in str(refusal.value)
    whole = (folder / "deep" / "two.png").read_bytes()
    (folder / "deep" / "two.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"two\.png is damaged"):
        Photographs(folder, patch=32)


def test_a_file_that_changes_under_way_stops_the_run(folder: Path) -> None:
    for name in ("one.png", "deep/two.png", "flat.png"):
        (folder / name).unlink()
    source = Photographs(folder, patch=32)
    coded_image(8, 200, 250).save(folder / "deep" / "er" / "three.bmp")
    with pytest.raises(RunFailed, match=r"three\.bmp changed"):
        source.crop(0, 32, 0)
    with pytest.raises(ValueError, match="opened for crops of 32 px"):
        source.crop(0, 33, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 20).map(lambda n: Fraction(n, 10)), min_size=1, max_size=4),
    st.integers(0, 10**9),
    st.integers(1, 200),
)
def test_every_stretch_of_samples_has_its_proportions(
    weights: list[Fraction], start: int, length: int
) -> None:
    mixed = MixedSource([(Coded(), weight) for weight in weights])
    chosen = [mixed.choose(index) for index in range(start, start + length)]
    for number, weight in enumerate(weights):
        own = [index for source, index in chosen if source == number]
        assert own == list(range(own[0], own[0] + len(own))) if own else True
        assert abs(len(own) - length * weight / sum(weights)) < len(weights)


def test_mixture_takes_each_sources_own_sequence(folder: Path) -> None:
    mixed = open_sources([f"{folder}*3", "dead-leaves"], patch=32)
    photos, leaves = Photographs(folder, patch=32), DeadLeaves()
    own = Counter[int]()
    for index in range(12):
        number, own_index = mixed.choose(index)
        assert own_index == own[number]
        own[number] += 1
        wanted = (photos, leaves)[number].crop(own_index, 32, 2)
        assert np.array_equal(mixed.crop(index, 32, 2), wanted)
    assert own == {0: 9, 1: 3}
    assert mixed.name == "photos,dead-leaves"
    assert mixed.describe().startswith(
        "75 % photos: 3 images, 1 smaller than 32 px left out; 25 % dead-leaves"
    )


def test_specs_with_the_same_proportions_are_the_same_data(folder: Path) -> None:
    def content(*specs: str) -> str:
        return open_sources(specs, patch=32).content_hash

    assert content("dead-leaves*0.1", f"{folder}*0.3") == content("dead-leaves", f"{folder}*3")
    assert content("dead-leaves", str(folder)) != content("dead-leaves", f"{folder}*3")


def test_a_folder_with_a_star_in_its_name_is_a_folder(folder: Path) -> None:
    starred = folder.rename(folder.parent / "a*2")
    assert open_sources([str(starred)], patch=32).name == "a*2"


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "no training images were named"),
        (["dead_leaves"], "'dead_leaves' is neither dead-leaves nor a folder"),
        (["dead-leaves*half"], "'half' in .* is not a weight"),
        (["dead-leaves*0"], "not a positive number"),
        (["dead-leaves*nan"], "not a positive number"),
        (["dead-leaves", "dead-leaves*2"], "named twice"),
    ],
)
def test_bad_specs_are_refused(specs: Sequence[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        open_sources(specs, patch=32)
