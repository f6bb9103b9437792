"""The page on paper and as one picture: all of it is drawn and nothing is cut; long names widen nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_visits import Open, models, until
from PIL import Image
from site_pages import store_with_pictures

from srbench.boards.site.build import build_page, read_store
from srbench.store.record import Record

pytestmark = pytest.mark.slow

SHEET = 703
"""The width of A4 less its margins, in CSS pixels."""
LONG = "Super-Resolution" * 9
DRAWN = "document.querySelectorAll('canvas').length === 4 && Object.keys(Chart.instances).length === 4"
BEYOND = """(width) => [...document.querySelectorAll('body *')].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width && box.right > width + 1 && e.checkVisibility({visibilityProperty: true})
    && !e.closest('.unseen, dialog:not([open])');
}).map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)"""

OUTSIDE_SCROLLERS = BEYOND.replace("!e.closest('", "!e.closest('.tabulator, .scroll, .strip, .sections, ")


@pytest.fixture(scope="module", params=["short", "long"])
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, attacked, with pictures and costs; one has a name that no line has room for."""

    def renamed(found: Record) -> Record:
        found = found.model_copy(update={"cost": {"parameters": 1e6 * len(found.model)}})
        if request.param == "short" or found.model != "clean-net":
            return found
        return found.model_copy(update={"model": f"n-{LONG}", "model_title": LONG})

    folder, spec = store_with_pictures(tmp_path_factory.mktemp("printed"), renamed)
    records, pictures = read_store(folder)
    build_page(folder.parent / "page", records, pictures=pictures, data=[spec])
    return folder.parent / "page"


def test_everything_is_drawn_without_scrolling(pages: Path, visit: Open, tmp_path: Path) -> None:
    tab = visit(pages)
    until(tab, DRAWN)
    until(tab, "[...document.images].every((i) => i.complete && i.naturalWidth)")
    until(tab, "document.querySelectorAll('#compare-body tbody tr, #worst-body tbody tr').length === 6")
    assert tab.evaluate("scrollY") == 0
    tab.screenshot(path=tmp_path / "whole.png", full_page=True)
    with Image.open(tmp_path / "whole.png") as whole:
        assert whole.height == tab.evaluate("document.documentElement.scrollHeight")
    assert tab.evaluate(OUTSIDE_SCROLLERS, 1360) == []


def test_paper_has_all_of_it_in_light_colours(pages: Path, visit: Open) -> None:
    tab = visit(pages, "?sort=-label", color_scheme="dark")
    tab.set_viewport_size({"width": SHEET, "height": 1000})
    tab.emulate_media(media="print", color_scheme="dark")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    until(tab, DRAWN)
    assert tab.evaluate(BEYOND, SHEET) == []
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(27, 35, 48)"
    shown = tab.locator(".sheet tbody tr .model code").all_inner_texts()
    assert shown == models(tab)
    assert len(shown) == 3
    heads = tab.locator(".sheet th").all_inner_texts()
    assert len(heads) == tab.locator(".tabulator-col").count()
    numbers = tab.locator(".sheet .average .value").all_inner_texts()
    assert numbers == tab.locator(".tabulator-row .average .value").all_text_contents()
    clipped = """[...document.querySelectorAll('.scroll, .tall, #ranking-sheet')]
      .filter((e) => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1).length"""
    assert tab.evaluate(clipped) == 0
    tab.emulate_media(media="screen", color_scheme="dark")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator(".sheet").count() == 0
    assert tab.get_attribute("html", "data-theme") == "dark"


def test_a_browser_prints_it(pages: Path, visit: Open, tmp_path: Path) -> None:
    tab = visit(pages)
    tab.evaluate(
        """addEventListener('beforeprint', () => {
             window.rows = document.querySelectorAll('.sheet tr').length; })"""
    )
    tab.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert tab.evaluate("window.rows") == 4


def test_long_names_do_not_widen_a_phone(pages: Path, visit: Open) -> None:
    tab = visit(pages, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    tab.locator(".panes").wait_for()
    until(tab, "document.querySelectorAll('#compare-body tbody tr, #worst-body tbody tr').length === 6")
    tab.locator("#matrix-by").select_option("model")
    for summary in tab.locator("main summary").all():
        if summary.is_visible():
            summary.evaluate("s => { s.parentElement.open = true; }")
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.evaluate(OUTSIDE_SCROLLERS, 390) == []
    tab.locator("a.num").first.evaluate("link => link.click()")
    tab.locator("dialog#record[open] dl").wait_for()
    assert tab.evaluate("(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))")
