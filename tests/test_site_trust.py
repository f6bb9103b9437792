"""The page in a browser: what it may load, who may read it, and hostile names."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from page_visits import Open, models, until, visiting
from site_pages import store_with_pictures

from srbench.boards.site import serve
from srbench.boards.site.build import build_page, read_store
from srbench.store.record import Record


def test_the_page_works_as_it_is_served(small_page: Path, browser: Any) -> None:
    """Under the content security policy: tables, records, curves and pictures."""
    with visiting(browser, served=True) as visit:
        page = visit(small_page)
        page.locator(".tabulator-col", has_text="Model").locator("button.sort").click()
        assert models(page) == ["bicubic", "blind-net", "clean-net"]
        page.select_option("#matrix-by", "model")
        assert page.locator("#matrix-table .heat").count() > 0
        page.locator("#robustness canvas").first.wait_for()
        page.locator(".panes").scroll_into_view_if_needed()
        until(page, "[...document.querySelectorAll('.pane img')].every((i) => i.complete && i.naturalWidth)")
        page.locator(".tabulator-row a.num").first.click()
        page.locator("dialog#record[open] dl").wait_for()


def test_a_page_from_elsewhere_cannot_read_the_data(small_page: Path, browser: Any, tmp_path: Path) -> None:
    """The data are scripts, and a script may be loaded from anywhere unless the server says no."""
    with serve.serving(small_page) as (address, _):
        (tmp_path / "index.html").write_text(
            f"<script src='{address}data/site.js'></script><img src='{address}images/x.png'>"
        )
        with serve.serving(tmp_path) as (other, _):
            page = browser.new_page(bypass_csp=True)
            # Another port is another origin, and the same site; another name is another site.
            page.goto(other.replace("127.0.0.1", "localhost"))
            assert page.evaluate("typeof window.srbenchData") == "undefined"
            page.goto(address)
            assert page.evaluate("typeof window.srbenchData") == "object"
            page.close()


HOSTILE = "<script>alert(1)</script><img src=x onerror=document.title='taken'>"


def test_hostile_names_are_only_text(tmp_path: Path, visit: Open) -> None:
    bad = {"model": HOSTILE, "model_title": HOSTILE, "dataset_domain": HOSTILE}

    def renamed(found: Record) -> Record:
        where = {"dataset": HOSTILE, "image": HOSTILE + found.image} if found.dataset == "other" else {}
        return found.model_copy(update=where | (bad if found.model == "clean-net" else {}))

    store, spec = store_with_pictures(tmp_path, renamed)
    records, pictures = read_store(store)
    build_page(tmp_path / "page", records, pictures=pictures, data=[spec])
    page = visit(tmp_path / "page")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.locator(".panes").wait_for()
    page.select_option("#matrix-by", "model")
    page.locator("#robustness").scroll_into_view_if_needed()
    page.locator("#robustness summary").first.click()
    places = {
        "heading": ".tabulator-col-title",
        "data sets": "#set option",
        "ranking": ".tabulator-row .model b",
        "matrix": "#matrix-table tbody th",
        "curves": "#curve-models label",
        "numbers": "#robustness details[open] tbody th",
        "explorer": ".pane figcaption > b",
        "slider": "#slider-right option",
        "columns": "#columns label",
        "cost": ".drawing title",
        "compared": "#compare-left option",
        "worst images": "#worst-body tbody th",
    }
    page.select_option("#worst-set", label=HOSTILE)
    page.select_option("#compare-set", label=HOSTILE)
    until(page, f"document.querySelector('#worst-body th[scope=row]')?.textContent.startsWith({HOSTILE!r})")
    until(page, "document.querySelector('#compare-body code')?.textContent.includes('<script>')")
    assert HOSTILE in shlex.split(page.inner_text("#compare-body code"))
    for where, selector in places.items():
        texts = page.locator(selector).all_text_contents()
        assert any(HOSTILE in text for text in texts), where
    page.locator(".tabulator-row", has_text="<script>").locator("a.num").first.click()
    dialog = page.locator("dialog#record[open] dl")
    dialog.wait_for()
    assert HOSTILE in page.inner_text("#record-title")
    page.keyboard.press("Escape")
    page.locator(".tabulator-row a.num.out-of-domain").last.click()
    page.locator("dialog#record summary", has_text="images, worst").click()
    assert HOSTILE in page.locator("dialog#record tbody th").last.inner_text()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("[...document.scripts].every((s) => s.src && !s.text)")
    assert page.title() == "srbench leaderboard"
    assert dialogs == []
