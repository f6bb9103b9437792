"""Views of the page that are shared, downloaded and gone back through, in a real browser."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pytest
from page_visits import Open, models, until
from site_pages import synthetic, write_store

from srbench import zoo
from srbench.boards.site.build import build_page, read_store

pytestmark = pytest.mark.slow

SETS = [("one", "clean", "a" * 64), ("two, or more", "ntire", "b" * 64)]
IMAGES = ["i0", "i1", "i2", "i3"]
FORMULA = '=HYPERLINK("x","y")'


@pytest.fixture(scope="module")
def page_of_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models on two sets, attacked; one has a title that a spreadsheet would run, a rank it shares, and
    a mean over fewer images."""
    folder = tmp_path_factory.mktemp("views") / "page"
    records = [
        r.model_copy(update={"model_title": FORMULA}) if r.model == "blind-net" else r
        for r in synthetic(SETS, IMAGES)
    ]
    build_page(folder, records)
    return folder


def columns(tab: Any) -> list[str]:
    return [text.strip() for text in tab.locator(".tabulator-col-title").all_inner_texts()]


def test_an_address_holds_the_whole_view(page_of_three: Path, visit: Open) -> None:
    tab = visit(page_of_three)
    tab.select_option("#attack", label="rsr@4")
    tab.select_option("#metric", "psnr")
    tab.select_option("#size", "unknown")
    tab.fill("#search", "net")
    tab.locator(".tabulator-col", has_text="Model").locator("button.sort").click()
    tab.locator(".tabulator-col", has_text="Model").locator("button.sort").click()
    tab.locator("#columns summary").click()
    tab.locator("#columns").get_by_label("Trained for").uncheck()
    tab.locator("#columns").get_by_label("two, or more").uncheck()
    seen = models(tab), columns(tab), tab.inner_text("#ranking-status")
    assert seen[0] == ["clean-net", "blind-net"]
    assert "Trained for" not in seen[1]
    assert "PSNR" in seen[2]
    assert "rsr@4" in seen[2]
    other = visit(page_of_three, tab.evaluate("location.search"))
    assert (models(other), columns(other), other.inner_text("#ranking-status")) == seen
    assert other.input_value("#search") == "net"
    assert other.input_value("#size") == "unknown"
    # The record of a number is opened and closed within the view.
    other.locator("a.num").first.click()
    other.locator("dialog#record[open] dl").wait_for()
    other.keyboard.press("Escape")
    other.locator("dialog#record").wait_for(state="hidden")
    assert (models(other), columns(other), other.inner_text("#ranking-status")) == seen


def test_back_and_forward_go_through_views(page_of_three: Path, visit: Open) -> None:
    tab = visit(page_of_three)
    plain = tab.url
    first = tab.inner_text("#ranking-status")
    tab.select_option("#metric", "psnr")
    second = tab.inner_text("#ranking-status")
    tab.select_option("#trained", "blind")
    assert models(tab) == ["blind-net"]
    tab.go_back()
    until(tab, "document.querySelectorAll('.tabulator-row').length === 3")
    assert tab.inner_text("#ranking-status") == second
    assert tab.input_value("#trained") == ""
    tab.go_back()
    until(tab, f"document.querySelector('#ranking-status').textContent === {first!r}")
    assert tab.url == plain
    tab.go_forward()
    tab.go_forward()
    until(tab, "document.querySelectorAll('.tabulator-row').length === 1")
    assert models(tab) == ["blind-net"]
    assert tab.input_value("#metric") == "psnr"


@pytest.mark.parametrize(
    "query",
    [
        "?metric=__proto__&attack=constructor&set=99&size=-1&sort=__proto__&hide=label&board=1",
        "?metric=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D1%3E&sort=-%3Cb%3E&hide=%3Cb%3E&trained=%3Cb%3E",
        "?sort=%E0%A4%A&metric=%&metric=psnr&" + "hide=x&" * 300,
    ],
)
def test_what_an_address_cannot_mean_is_ignored(page_of_three: Path, visit: Open, query: str) -> None:
    plain, tab = visit(page_of_three), visit(page_of_three, query)
    assert (models(tab), columns(tab)) == (models(plain), columns(plain))
    assert tab.inner_text("#ranking-status") == plain.inner_text("#ranking-status")
    assert tab.locator("main img, main b:has(b)").count() == 0
    hostile = visit(
        page_of_three, "?name=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D1%3E&attack=rsr", wait="main"
    )
    assert models(hostile) == []
    assert hostile.input_value("#search").startswith("<img")
    assert hostile.title() == "srbench leaderboard"


