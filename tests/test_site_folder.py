"""The folder the page is written to, where its records come from, and the commands."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from helpers import inside, record
from site_pages import synthetic

from srbench.boards.csv_records import read_csv
from srbench.boards.frame import frame
from srbench.boards.site.build import build_page, read_records
from srbench.errors import BadInput
from srbench.store.record import Record

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "srbench" / "boards" / "site" / "assets"
SETS = [("one", "clean", "a" * 64), ("two", "ntire", "b" * 64)]
OUTSIDE = re.compile(r"https?:|//[a-z]|@import|url\(|innerHTML|insertAdjacentHTML|fetch\(")
IMAGES = ["i0", "i1", "i2", "i3"]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(synthetic(SETS, IMAGES))


def test_records_csv_gives_the_records_back(tmp_path: Path, records: list[Record]) -> None:
    noted = record(
        image="b", metrics={"psnr": 1 / 3, "lpips": None}, notes={"lpips": "too small; see docs"}, tile=64
    )
    saved = record(attack="rsr", attack_hash="x", attack_settings={"eps": 0.1},
                   effect={"lr_psnr": 30.0, "sr_psnr": 1.0, "lr_max": 2.0},
                   saved={"psnr": 19.5}, flags={"inside": "a: b; c"}, image="c", commit="abc")  # fmt: skip
    originals = [*records[:30], noted, saved]
    frame(originals).to_csv(tmp_path / "records.csv", index=False)
    assert read_csv(tmp_path / "records.csv") == originals


@pytest.mark.parametrize("name", ["attacked-mini2", "mini1", "real", "classical"])
def test_committed_records_make_a_page(tmp_path: Path, name: str) -> None:
    file = ROOT / "leaderboards" / name / "records.csv"
    found, pictures = read_records(file, tmp_path)
    assert len(found) == len(file.read_text(encoding="utf-8").splitlines()) - 1
    assert pictures is None
    build_page(tmp_path / "page", found)
    assert (tmp_path / "page" / "data" / "b0-c0.js").is_file()


def test_the_folder_is_small_whole_and_refers_to_nothing_outside(
    tmp_path: Path, records: list[Record]
) -> None:
    hostile = record(
        model="<img src=http://e.vil/x onerror=alert(1)>", model_title="</script><script>alert(1)</script>"
    )
    build_page(tmp_path / "page", [*records, hostile])
    files = [file for file in (tmp_path / "page").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 5_000_000
    assert max(file.stat().st_size for file in files) < 1_500_000
    own = [
        f for f in files if f.suffix in (".js", ".css", ".html") and f.parent.name not in ("vendor", "data")
    ]
    assert len(own) >= 12
    for file in own:
        text = file.read_text(encoding="utf-8")
        assert not OUTSIDE.search(text.replace("file://", "")), file
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    for reference in re.findall(r'(?:src|href)="([^"#:]+)"', page):
        assert (tmp_path / "page" / reference).is_file(), reference
    assert "alert(1)" not in page


def test_vendored_files_are_what_they_say() -> None:
    listed = (ASSETS / "vendor" / "VENDORED.md").read_text(encoding="utf-8")
    sums = dict(re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", listed, flags=re.MULTILINE))
    files = [file for file in (ASSETS / "vendor").iterdir() if file.name != "VENDORED.md"]
    assert {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files} == sums


def test_a_page_replaces_a_page_and_nothing_else(tmp_path: Path, records: list[Record]) -> None:
    build_page(tmp_path / "page", records)
    (tmp_path / "page" / "data" / "stale.js").touch()
    build_page(tmp_path / "page", records[:10])
    assert not (tmp_path / "page" / "data" / "stale.js").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(BadInput, match="no page of srbench"):
        build_page(tmp_path / "mine", records)
    assert (tmp_path / "mine" / "thesis.tex").is_file()
    with pytest.raises(BadInput, match="no records"):
        build_page(tmp_path / "empty", [])


def test_a_broken_file_of_reported_numbers_is_named(tmp_path: Path, records: list[Record]) -> None:
    row = {"method": "Bicubic", "psnr": [1.0]}
    for content, reason in (
        ("[1", "Invalid JSON"),
        ("[]", "no JSON object"),
        ("[" * 10_000, "Invalid JSON"),
        ({"url": "javascript:alert(1)"}, "'javascript:alert(1)' is not an http"),
        ({"url": "JaVaScRiPt:alert(1)"}, "is not an http"),
        ({"url": "data:text/html,x"}, "is not an http"),
        ({"url": " http://a.example"}, "is not an http"),
        ({"url": 3}, "url: "),
        ({"paper": ["x"]}, "paper: "),
        ({"t": {"columns": ["one", "two"], "rows": [row]}}, "psnr of Bicubic is no list with a number for"),
        ({"t": {"columns": ["one"], "rows": [row | {"psnr": 3}]}}, "psnr of Bicubic is no list"),
        ({"t": {"columns": ["one"], "rows": [row | {"psnr": ["x"]}]}}, "numbers.0.value: "),
        ({"t": {"columns": ["one"], "rows": "x"}}, "rows is no list"),
        ({"t": {"rows": [row]}}, "psnr of Bicubic is no list"),
    ):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "numbers.json").write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=rf"numbers\.json is not .*{re.escape(reason)}"):
            build_page(tmp_path / "page", records, reported=tmp_path / "numbers.json")
    with pytest.raises(BadInput, match=r"none\.csv"):
        read_records(tmp_path / "none.csv", tmp_path)


def test_the_command_line_writes_the_page(tmp_path: Path) -> None:
    file = ROOT / "leaderboards" / "attacked-mini2" / "records.csv"
    done = inside(
        "leaderboard", "--records", str(file), "--models", "bicubic,*psnr-mini", "--html", str(tmp_path / "p")
    )
    assert done.returncode == 0, done.stderr
    assert "shows 320 records" in done.stderr
    assert done.stdout == ""
    refused = inside(
        "leaderboard", "--records", str(file), "--models", "nothing", "--html", str(tmp_path / "q")
    )
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
