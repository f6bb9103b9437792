"""Entries: one file a model, made of records, complete or partial, and their page."""

from __future__ import annotations

import hashlib
import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from entry_cases import (
    FOLDER,
    MINI,
    MODELS,
    SHA,
    cells,
    check,
    mini_records,
    raw,
    small,
)
from helpers import record

from srbench import zoo
from srbench.attacks import preset, registry
from srbench.attacks.spec import settings_hash
from srbench.attacks.variants import is_former, variants
from srbench.boards.csv_records import read_csv
from srbench.entries import standard
from srbench.entries.board import board, read_folder
from srbench.entries.build import as_text, facts, make_entry
from srbench.entries.schema import Entry, unpack_records
from srbench.entries.standard import ATTACKS, lacking
from srbench.entries.statement import Statement
from srbench.entries.submission import from_records
from srbench.entries.validate import validate


def test_there_is_an_entry_of_every_mini_model() -> None:
    packaged = {name for name in zoo.names() if zoo.card(name).packaged}
    assert set(MODELS) >= {"bicubic", *packaged}


@pytest.mark.parametrize("model", MODELS)
def test_a_committed_entry_is_valid_complete_and_small(model: str) -> None:
    file = FOLDER / f"{model}.json"
    report = validate(file, again=0)
    assert report.problems == []
    assert report.entry is not None and report.entry.partial == []
    assert report.entry.model.name == model
    assert file.stat().st_size < 1_000_000


@pytest.mark.parametrize("model", sorted({r.model for r in read_csv(MINI)} & set(MODELS)))
def test_entries_made_of_committed_records_are_not_stale(model: str) -> None:
    file = FOLDER / f"{model}.json"
    entry = validate(file, again=0).entry
    records = [r for r in mini_records() if r.model == model]
    assert entry is not None and records
    again = make_entry(from_records(model, Statement(), records), records, entry.command)
    assert as_text(again) == file.read_text(encoding="utf-8")


def test_an_entry_is_of_the_latest_edition_of_a_mini_set_that_was_measured() -> None:
    sets = ("ntire-mini", "ntire-mini2", "aim-mini", "aim", "clean-mini2", "set5", "mine")
    stands_for = ["ntire", "ntire", "aim", "aim", None, None, None]
    assert [standard.stands_for(name) for name in sets] == stands_for
    records = [record(dataset=name) for name in sets[:4]]
    assert [r.dataset for r in standard.newest(records)] == ["ntire-mini2", "aim-mini", "aim"]
    assert [r.dataset for r in standard.newest(records[:1])] == ["ntire-mini"]


def test_the_page_of_the_entries_is_not_stale() -> None:
    assert board(read_folder(FOLDER)) == (FOLDER / "README.md").read_text(encoding="utf-8")


def test_an_entry_holds_every_record_as_it_was() -> None:
    mine = [r for r in mini_records() if r.model == "rsr-mini"]
    entry = make_entry(from_records("rsr-mini", Statement(), mine), mine, "")
    order = {(r.dataset, r.attack, r.image): r for r in mine}
    again = unpack_records(Entry.model_validate_json(as_text(entry)))
    assert len(again) == len(order) == 160
    assert all(order[r.dataset, r.attack, r.image] == r for r in again)


def test_means_and_digest_are_what_they_say() -> None:
    entry = raw()
    for attack in ("none", "random", "rsr"):
        for dataset in ("ntire-mini2", "aim-mini2"):
            (cell,) = [c for c in cells(entry, attack) if c["shared"]["dataset"] == dataset]
            for name, mean in entry["means"][dataset][attack].items():
                values = [row["metrics"][name] for row in cell["images"]]
                assert mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    written = json.loads(as_text(small()))
    stated = written.pop("digest")
    text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert stated == hashlib.sha256(text.encode()).hexdigest()


