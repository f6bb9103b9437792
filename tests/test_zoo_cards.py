"""Cards: every one in zoo/cards/ is checked by being there, and a malformed one is refused."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from srbench import datasets, zoo
from srbench.errors import BadInput
from srbench.install.source import Source
from srbench.support.home import sha256_file
from srbench.zoo import catalog
from srbench.zoo.schema import DOMAINS, Card

CARDS = Path(__file__).resolve().parents[1] / "zoo" / "cards"


@pytest.mark.parametrize("name", zoo.names())
def test_card_is_complete(name: str) -> None:
    card = zoo.card(name)
    raw = tomllib.loads((CARDS / f"{name}.toml").read_text(encoding="utf-8"))
    assert raw["name"] == card.name == name
    assert card.title.strip() and card.licence.strip() and card.citation.strip() and card.notes.strip()
    assert card.domain in DOMAINS and card.domain != "unknown"
    assert card.scale == 4
    assert card.architecture["family"]
    assert isinstance(card.architecture["parameters"], int)
    # What needs no weights says what makes it; everything else says where its weights are.
    assert [bool(card.sources), "factory" in card.architecture, bool(card.packaged)].count(True) == 1
    assert not (card.redistributable and "none" in card.licence)


@pytest.mark.parametrize("name", [name for name in zoo.names() if zoo.card(name).packaged])
def test_packaged_weights_are_those_of_the_card(name: str) -> None:
    file = CARDS.parent / "mini" / f"{name}.safetensors"
    assert sha256_file(file) == zoo.card(name).packaged
    assert file.stat().st_size <= 3_000_000
    assert zoo.card(name).redistributable
    [model] = [ref.load() for ref in zoo.resolve([name])]
    ramp = torch.linspace(0.1, 0.9, 17).expand(24, 17)
    lr = torch.stack([ramp, ramp.flip(1), ramp * 0.5])[None]
    sr = model(lr)
    assert sr.shape == (1, 3, 96, 68) and sr.dtype == torch.float32
    # SR of a smooth image has the means of its LR; random weights would not give that. Near the border the
    # network sees the zeros it pads with.
    apart = (sr.reshape(1, 3, 24, 4, 17, 4).mean((3, 5)) - lr)[..., 4:-4, 4:-4].abs()
    assert float(apart.mean()) < 0.05


def test_every_weight_file_has_a_card() -> None:
    files = {file.stem for file in (CARDS.parent / "mini").iterdir()}
    assert files == {name for name in zoo.names() if zoo.card(name).packaged}


def test_every_toml_is_a_card() -> None:
    assert sorted(zoo.names()) == sorted(p.stem for p in CARDS.glob("*.toml"))


def test_order_is_that_of_a_leaderboard() -> None:
    names = zoo.names()
    assert names[0] == "bicubic"
    assert names.index("impressionism-ntire") + 2 == names.index("impressionism-dped")
    domains = [zoo.card(name).domain for name in names]
    specialists = {"ntire", "aim", "dped", "jpeg"}
    groups = ["specialist" if domain in specialists else domain for domain in domains]
    assert list(dict.fromkeys(groups)) == ["none", "clean", "specialist", "adversarial", "blind"]
    assert len([1 for one, other in pairwise(groups) if one != other]) == 4


def test_what_is_recommended_can_be_fetched_from_the_index() -> None:
    names = zoo.family("recommended")
    assert "impressionism-ntire" in names and len({zoo.card(name).domain for name in names}) > 2
    for name in names:
        [source] = [source for source in zoo.card(name).sources if source.pypi]
        assert source == zoo.card(name).sources[-1], "the publisher comes first"
        assert source.bytes and source.note


def test_the_paper_s_models_are_there_with_their_domains() -> None:
    domains = {name: zoo.card(name).domain for name in zoo.names()}
    assert domains["rsr"] == "adversarial" and domains["esrgan"] == "clean"
    for method in ("impressionism", "esrgan-fs"):
        for domain in ("ntire", "aim", "dped"):
            assert domains[f"{method}-{domain}"] == domain


def test_published_hashes() -> None:
    assert zoo.card("esrgan").sources[0].sha256 == "ff704c30"
    assert zoo.card("esrgan").sources[0].filename.endswith("-ff704c30.pth")
    dped = zoo.card("impressionism-dped").sources[0]
    assert dped.exact and dped.bytes == 66_923_471
    assert not zoo.card("esrgan").sources[0].exact
    assert not zoo.card("rsr").redistributable


def test_unknown_model_names_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"unknown model 'esrgn': did you mean esrgan"):
        zoo.card("esrgn")


GOOD: dict[str, Any] = {
    "name": "x",
    "title": "X",
    "domain": "clean",
    "architecture": {"family": "f"},
    "licence": "MIT",
    "citation": "c",
    "redistributable": True,
}


@pytest.mark.parametrize(
    "change",
    [
        {"domain": "sunny"},
        {"value_range": 128.0},
        {"licence": None},
        {"homepage": "ftp://example.org/x"},
        {"surprise": 1},
        {"scale": 0},
    ],
    ids=str,
)
def test_malformed_card_is_refused(change: dict[str, Any]) -> None:
    Card.model_validate(GOOD)
    with pytest.raises(ValidationError):
        Card.model_validate(GOOD | change)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "ff704c3"},
        {"sha256": "FF704C30"},
        {"sha256": "0" * 65},
        {"filename": "a/b.pth"},
        {"url": "example.org/b.pth"},
        {"url": None},
        {"drive": "x y", "url": None},
        {"bytes": 0},
    ],
    ids=str,
)
def test_malformed_source_is_refused(change: dict[str, Any]) -> None:
    good = {"url": "https://example.org/b.pth", "filename": "b.pth", "sha256": "ff704c30", "bytes": 3}
    Source.model_validate(good)
    with pytest.raises(ValidationError):
        Source.model_validate(good | change)


def test_a_card_under_another_file_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text((CARDS / "esrgan.toml").read_text())
    monkeypatch.setattr(catalog.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=r"other\.toml holds the card of 'esrgan'"):
        catalog.shipped.__wrapped__()
    (tmp_path / "other.toml").write_text("name = ")
    with pytest.raises(ValueError, match=r"other\.toml"):
        catalog.shipped.__wrapped__()


def test_import_costs_nothing() -> None:
    code = (
        "import sys, srbench.zoo as zoo\n"
        "heavy = {'torch', 'pydantic', 'spandrel', 'PIL', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert isinstance(zoo.card('bicubic'), zoo.Card)\n"
        "assert 'resolve' in dir(zoo)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from srbench import zoo\n"
        "ready = [n for n in zoo.names() if zoo.card(n).packaged or n == 'bicubic']\n"
        "assert len(zoo.missing()) == len(zoo.names()) - len(ready)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        zoo.nothing_here  # noqa: B018


def test_published_files_without_a_whole_sha256_are_named_in_the_documentation() -> None:
    text = " ".join((CARDS.parents[1] / "docs" / "trust.md").read_text().split())
    section = text.split("## Files nobody publishes a sha256 of")[1].split(" ## ")[0]
    models = {s.filename: s.sha256 for name in zoo.names() for s in zoo.card(name).sources}
    sets = {s.filename: s.sha256 for name in datasets.names() for s in datasets.manifest(name).sources}
    unsure = {name for name, sha256 in (models | sets).items() if len(sha256 or "") < 64}
    assert set(re.findall(r"`([^` ]+\.(?:pth|zip))`", section)) == unsure
    assert len(unsure) == 13