def test_the_download_is_what_is_shown(page_of_three: Path, visit: Open, tmp_path: Path) -> None:
    tab = visit(page_of_three, "?attack=rsr&sort=-label&hide=trained")
    with tab.expect_download() as started:
        tab.click("#download")
    assert started.value.suggested_filename == "srbench-LPIPS-rsr.csv"
    started.value.save_as(tmp_path / "ranking.csv")
    raw = (tmp_path / "ranking.csv").read_bytes()
    assert raw.count(b"\r\n") == 4
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    with (tmp_path / "ranking.csv").open(encoding="utf-8-sig", newline="") as file:
        heads, *rows = csv.reader(file, strict=True)
    assert [head for head in heads if head in columns(tab)] == columns(tab)
    assert "Trained for" not in heads
    table = [dict(zip(heads, row, strict=True)) for row in rows]
    assert [row["Model name"] for row in table] == models(tab) == ["clean-net", "blind-net", "bicubic"]
    assert table[1]["Model"] == f"'{FORMULA}"
    shown = tab.locator(".tabulator-row .average .value").all_inner_texts()
    assert [float(row["LPIPS ↓ mean"]) for row in table] == [float(text) for text in shown]
    low, high = tab.locator(".tabulator-row .average .interval").first.inner_text().split(" – ")
    assert float(table[0]["LPIPS ↓ mean 95 % low"]) == float(low)
    assert float(table[0]["LPIPS ↓ mean 95 % high"]) == float(high)
    assert table[0]["two, or more failed checks"] == "4"
    assert table[2]["two, or more failed checks"] == table[2]["Gap"] == ""
    # A negative number is a number, which nothing was put before.
    assert float(table[0]["Gap"]) == pytest.approx(
        float(tab.locator(".tabulator-row").first.locator('[tabulator-field="gap"]').inner_text())
    )
    tab.select_option("#trained", "blind")
    tab.locator("#columns summary").click()
    tab.locator("#columns").get_by_label("Rank").uncheck()
    with tab.expect_download() as started:
        tab.click("#download")
    with Path(started.value.path()).open(encoding="utf-8-sig", newline="") as file:
        heads, *rows = csv.reader(file, strict=True)
    assert heads[:2] == ["Model", "Model name"]
    assert [row[1] for row in rows] == ["blind-net"]


def test_the_matrix_is_in_the_address_too(page_of_three: Path, visit: Open) -> None:
    tab = visit(page_of_three)
    tab.select_option("#matrix-by", "model")
    tab.select_option("#matrix-metric", "psnr")
    tab.select_option("#matrix-attack", label="jpeg:2")
    other = visit(page_of_three, tab.evaluate("location.search"))
    assert other.inner_text("#matrix-table") == tab.inner_text("#matrix-table")
    assert "PSNR ↑, jpeg:2" in other.inner_text("#matrix-note")
    assert other.inner_text("#ranking-status") == visit(page_of_three).inner_text("#ranking-status")


def test_rows_link_to_what_their_cards_name_and_to_nothing_else(tmp_path: Path, visit: Open) -> None:
    records = list(synthetic(SETS, IMAGES, clean=True))
    dat = [r.model_copy(update={"model": "dat"}) for r in records if r.model == "clean-net"]
    build_page(tmp_path / "page", [*records, *dat])
    card = zoo.card("dat")
    tab = visit(tmp_path / "page")
    links = "found => found.map(a => [a.textContent, a.href, a.rel, a.getAttribute('aria-label')])"
    row = tab.locator(".tabulator-row").filter(has=tab.locator("code", has_text="dat"))
    assert row.locator(".links a").evaluate_all(links) == [
        ["paper", card.paper, "noreferrer", "paper of Clean Net"],
        ["project", card.homepage, "noreferrer", "project of Clean Net"],
    ]
    assert tab.locator(".tabulator-row", has_text="blind-net").locator(".links").count() == 0
    # A page may be made of anything: an address that would run is no link.
    data = tmp_path / "page" / "data" / "site.js"
    text = data.read_text(encoding="utf-8")
    assert str(card.paper) in text
    data.write_text(text.replace(str(card.paper), "javascript:alert(1)"), encoding="utf-8")
    tab = visit(tmp_path / "page")
    assert row.count() == 1
    row = tab.locator(".tabulator-row").filter(has=tab.locator("code", has_text="dat"))
    kinds = "found => found.every(a => ['https:', location.protocol].includes(a.protocol))"
    assert row.locator("a").evaluate_all(kinds)
    assert row.locator(".links a").all_inner_texts() == ["project"]


def test_fifty_models_on_ten_sets(tmp_path: Path, visit: Open) -> None:
    sets = [(f"set-{i}", ("clean", "ntire", "aim")[i % 3], f"{i:064x}") for i in range(10)]
    images = [f"img-{i:03}" for i in range(100)]
    clean = list(synthetic(sets, images, models=50, clean=True))
    assert len(clean) == 50_000
    write_store(tmp_path / "store", clean)
    # Processor time: what the command costs, whatever else this machine is doing.
    started = time.process_time()
    records, _ = read_store(tmp_path / "store")
    build_page(tmp_path / "page", records)
    assert time.process_time() - started < 30
    files = [f for f in (tmp_path / "page").rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 5_000_000
    assert max(f.stat().st_size for f in files) < 1_500_000
    # The quickest of a few, since other tests may have the processor.
    pages = [visit(tmp_path / "page") for _ in range(3)]
    page = pages[0]
    assert page.locator(".tabulator-row").count() == 50
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert min(page.evaluate(paint) for page in pages) < 1000
    sort = """async () => {
      const start = performance.now();
      document.querySelectorAll("button.sort")[2].click();
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return performance.now() - start;
    }"""
    assert min(page.evaluate(sort) for _ in range(5)) < 300
    assert page.locator('.tabulator-col[aria-sort="ascending"]').count() == 1