def test_a_partial_entry_passes_and_says_so(tmp_path: Path) -> None:
    report = check(raw(), tmp_path)
    assert report.valid
    assert "partial: ntire-mini2: 2 of 20 images under none, random, rsr" in report.notes
    assert "partial: aim-mini2: 0 of 20 images under strong" in report.notes


def test_what_a_complete_entry_needs() -> None:
    mine = [r for r in mini_records() if r.model == "bicubic"]
    assert lacking(mine) == []
    assert lacking([r for r in mine if r.dataset != "aim-mini2"]) == ["aim was not measured"]
    without = [
        r.model_copy(update={"metrics": {k: v for k, v in r.metrics.items() if k != "niqe"}}) for r in mine
    ]
    assert lacking(without) == ["NIQE was not measured everywhere"]
    for attack in ATTACKS:
        lines = lacking([r for r in mine if r.attack != attack])
        assert lines == [f"{name}: 0 of 20 images under {attack}" for name in ("aim-mini2", "ntire-mini2")]


@pytest.mark.parametrize("name", sorted(registry.presets()))
def test_variants_hold_what_a_preset_is_on_any_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from srbench.attacks import perceptual
    from srbench.errors import Unavailable

    known = {recipe.hash for recipe in variants(name)}
    published = ("vgg19", "lpips-alex", "lpips-squeeze")
    seen = set()
    for installed in ((), *((term,) for term in published), published[:2], published[1:], published):

        def locate(term: str, installed: tuple[str, ...] = installed) -> Path:
            if term not in installed:
                raise Unavailable("not here")
            return Path(term)

        monkeypatch.setattr(perceptual, "locate", locate)
        seen.add(preset(name).hash)
    assert seen <= known
    assert preset(name).hash == variants(name)[0].hash  # with everything installed: as published


def test_a_former_edition_of_a_preset_is_known_and_nothing_else_is() -> None:
    """An attack's edition is part of its settings from the second on: the first strong had none of APGD."""

    def known(settings: dict[str, Any], name: str = "strong") -> bool:
        return is_former(name, settings | {"note": "of no account"}, settings_hash(settings))

    settings = preset("strong").settings()
    parts: list[dict[str, Any]] = settings["parts"]
    assert {part["edition"] for part in parts if part["kind"] == "APGD"} == {2}
    first = settings | {"parts": [{k: v for k, v in part.items() if k != "edition"} for part in parts]}
    assert known(first) and not known(settings) and not known(first, "rsr")
    assert not is_former("strong", first, settings_hash(first | {"seed": 1}))
    later = [part | {"edition": 3} if part["kind"] == "APGD" else part for part in parts]
    assert not known(settings | {"parts": later}) and not known(first | {"edition": 2})
    longer = [
        p | {"options": p["options"] | {"steps": 21}} for p in first["parts"] if "steps" in p["options"]
    ]
    for change in ({"eps": 0.01}, {"seed": 1}, {"norm": "l2"}, {"parts": longer}):
        assert not known(first | change), change


def test_the_page_shows_a_strangers_words_as_words() -> None:
    mine = [r for r in mini_records() if r.model == "bicubic" and r.attack == "none"]
    stranger = [r.model_copy(update={"model": "theirs"}) for r in mine]
    card = facts(zoo.card("bicubic").model_copy(update={"name": "theirs", "title": "<b>|[x](y)"}), "")
    page = board({"theirs.json": make_entry(card, stranger, "")})
    assert r"\<b\>\|\[x\](y)" in page
    with pytest.raises(ValueError, match="name"):
        facts(zoo.card("bicubic").model_copy(update={"name": "a|b"}), "")


def test_other_data_and_attacks_are_other_tables() -> None:
    mine = [r for r in mini_records() if r.model == "bicubic" and r.attack == "none"]
    other = [r.model_copy(update={"model": "other", "dataset_hash": SHA}) for r in mine]
    one = make_entry(from_records("bicubic", Statement(), mine), mine, "")
    two = make_entry(from_records("other", Statement(), other), other, "")
    assert board({"a.json": one, "b.json": two}).count("· protocol rsr") == 2
