"""What sets of one's own folders are called, and those registered under a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from folder_cases import cli, image, pairs

from srbench import datasets
from srbench.errors import BadInput


def names(*specs: str) -> list[str]:
    return [d.name for d in datasets.resolve(specs)[0]]


def test_sets_of_one_hr_folder_are_named_after_their_lr_folders(tmp_path: Path) -> None:
    specs = [pairs(tmp_path / "deg", lr, shade=shade) for lr, shade in (("a", 1), ("b", 2))]
    found, said = datasets.resolve(specs)
    assert [d.name for d in found] == ["a", "b"]
    for data, lr in zip(found, "ab", strict=True):
        assert data.title == f"LR {tmp_path}/deg/{lr}, HR {tmp_path}/deg/hr"
        assert f"{lr} is {data.title}" in said


def test_a_single_pairs_set_keeps_the_name_that_stores_know(tmp_path: Path) -> None:
    spec = pairs(tmp_path / "deg", "a")
    [data], said = datasets.resolve([spec, spec, "clean-mini"][:2])
    assert data.name == f"deg-hr@{data.content_hash[:8]}" and not said
    other = pairs(tmp_path / "else", "b", shade=3)
    assert names(spec, other)[0] == data.name


@pytest.mark.parametrize(
    ("folders", "wanted"),
    [
        (("mild/LR", "wild/LR"), ["mild-LR", "wild-LR"]),
        (("one/mild/LR/X4", "two/mild/LR/X4"), ["one-mild-LR-X4", "two-mild-LR-X4"]),
        (("clean", "b"), ["SETS-clean", "b"]),  # clean is a published set
        (("Noisy", "x/noisy"), ["SETS-Noisy", "x-noisy"]),
        (("größe", "grße"), ["SETS-gre@", "SETS-gre@"]),
    ],
)
def test_names_are_as_long_as_it_takes(tmp_path: Path, folders: tuple[str, ...], wanted: list[str]) -> None:
    specs = [pairs(tmp_path / "SETS", lr, shade=shade) for shade, lr in enumerate(folders)]
    found = names(*specs)
    assert len(set(found)) == len(found)
    if "@" in wanted[0]:  # to the root, and then the digest
        assert all(name.split("@")[0].endswith(w[:-1]) for name, w in zip(found, wanted, strict=True))
    else:
        assert found == wanted


@pytest.mark.parametrize(
    ("spec", "name", "start"),
    [
        ("pairs:{}/Set5/LR_bicubic/X4:{}/Set5/HR", "Set5-HR", "265ab6e9cf910fdb"),
        ("pairs:{}/BSD100:{}/BSD100", "images-BSD100", "e560ce4f9a620a7f"),
        ("folder:{}/RealSRSet", "images-RealSRSet", "91e12aec29d7900e"),
    ],
)
def test_names_and_hashes_in_stores_stay(shared: Path, spec: str, name: str, start: str) -> None:
    images = shared / "assets/images"
    [data], _ = datasets.resolve([spec.replace("{}", str(images))])
    assert data.content_hash.startswith(start) and data.name == f"{name}@{start[:8]}"


def test_folders_without_ground_truth_too(tmp_path: Path) -> None:
    for shade, where in enumerate(("x", "y")):
        image(tmp_path / where / "one/images/a.png", shade=shade)
    assert names(*(f"folder:{tmp_path / w}/one/images" for w in "xy")) == ["x-one-images", "y-one-images"]


def test_a_user_names_a_set(tmp_path: Path) -> None:
    spec = pairs(tmp_path)
    assert names(f"noise+jpeg={spec}", f"own.1=folder:{tmp_path / 'hr'}") == ["noise+jpeg", "own.1"]
    (tmp_path / "k=v").mkdir()
    image(tmp_path / "k=v/a.png")
    assert names(f"folder:{tmp_path / 'k=v'}")[0].endswith(
        "-kv@" + names(f"folder:{tmp_path / 'k=v'}")[0][-8:]
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("ntire", "of its own"), ("All", "begins with no name"), ("", "no name"), ("a b", "no name")],
)
def test_a_name_that_cannot_be_used(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        datasets.resolve([f"{name}={pairs(tmp_path)}"])


def test_one_name_for_two_sets_is_refused(tmp_path: Path) -> None:
    one, two = pairs(tmp_path, "a", shade=1), pairs(tmp_path, "b", shade=2)
    with pytest.raises(BadInput, match="both called x"):
        datasets.resolve([f"x={one}", f"x={two}"])


def test_a_copy_of_the_same_images_is_the_same_set(tmp_path: Path) -> None:
    specs = [pairs(tmp_path, lr, shade=shade) for lr, shade in (("a", 1), ("b", 2), ("copy", 1))]
    assert names(*specs) == ["a", "b"]
    assert names(specs[0], specs[2])[0].startswith(tmp_path.name + "-hr@")


def test_a_set_of_ones_own(tmp_path: Path) -> None:
    pairs(tmp_path)
    said = cli("add", "Night+rain.v2", "--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "--domain", "ntire")
    assert said.startswith("Night+rain.v2 is registered: 1 images")
    assert "a set of your own (degradation: ntire)" in said
    cli("add", "photos-mini", "--lr", tmp_path / "lr")
    assert datasets.own_names() == ["Night+rain.v2", "photos-mini"] and "photos-mini" not in datasets.names()
    found, _ = datasets.resolve(["Night+rain.v2", "photos-mini"])
    assert [(d.name, d.kind, d.domain) for d in found] == [
        ("Night+rain.v2", "paired", "ntire"),
        ("photos-mini", "no-reference", "unknown"),
    ]
    assert found[0].title == f"LR {tmp_path}/lr, HR {tmp_path}/hr"
    assert names("all") == ["Night+rain.v2", "photos-mini"] == [n for n in names("*") if n in names("all")]
    assert names("night*") == ["Night+rain.v2"]
    for track in ("full", "mini"):
        assert len(datasets.resolve(["photos-mini"], track=track)[0]) == 1  # type: ignore[arg-type]
    listed = cli("--json")
    assert '"name": "Night+rain.v2"' in listed and f"HR {tmp_path}/hr" in listed
    assert "as registered" in cli("verify", "photos-mini")
    assert "no longer registered" in cli("remove", "photos-mini")
    assert datasets.own_names() == ["Night+rain.v2"] and (tmp_path / "lr/a.png").is_file()
    with pytest.raises(BadInput, match="unknown data set 'photos-mini'"):
        datasets.remove("photos-mini")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("all", "cannot name"),
        ("-x", "cannot name"),
        ("a/b", "cannot name"),
        ("../x", "cannot name"),
        ("a b", "cannot name"),
        ("", "cannot name"),
        ("x" * 101, "cannot name"),
        ("a*", "cannot name"),
        ("Ntire", "case only"),
        ("clean-mini", "built in"),
    ],
)
def test_names_that_cannot_be_registered(tmp_path: Path, name: str, words: str) -> None:
    pairs(tmp_path)
    with pytest.raises(BadInput, match=words):
        datasets.add(name, tmp_path / "lr", tmp_path / "hr")


def test_a_published_set_keeps_its_domain_and_can_be_removed(tmp_path: Path, private_home: Path) -> None:
    pairs(tmp_path)
    with pytest.raises(BadInput, match="published as ntire: leave --domain out"):
        datasets.add("ntire", tmp_path / "lr", tmp_path / "hr", domain="aim")
    datasets.add("ntire", tmp_path / "lr", tmp_path / "hr")
    assert "domain" not in (private_home / "datasets/ntire.json").read_text()
    datasets.remove("ntire")
    assert not datasets.status("ntire").available
    for name, words in (("ntire", "not registered"), ("clean-mini", "built in"), ("nosuch", "unknown")):
        with pytest.raises(BadInput, match=words):
            datasets.remove(name)


def test_a_damaged_registration_of_ones_own_can_be_replaced_and_removed(
    tmp_path: Path, private_home: Path
) -> None:
    pairs(tmp_path)
    for mend in (lambda: datasets.add("mine", tmp_path / "lr", None), lambda: datasets.remove("mine")):
        datasets.add("mine", tmp_path / "lr", None)
        (private_home / "datasets/mine.json").write_text("{")
        with pytest.raises(BadInput, match=r"mine\.json is damaged.*srbench datasets remove mine"):
            datasets.resolve(["mine"])
        mend()


def test_a_user_may_not_call_folders_what_is_registered(tmp_path: Path) -> None:
    spec = pairs(tmp_path)
    datasets.add("mine", tmp_path / "lr", None)
    with pytest.raises(BadInput, match="'mine' is a data set of its own"):
        datasets.resolve([f"mine={spec}"])
