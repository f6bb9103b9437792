"""What ``--datasets`` and ``--track`` mean, and that nothing is replaced without a word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from srbench import datasets
from srbench.datasets.degradations import DEGRADATIONS
from srbench.datasets.manifests import SetManifest
from srbench.errors import BadInput

NAMES = datasets.names()
MINIS = [n for n in NAMES if datasets.manifest(n).is_mini]
STAND_INS = [n for n in MINIS if n in {datasets.manifest(full).mini for full in NAMES}]
FIRST = [n for n in MINIS if datasets.manifest(n).edition == 1]
FULL = [n for n in NAMES if n not in MINIS]


def names_of(specs: list[str], **options: str) -> list[str]:
    return [d.name for d in datasets.resolve(specs, **options)[0]]  # type: ignore[arg-type]


@pytest.fixture
def registered(tmp_path: Path) -> tuple[Path, Path]:
    """ntire and set5 are registered, each with one small pair."""
    for role, side in (("lr", 5), ("hr", 20)):
        (tmp_path / role).mkdir()
        pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / role / "a.png")
    for name in ("ntire", "set5"):
        datasets.add(name, tmp_path / "lr", tmp_path / "hr")
    return tmp_path / "lr", tmp_path / "hr"


# Manifests.


def test_full_sets_come_first() -> None:
    assert [*FULL, *MINIS] == NAMES
    wanted = "ntire aim dped faces clean set5 set14 bsd100 urban100 manga109 realsrset"
    assert {*wanted.split(), "ntire-mini", "aim-mini", "clean-mini"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_manifest(name: str) -> None:
    card = datasets.manifest(name)
    assert card.name == name
    assert card.title and card.how.strip() and card.licence and card.citation
    assert card.how == card.how.strip() and "\n" not in card.how, "how is shown within one line"
    assert all(source.filename == source.url.rpartition("/")[2] for source in card.sources)
    if card.mini:
        mini = datasets.manifest(card.mini)
        assert mini.is_mini and mini.domain == card.domain and mini.kind == card.kind == "paired"
    if card.is_mini:
        assert card.domain in DEGRADATIONS and card.images == datasets.status(name).images
        assert name.partition("-mini")[0] in FULL


def test_only_divk2_publishes_a_hash() -> None:
    known = {s.filename: s.sha256 for n in NAMES for s in datasets.manifest(n).sources if s.sha256}
    assert known == {
        "DIV2K_valid_HR.zip": "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
        "DIV2K_train_HR.zip": "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
    }


@pytest.mark.parametrize("change", [{"domain": "noisy"}, {"surprise": 1}, {"images": 0}, {"name": "A b"}])
def test_a_wrong_manifest_is_refused(change: dict[str, object]) -> None:
    good = datasets.manifest("aim").model_dump()
    assert SetManifest.model_validate(good) == datasets.manifest("aim")
    with pytest.raises(ValidationError):
        SetManifest.model_validate(good | change)


def test_unknown_names_get_the_nearest() -> None:
    for call in (datasets.manifest, datasets.status, datasets.verify, lambda name: datasets.resolve([name])):
        with pytest.raises(BadInput, match=r"unknown data set 'ntirre': did you mean .*ntire"):
            call("ntirre")


def test_importing_is_cheap() -> None:
    code = (
        "import sys; from srbench import datasets; "
        "print(sorted({'torch', 'PIL', 'numpy', 'pydantic', 'skimage'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_everything_exported_is_there() -> None:
    for name in datasets.__all__:
        assert getattr(datasets, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        datasets.nonsense  # noqa: B018


# Tracks.


@pytest.mark.parametrize("name", [n for n in FULL if datasets.manifest(n).mini])
def test_a_mini_never_comes_silently(name: str) -> None:
    for track in ("auto", "mini"):
        [data_set], [notice] = datasets.resolve([name], track=track)  # type: ignore[arg-type]
        assert data_set.name == datasets.manifest(name).mini
        assert f"using {data_set.name} ({len(data_set)} crops of 256 x 256)" in notice
        assert f"srbench datasets add {name} --lr DIR --hr DIR" in notice
        assert "\n" not in notice


@pytest.mark.parametrize("name", FULL)
def test_full_insists(name: str) -> None:
    with pytest.raises(BadInput, match=f"srbench datasets add {name} --lr DIR"):
        datasets.resolve([name], track="full")


@pytest.mark.parametrize("name", [n for n in FULL if not datasets.manifest(n).mini])
def test_without_a_mini_there_is_no_way_out(name: str) -> None:
    with pytest.raises(BadInput, match=f"srbench datasets add {name} --lr DIR"):
        datasets.resolve([name])
    with pytest.raises(BadInput, match="has no mini"):
        datasets.resolve([name], track="mini")


@pytest.mark.parametrize("name", MINIS)
def test_a_mini_named_is_a_mini(name: str) -> None:
    for track in ("auto", "mini"):
        [data_set], notices = datasets.resolve([name], track=track)  # type: ignore[arg-type]
        assert (data_set.name, notices) == (name, [])
    with pytest.raises(BadInput, match="rules out"):
        datasets.resolve([name], track="full")


def test_a_registered_set_is_taken(registered: tuple[Path, Path]) -> None:
    assert names_of(["ntire", "aim"]) == ["ntire", "aim-mini2"]
    assert names_of(["ntire"], track="full") == ["ntire"]
    [data_set], [notice] = datasets.resolve(["ntire"], track="mini")
    assert data_set.name == "ntire-mini2"
    assert "in place of ntire" in notice


# all and wildcards.


def test_all_on_a_fresh_machine() -> None:
    found, [notice] = datasets.resolve(["all"])
    assert [d.name for d in found] == STAND_INS
    assert "no data set is registered" in notice
    assert names_of(["all"], track="mini") == STAND_INS
    with pytest.raises(BadInput, match="srbench datasets add"):
        datasets.resolve(["all"], track="full")


def test_all_where_sets_are_registered(registered: tuple[Path, Path]) -> None:
    assert names_of(["all"]) == names_of(["all"], track="full") == ["set5", "ntire"]
    assert names_of(["all"], track="mini") == STAND_INS


@pytest.mark.parametrize(
    ("pattern", "track", "fresh", "after"),
    [
        ("n*", "auto", ["ntire-mini2"], ["ntire"]),
        ("*-mini2", "auto", STAND_INS, STAND_INS),
        ("*-mini", "auto", FIRST, FIRST),
        ("[na]*", "auto", ["ntire-mini2", "aim-mini2"], ["ntire", "aim-mini2"]),
        ("set*", "auto", None, ["set5"]),
        ("*", "full", None, ["set5", "ntire"]),
        ("*", "mini", STAND_INS, STAND_INS),
        ("N*", "mini", ["ntire-mini2"], ["ntire-mini2"]),
        ("*-mini", "full", None, None),
        ("set*", "mini", None, None),
        ("q*", "auto", None, None),
    ],
)
def test_wildcards(
    pattern: str, track: str, fresh: list[str] | None, after: list[str] | None, request: pytest.FixtureRequest
) -> None:
    for stage, wanted in (("fresh", fresh), ("after", after)):
        if stage == "after":
            request.getfixturevalue("registered")
        if wanted is None:
            with pytest.raises(BadInput, match=re.escape(pattern)):
                names_of([pattern], track=track)
        else:
            assert names_of([pattern], track=track) == wanted


def test_order_is_kept_and_nothing_comes_twice() -> None:
    found, notices = datasets.resolve(["ntire", "clean-mini2", "ntire-mini2", "all", "ntire"])
    assert [d.name for d in found] == ["ntire-mini2", "clean-mini2", "aim-mini2"]
    assert len(notices) == len(set(notices))


def test_nothing_asked_for() -> None:
    with pytest.raises(BadInput, match="no data set was named"):
        datasets.resolve([])


# A user's own images.


@pytest.mark.parametrize("track", ["auto", "full", "mini"])
def test_own_images_on_any_track(registered: tuple[Path, Path], track: str) -> None:
    lr, hr = registered
    found, notices = datasets.resolve([f"pairs:{lr}:{hr}", f"folder:{lr}"], track=track)  # type: ignore[arg-type]
    assert [(d.kind, d.domain) for d in found] == [("paired", "unknown"), ("no-reference", "unknown")]
    assert not notices
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+@[0-9a-f]{8}", d.name) for d in found), "safe as a file name"


def test_folders_with_colons_in_their_names(registered: tuple[Path, Path]) -> None:
    lr, hr = registered
    odd = lr.rename(lr.with_name("l:r")), hr.rename(hr.with_name("h:r"))
    assert len(datasets.resolve([f"pairs:{odd[0]}:{odd[1]}"])[0][0]) == 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("pairs:only", "pairs:LR_DIR:HR_DIR"),
        ("pairs::hr", "pairs:LR_DIR:HR_DIR"),
        ("pairs:/no/lr:/no/hr", "/no/lr is not a directory"),
        ("folder:/no/where", "/no/where is not a directory"),
    ],
)
def test_wrong_folders_are_named(spec: str, words: str) -> None:
    with pytest.raises(BadInput) as error:
        datasets.resolve([spec])
    assert words in str(error.value)
