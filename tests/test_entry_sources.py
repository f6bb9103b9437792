"""Entries as a source of tables and pages, and what an entry says of its model where the zoo has no card."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from entry_cases import check, mini_records, resealed
from helpers import inside, record

from srbench.boards.site.data import site
from srbench.entries.board import board, read_folder
from srbench.entries.build import make_entry, write_entry
from srbench.entries.read import read_entry
from srbench.entries.schema import Entry, unpack_records
from srbench.entries.sources import read_records
from srbench.entries.statement import Statement, Trial
from srbench.entries.submission import from_records
from srbench.errors import BadInput
from srbench.zoo.catalog import shipped

ENTRIES = Path(__file__).parents[1] / "leaderboards" / "entries"
PAPER, HOME = "https://example.org/paper", "https://example.org/code"


def entry_of(weights: str, folder: Path, paper: str) -> Path:
    own = [
        r.model_copy(update={"model": "mine", "model_title": "Mine", "weights_sha256": weights})
        for r in Trial(2, ("none", "random")).of(mini_records())
        if r.model == "bicubic"
    ]
    facts = from_records("mine", Statement(licence="MIT", paper=paper, homepage=HOME), own)
    file = folder / f"{weights[:4]}.json"
    write_entry(make_entry(facts, own, "srbench submit mine"), file)
    return file


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("rsr", {"none", "rsr"}), ("r*", {"none", "random", "rsr"}), ("none", {"none"})],
)
def test_a_leaderboard_is_of_the_attacks_asked_for_and_the_clean_input(asked: str, shown: set[str]) -> None:
    done = inside("leaderboard", "--records", str(ENTRIES), "--attacks", asked, "--format", "json")
    assert {cell["attack"] for table in json.loads(done.stdout) for cell in table["columns"]} == shown


def test_an_attack_without_records_is_said() -> None:
    done = inside("leaderboard", "--records", str(ENTRIES), "--attacks", "cospgd", "--models", "nobody")
    assert done.returncode == 2
    assert "has no such records" in done.stderr


@pytest.fixture(params=["folder", "file"])
def source(request: pytest.FixtureRequest) -> Path:
    return ENTRIES if request.param == "folder" else ENTRIES / "rsr-mini.json"


def test_entries_are_read_as_their_records(source: Path, tmp_path: Path) -> None:
    found = read_records(source, tmp_path, lambda r: r.dataset == "ntire-mini2")
    files = read_folder(ENTRIES)
    wanted = [file for file in files if source.is_dir() or file == source.name]
    assert found.records == [
        r for name in wanted for r in unpack_records(files[name]) if r.dataset == "ntire-mini2"
    ]
    assert found.records
    assert found.pictures is None


def test_commands_take_a_folder_of_entries() -> None:
    shown = inside("leaderboard", "--records", str(ENTRIES), "--format", "json")
    names = {row["model"] for table in json.loads(shown.stdout) for row in table["rows"]}
    assert names == {file.stem for file in ENTRIES.glob("*.json")}
    said = inside("compare", "rsr-mini", "bicubic", "--records", str(ENTRIES)).stdout
    assert "rsr-mini" in said
    assert "bicubic" in said


def test_the_page_has_what_each_entry_says_and_the_card_where_there_is_one(tmp_path: Path) -> None:
    """Two models of one name are two models: each row leads to its own paper."""
    files = [entry_of(letter * 64, tmp_path, f"{PAPER}/{letter}") for letter in "ab"]
    found = [read_records(file, tmp_path) for file in files]
    told = {key: facts for each in found for key, facts in each.told.items()}
    bicubic = [r for r in mini_records() if r.model == "bicubic"]
    page = site([*found[0].records, *found[1].records, *bicubic], told=told).page
    rows = [row for b in page["boards"] for row in b["rows"]]
    papers = {row["weights"][:1]: page["models"][row["about"]]["paper"] for row in rows}
    assert papers == {"a": f"{PAPER}/a", "b": f"{PAPER}/b", "": shipped()["bicubic"].paper or ""}
    mine = next(row for row in rows if row["weights"].startswith("a"))
    assert page["models"][mine["about"]]["homepage"] == HOME
    assert page["models"][mine["about"]]["licence"] == "MIT"


def test_the_page_of_entries_links_them_where_any_has_an_address(tmp_path: Path) -> None:
    entry_of("a" * 64, tmp_path, f"{PAPER}(2)|")
    entries = {file: e.model_copy(update={"partial": []}) for file, e in _read(tmp_path).items()}
    line = next(line for line in board(entries).splitlines() if "aaaa.json" in line)
    assert f"[paper]({PAPER}%282%29%7C), [project]({HOME})" in line
    bare = {
        file: e.model_copy(update={"model": e.model.model_copy(update={"paper": None, "homepage": None})})
        for file, e in entries.items()
    }
    assert "links" not in board(bare)


def _read(folder: Path) -> dict[str, Entry]:
    found = {file.name: read_entry(file)[0] for file in folder.glob("*.json")}
    return {name: entry for name, entry in found.items() if entry is not None}


def test_an_entry_made_before_papers_is_valid_and_a_wrong_paper_is_not(tmp_path: Path) -> None:
    card = next(c for c in shipped().values() if c.packaged)
    entry = json.loads((ENTRIES / f"{card.name}.json").read_text(encoding="utf-8"))
    entry["model"].pop("paper", None)
    assert check(resealed(entry), tmp_path).valid
    entry["model"]["paper"] = "https://example.org/another"
    assert any("paper differ" in line for line in check(resealed(entry), tmp_path).problems)


@pytest.mark.parametrize("address", ["example.org", "javascript:alert(1)", "ftp://example.org/x"])
@pytest.mark.parametrize("option", ["--paper", "--homepage"])
def test_an_address_is_one_a_browser_may_follow(option: str, address: str, tmp_path: Path) -> None:
    from srbench.boards.frame import frame

    own = [r for r in mini_records() if r.model == "bicubic"][:2]
    mine = [r.model_copy(update={"model": "mine"}) for r in own]
    frame(mine).to_csv(tmp_path / "records.csv", index=False)
    failed = inside(
        "submit",
        "mine",
        "--records",
        str(tmp_path / "records.csv"),
        option,
        address,
        "--out",
        str(tmp_path / "e.json"),
    )
    assert failed.returncode == 2
    assert option in failed.stderr
    assert address in failed.stderr
    assert not (tmp_path / "e.json").exists()


def test_what_is_no_source_is_said(tmp_path: Path) -> None:
    damaged = json.loads((ENTRIES / "bicubic.json").read_text(encoding="utf-8"))
    damaged["command"] = "another"
    (tmp_path / "damaged.json").write_text(json.dumps(damaged), encoding="utf-8")
    with pytest.raises(BadInput, match="digest"):
        read_records(tmp_path / "damaged.json", tmp_path)
    with pytest.raises(BadInput, match="not an entry"):
        read_records(_file(tmp_path / "other.json", "{}"), tmp_path)
    with pytest.raises(BadInput, match="holds no entries"):
        read_records(_folder(tmp_path / "empty"), tmp_path)
    with pytest.raises(BadInput, match="no such records"):
        read_records(ENTRIES, tmp_path, lambda r: False)
    with pytest.raises(BadInput, match=r"records\.csv"):
        read_records(tmp_path / "missing.csv", tmp_path)
    with pytest.raises(BadInput, match="not a record"):
        read_records(_file(tmp_path / "text.csv", "no table\n1\n"), tmp_path)


def test_a_table_through_a_pipe_is_read(tmp_path: Path) -> None:
    """Looking at what a pipe holds would take it away."""
    from threading import Thread

    from srbench.boards.frame import frame

    text, pipe = frame([record()]).to_csv(index=False), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=lambda: pipe.write_text(text), daemon=True)
    writer.start()
    assert read_records(pipe, tmp_path).records == [record()]
    writer.join(10)


def _file(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def _folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_an_entry_is_made_again_of_one(tmp_path: Path) -> None:
    out = tmp_path / "again.json"
    done = inside("submit", "bicubic", "--records", str(ENTRIES / "bicubic.json"), "--out", str(out))
    assert done.returncode == 0, done.stderr
    again, before = read_entry(out)[0], read_entry(ENTRIES / "bicubic.json")[0]
    assert again is not None and before is not None
    assert (again.model, again.means, again.cells) == (before.model, before.means, before.cells)
