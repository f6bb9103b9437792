"""Registering a local copy, and noticing that it changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srbench import datasets
from srbench.datasets import registry
from srbench.errors import BadInput, RunFailed

NAMES = datasets.names()
FULL = [n for n in NAMES if not datasets.manifest(n).is_mini]
PAIRED = [n for n in FULL if datasets.manifest(n).kind == "paired"]


def make(folder: Path, count: int = 3) -> tuple[Path, Path]:
    """``count`` small pairs below ``folder``."""
    rng = np.random.default_rng(2)
    for role, side in (("lr", 5), ("hr", 20)):
        (folder / role).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / role / f"{i:04}.png")
    return folder / "lr", folder / "hr"


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    return make(tmp_path / "copy")


def add(name: str, pairs: tuple[Path, Path]) -> datasets.SetStatus:
    lr, hr = pairs
    return datasets.add(name, lr, hr if datasets.manifest(name).kind == "paired" else None)


@pytest.mark.parametrize("name", FULL)
def test_every_set_can_be_registered_opened_and_verified(name: str, pairs: tuple[Path, Path]) -> None:
    before = datasets.status(name)
    assert not before.available and before.how.startswith(f"srbench datasets add {name} --lr DIR")
    added = add(name, pairs)
    assert added.available and added.images == 3 and added.how == ""
    assert added.lr == pairs[0]
    assert added == datasets.status(name) == datasets.verify(name)
    [opened], notices = datasets.resolve([name])
    card = datasets.manifest(name)
    assert (opened.name, opened.title, opened.domain, opened.kind) == (
        name,
        card.title,
        card.domain,
        card.kind,
    )
    assert opened.content_hash == added.content_hash
    assert opened.ids == ("0000", "0001", "0002")
    assert (opened.load("0001").hr is None) == (card.kind == "no-reference")
    # Three images are nobody's published set.
    wanted = [f"{name}: 3 images, the published set has {card.images}"] if card.images else []
    assert notices == wanted == ([f"{name}: {added.note}"] if added.note else [])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in FULL])
def test_mini_sets_are_built_in(name: str, pairs: tuple[Path, Path]) -> None:
    state = datasets.status(name)
    assert state.available and state.images == datasets.manifest(name).images
    assert datasets.verify(name) == state
    with pytest.raises(BadInput, match="built in"):
        datasets.add(name, *pairs)


def test_real_pairs_from_one_folder(shared: Path) -> None:
    folder = shared / "assets/images/BSD100"
    state = datasets.add("bsd100", folder, folder)
    assert (state.images, state.note) == (100, "")
    [opened], notices = datasets.resolve(["bsd100"])
    assert not notices
    assert opened.load("img_007").hr is not None
    assert datasets.verify("bsd100").content_hash == opened.content_hash


def test_an_own_copy_of_the_same_content_has_the_same_hash(pairs: tuple[Path, Path]) -> None:
    add("ntire", pairs)
    [registered, own], _ = datasets.resolve(["ntire", f"pairs:{pairs[0]}:{pairs[1]}"])
    assert registered.content_hash == own.content_hash
    assert registered.name != own.name


@pytest.mark.parametrize("name", PAIRED)
def test_paired_sets_want_both_folders(name: str, pairs: tuple[Path, Path]) -> None:
    with pytest.raises(BadInput, match="needs its HR"):
        datasets.add(name, pairs[0], None)


def test_sets_without_ground_truth_want_one_folder(pairs: tuple[Path, Path]) -> None:
    with pytest.raises(BadInput, match="no HR images"):
        datasets.add("dped", *pairs)


def test_nothing_is_registered_where_something_is_wrong(pairs: tuple[Path, Path], private_home: Path) -> None:
    (pairs[1] / "0002.png").write_bytes(b"broken")
    with pytest.raises(BadInput, match=r"0002\.png"):
        add("ntire", pairs)
    assert not datasets.status("ntire").available
    assert not list(private_home.rglob("*.json"))


def test_a_failed_registration_keeps_the_earlier_one(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    before = add("ntire", pairs)
    other = make(tmp_path / "other")
    (other[0] / "0000.png").unlink()
    with pytest.raises(BadInput):
        add("ntire", other)
    assert datasets.status("ntire") == before


def test_an_unwritable_home_is_named(pairs: tuple[Path, Path], private_home: Path) -> None:
    (private_home / "datasets").write_text("in the way")
    with pytest.raises((RunFailed, BadInput), match="datasets"):
        add("ntire", pairs)


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_changed_file_is_named(pairs: tuple[Path, Path], keep_time: bool) -> None:
    add("ntire", pairs)
    file = pairs[1] / "0001.png"
    stat = file.stat()
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(data)
    if keep_time:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(BadInput, match=r"1 changed \(0001\.png\)"):
        datasets.verify("ntire")
    if keep_time:
        # Opening trusts size and time, loading does not.
        [opened], _ = datasets.resolve(["ntire"])
        with pytest.raises(RunFailed, match=r"0001\.png changed"):
            opened.load("0001")
    else:
        with pytest.raises(BadInput, match=r"0001\.png of ntire"):
            datasets.resolve(["ntire"])


def test_missing_and_new_files_are_named(pairs: tuple[Path, Path]) -> None:
    add("ntire", pairs)
    (pairs[0] / "0002.png").rename(pairs[0] / "0003.png")
    with pytest.raises(BadInput) as error:
        datasets.verify("ntire")
    assert "1 missing (0002.png)" in str(error.value) and "1 new (0003.png)" in str(error.value)
    assert "changed" not in str(error.value)
    with pytest.raises(BadInput, match=r"0002\.png of ntire"):
        datasets.resolve(["ntire"])


def test_a_touched_file_is_read_again_and_accepted(pairs: tuple[Path, Path]) -> None:
    before = add("ntire", pairs)
    os.utime(pairs[0] / "0000.png", (1, 1))
    assert datasets.verify("ntire") == before
    assert datasets.resolve(["ntire"])[0][0].content_hash == before.content_hash


def test_a_folder_that_went_away_is_not_replaced_by_the_mini(pairs: tuple[Path, Path]) -> None:
    add("ntire", pairs)
    pairs[1].rename(pairs[1].with_name("elsewhere"))
    state = datasets.status("ntire")
    assert not state.available and "is gone" in state.note and state.how
    for specs in (["ntire"], ["all"], ["n*"]):
        with pytest.raises(BadInput, match="is gone"):
            datasets.resolve(specs)
    with pytest.raises(BadInput, match="3 missing"):
        datasets.verify("ntire")


def test_verify_wants_a_registration() -> None:
    with pytest.raises(BadInput, match="srbench datasets add ntire --lr DIR --hr DIR"):
        datasets.verify("ntire")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"name": "ntire"}'])
def test_a_damaged_registration_is_named(pairs: tuple[Path, Path], private_home: Path, damage: str) -> None:
    add("ntire", pairs)
    (private_home / "datasets/ntire.json").write_text(damage)
    with pytest.raises(BadInput, match=r"ntire\.json is damaged: register again"):
        datasets.status("ntire")


def test_the_record_names_every_file(pairs: tuple[Path, Path], private_home: Path) -> None:
    add("ntire", pairs)
    record = json.loads((private_home / "datasets/ntire.json").read_text())
    assert {
        Path(image[role]["path"]).name for image in record["images"].values() for role in ("lr", "hr")
    } == {f"000{i}.png" for i in range(3)}
    assert all(len(image["hr"]["sha256"]) == 64 for image in record["images"].values())


def test_relative_folders_are_found_from_elsewhere(
    pairs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(pairs[0].parent)
    datasets.add("ntire", Path("lr"), Path("hr"))
    monkeypatch.chdir(tmp_path)
    assert datasets.verify("ntire").available


def test_opening_a_registered_set_reads_no_image(
    pairs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add("ntire", pairs)
    monkeypatch.setattr(registry, "inspect", lambda path: pytest.fail(f"read {path}"))
    assert len(datasets.resolve(["ntire"])[0][0]) == 3
