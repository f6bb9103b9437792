"""The page in a real browser: Debian's Chromium, driven by playwright, on files and with no network."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import DESK, missing
from page_visits import Open, models, until, visiting
from PIL import Image
from screenshot import BOARDS, screenshot
from site_pages import store_with_pictures, synthetic

from srbench.boards.site import serve
from srbench.boards.site.build import build_page, read_store
from srbench.store.record import Record

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of three models on two sets, attacked and corrupted, with pictures of one set."""
    folder = tmp_path_factory.mktemp("small")
    store, spec = store_with_pictures(folder)
    records, pictures = read_store(store)
    build_page(folder / "page", records, pictures=pictures, data=[spec])
    return folder / "page"


@pytest.fixture(params=["opened", pytest.param("served", marks=pytest.mark.thorough)])
def visit(request: pytest.FixtureRequest, browser: Any) -> Iterator[Open]:
    """Opens a page, from the disk or served; at the end no error may have been on the console (what the
    content security policy forbids is one) and no request may have left the page."""
    with visiting(browser, served=request.param == "served") as open_page:
        yield open_page


def test_sorting_by_a_click(small: Path, visit: Open) -> None:
    page = visit(small)
    assert models(page) == ["blind-net", "clean-net", "bicubic"]
    heading = page.locator(".tabulator-col", has_text="Model").locator("button.sort")
    heading.click()
    assert models(page) == ["bicubic", "blind-net", "clean-net"]
    heading.click()
    assert models(page) == ["clean-net", "blind-net", "bicubic"]
    assert page.locator('.tabulator-col[aria-sort="descending"]').inner_text().strip() == "Model"


@pytest.mark.slow
@pytest.mark.parametrize("visit", ["served"], indirect=True)
def test_a_served_page_is_one_that_was_opened(small: Path, visit: Open) -> None:
    """One thing of all that is tried of pages from the disk; the others, served, are thorough."""
    test_sorting_by_a_click(small, visit)


def test_filters_and_views(small: Path, visit: Open) -> None:
    page = visit(small)
    page.select_option("#trained", "blind")
    assert models(page) == ["blind-net"]
    assert "1 of 3 models" in page.inner_text("#ranking-status")
    page.select_option("#trained", "")
    page.fill("#search", "CLEAN")
    assert models(page) == ["clean-net"]
    page.fill("#search", "nobody")
    assert models(page) == []
    assert "No model fits" in page.inner_text("#ranking-table")
    page.fill("#search", "")
    page.select_option("#licence", "unknown")
    assert models(page) == ["blind-net", "clean-net"]
    page.select_option("#licence", "")
    page.select_option("#size", "1e6")
    assert models(page) == ["bicubic"]
    page.select_option("#size", "")
    clean = page.locator(".average .value").first.inner_text()
    page.select_option("#attack", label="rsr")
    assert float(page.locator(".average .value").first.inner_text()) > float(clean)
    assert page.locator("a.num .flag").count() == 3  # the flagged row: two sets and the worst
    page.select_option("#metric", "psnr")
    assert "PSNR" in page.inner_text("#ranking-status")
    page.select_option("#set", label="other")
    assert page.locator("a.average").count() == 3


def test_ranks_have_their_interval_and_say_what_it_means(tmp_path: Path, visit: Open) -> None:
    sets = [("one", "clean", "a" * 64)]
    images = [f"i{i}" for i in range(8)]
    records = list(synthetic(sets, images, clean=True))
    twin = [
        r.model_copy(update={"model": "twin", "model_title": "Blind Net", "weights_sha256": "9" * 64})
        for r in records
        if r.model == "blind-net"
    ]
    build_page(tmp_path / "page", [*records, *twin])
    page = visit(tmp_path / "page")
    ranks = page.locator(".tabulator-row .rank").all_inner_texts()
    assert [rank.split() for rank in ranks] == [["1", "1–2"], ["1", "1–2"], ["3"], ["4"]]
    assert "paired difference" in page.inner_text("#rank-meaning")
    page.select_option("#matrix-by", "model")
    names = page.locator("#matrix-table tbody th").all_text_contents()
    assert {"Blind Net (blind-net)", "Blind Net (twin)"} <= set(names)
    page.select_option("#trained", "clean")
    assert models(page) == ["clean-net"]


def test_cost_columns_sort_and_filter(tmp_path: Path, visit: Open) -> None:
    counted = {"clean-net": 5e6, "blind-net": 2e5}
    records = [
        r.model_copy(
            update={"cost": {"parameters": n, "macs_per_lr_pixel": 2 * n, "peak_mib": n / 1e5}}
            if (n := counted.get(r.model))
            else {}
        )
        for r in synthetic([("one", "clean", "a" * 64)], ["i0", "i1"], clean=True)
    ]
    build_page(tmp_path / "page", records)
    page = visit(tmp_path / "page", viewport={"width": 1700, "height": 900})
    headings = page.locator(".tabulator-col-title").all_inner_texts()
    assert headings[-4:] == ["Params", "MAC / LR px", "Time", "Memory"]
    row = page.locator(".tabulator-row", has_text="clean-net").locator(".tabulator-cell").all_inner_texts()
    assert row[-4:] == ["5.00 M", "10.0 M", "0.10 s", "50.0 MiB"]
    page.locator(".tabulator-col", has_text="MAC / LR px").locator("button.sort").click()
    assert models(page) == ["blind-net", "clean-net", "bicubic"]
    page.select_option("#size", "1e6")
    assert models(page) == ["blind-net", "bicubic"]


def test_marks_need_no_colour(small: Path, visit: Open) -> None:
    page = visit(small)
    row = page.locator(".tabulator-row", has_text="clean-net")
    assert row.locator("a.num.in-domain .mark").all_text_contents() == ["●"]
    assert set(row.locator("a.num.out-of-domain .mark").all_text_contents()) == {"○"}
    generalist = page.locator(".tabulator-row", has_text="blind-net").locator("a.num .mark")
    assert set(generalist.all_text_contents()) == {"◆"}


def test_every_number_opens_its_record(small: Path, visit: Open) -> None:
    page = visit(small)
    page.select_option("#attack", label="rsr")
    page.locator(".tabulator-row", has_text="clean-net").locator("a.num").first.click()
    dialog = page.locator("dialog#record")
    dialog.wait_for()
    text = dialog.inner_text()
    for expected in (
        "1".zfill(64),
        "p" * 64,
        "rsr-hash",
        "srbench 0",
        "--attacks rsr",
        "Failed strength checks",
    ):
        assert expected in text, expected
    assert page.url.endswith("lpips")
    dialog.locator("summary", has_text="images, worst").click()
    column = dialog.locator("details[open] tbody tr td:nth-child(4)").all_text_contents()
    assert column == sorted(column, reverse=True)
    assert len(column) == 3
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    until(page, "!location.hash.includes('record')")
    shared = visit(small, "#record/0/0/0/psnr")
    shared.locator("dialog#record dl").wait_for()
    links = shared.locator("#matrix-table a, .tabulator-row a:not(.links a)").evaluate_all(
        "found => found.map(a => a.hash)"
    )
    assert len(links) > 10
    assert all(re.fullmatch(r"#record/\d+/\d+/\d+/\w+", link) for link in links)


def test_matrix_has_every_pair_of_domains(small: Path, visit: Open) -> None:
    page = visit(small)
    cells = page.locator("#matrix-table td").all_text_contents()
    assert len(cells) == 3 * 2
    assert sum("●" in cell for cell in cells) == 1
    page.select_option("#matrix-by", "model")
    assert page.locator("#matrix-table tbody th").all_text_contents() == ["Blind Net", "Clean Net", "Bicubic"]


def test_curves_have_acceptance_excellence_and_noise(small: Path, visit: Open) -> None:
    page = visit(small)
    page.locator("#robustness").scroll_into_view_if_needed()
    until(page, "Object.keys(Chart.instances).length >= 2")
    first = page.evaluate(
        """() => Object.values(Chart.instances).find((c) => c.options.scales.y.title.text.startsWith("LPIPS"))
        .data.datasets.map((d) => [d.label, d.data.map((p) => p.x)])"""
    )
    labels = dict(first)
    assert labels["clean-net"] == [0, 4, 14]
    assert labels["random noise, clean-net"] == [0, 4, 14]
    assert labels["acceptance: bicubic"] == [0, 4, 14]
    assert labels["excellence: blind-net"] == [0, 4, 14]
    headings = page.locator("#robustness figcaption").all_text_contents()
    assert headings == ["rsr: LPIPS ↓", "rsr: PSNR ↑", "jpeg: LPIPS ↓", "jpeg: PSNR ↑"]
    page.uncheck('#curve-models input[value="1"]')
    until(
        page,
        "Object.values(Chart.instances).every((c) => c.data.datasets.every((d) => d.label !== 'clean-net'))",
    )
    page.locator("#robustness summary", has_text="Numbers: jpeg").click()
    assert page.locator("#robustness details[open] thead th").all_text_contents()[2:] == [
        "clean",
        "severity 1",
        "severity 2",
    ]
    page.locator("#robustness summary", has_text="Area: rsr, eps 0 to 14, 2 data sets").click()
    rows = page.locator("#robustness details.areas[open] tbody tr").all_inner_texts()
    cells = {row.split("\t")[0]: row.split("\t")[1:] for row in rows}
    assert cells.keys() == {"bicubic", "clean-net", "blind-net"}
    assert cells["bicubic"][2:4] == ["1.000", "1.000 to 1.000"]
    assert float(cells["blind-net"][2]) < float(cells["clean-net"][2]) < 1


def test_explorer_shows_the_same_crop_of_everything(small: Path, visit: Open) -> None:
    page = visit(small)
    page.locator(".panes").wait_for()
    names = page.locator(".pane figcaption > b").all_inner_texts()
    assert names == ["LR", "Bicubic", "Blind Net ◆", "Clean Net ●", "HR"]
    assert page.locator("#explorer-strip button").count() == 3
    numbers = page.locator(".pane .metrics").nth(1).locator("a")
    assert [text.split()[0] for text in numbers.all_inner_texts()] == ["LPIPS", "PSNR", "SSIM"]
    numbers.first.click()
    page.locator("dialog#record[open] .chosen").wait_for()
    shown = page.locator("#explorer-strip button").first.get_attribute("title")
    assert page.locator("dialog .chosen th").inner_text() == shown
    assert numbers.first.text_content().split()[1] in page.locator("dialog .chosen").inner_text()
    page.keyboard.press("Escape")
    page.locator(".panes").scroll_into_view_if_needed()
    until(page, "[...document.querySelectorAll('.pane img')].every((i) => i.complete && i.naturalWidth)")
    where = "[...document.querySelectorAll('.pane img')].map((i) => getComputedStyle(i).transform)"
    before = page.evaluate(where)
    page.click('button[aria-label="Zoom in"]')
    page.click('button[aria-label="Zoom in"]')
    assert page.inner_text("#zoom-level") == "2×"
    zoomed = page.evaluate(where)
    assert len(set(zoomed)) == 1
    assert zoomed != before
    page.locator(".pane .view").nth(2).focus()
    page.keyboard.press("ArrowRight")
    moved = page.evaluate(where)
    assert len(set(moved)) == 1
    assert moved != zoomed
    page.keyboard.press("0")
    assert page.evaluate(where) == before
    page.select_option("#explorer-attack", label="rsr")
    page.locator("#show-input").check()
    until(page, "document.querySelectorAll('.pane img.small').length === 4")
    second = page.locator("#explorer-strip button").nth(1)
    second.click()
    until(
        page, "document.querySelectorAll('#explorer-strip button')[1].getAttribute('aria-pressed') === 'true'"
    )


def test_slider_uncovers_the_left_picture(small: Path, visit: Open) -> None:
    page = visit(small)
    page.locator("#split").focus()
    clip = "getComputedStyle(document.querySelector('.slider .top-layer')).clipPath"
    assert "50%" in page.evaluate(clip)
    page.keyboard.press("Home")
    assert "100%" in page.evaluate(clip)
    page.keyboard.press("End")
    assert "100%" not in page.evaluate(clip)
    page.select_option("#slider-right", label="HR")
    until(page, "document.querySelector('.slider figcaption').textContent.endsWith('HR')")


def test_dark_by_preference_and_by_the_button(small: Path, visit: Open) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit(small, color_scheme="light"), visit(small, color_scheme="dark")
    assert light.evaluate(background) == "rgb(255, 255, 255)"
    night = dark.evaluate(background)
    assert night != "rgb(255, 255, 255)"
    light.click("#theme")
    assert light.evaluate(background) == night
    assert light.get_attribute("#theme", "aria-pressed") == "true"
    light.reload()
    light.wait_for_selector(".tabulator-row")
    assert light.evaluate(background) == night
    for selector in (".tabulator-row .tabulator-frozen", ".tabulator-col", "dialog"):
        shade = dark.evaluate(f"getComputedStyle(document.querySelector('{selector}')).backgroundColor")
        assert max(int(part) for part in re.findall(r"\d+", shade)[:3]) < 80, selector


def test_the_keyboard_alone(small: Path, visit: Open) -> None:
    page = visit(small)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    focused = ""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.textContent")
        if focused == "Model":
            break
    assert focused == "Model"
    page.keyboard.press("Enter")
    assert models(page) == ["bicubic", "blind-net", "clean-net"]
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('a.num')"):
            break
    page.keyboard.press("Enter")
    page.locator("dialog#record[open] dl").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('a.num')")


def test_a_phone(small: Path, visit: Open) -> None:
    page = visit(small, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.locator(".panes").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    first = page.locator(".tabulator-row").first
    assert first.locator(".average .value").bounding_box()["x"] < 330
    assert page.evaluate(
        "[...document.querySelectorAll('.controls select, .controls button, #theme')]"
        ".every((e) => e.getBoundingClientRect().height >= 30)"
    )
    page.locator("a.num").first.evaluate("link => link.click()")
    page.locator("dialog#record[open] dl").wait_for()
    box = page.locator("dialog#record").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert page.evaluate("(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))")


def test_the_picture_for_readers(small: Path, tmp_path: Path, browser: Any) -> None:
    """The script that README's picture is made with; the committed one is of the same width."""
    screenshot(browser, small, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as made, Image.open(BOARDS / "page.png") as committed:
        assert made.width == committed.width == DESK["width"]
        assert made.height > 400
        # Not blank: white, ink and the tints of the marks.
        assert len(made.convert("RGB").getcolors(1 << 20)) > 20
    assert (BOARDS / "page.png").stat().st_size < 300_000


def test_a_page_without_pictures_or_attacks_says_how_to_get_them(tmp_path: Path, visit: Open) -> None:
    records = list(synthetic([("one", "clean", "a" * 64)], ["i0", "i1"], clean=True))
    build_page(tmp_path / "page", records)
    page = visit(tmp_path / "page")
    assert "--keep-images" in page.locator("#images pre code").inner_text()
    assert "rsr@2,rsr@4,rsr@8,rsr" in page.locator("#robustness pre code").inner_text()


def test_boards_of_several_protocols(tmp_path: Path, visit: Open) -> None:
    records = list(synthetic([("one", "clean", "a" * 64)], ["i0", "i1"]))
    other = [r.model_copy(update={"protocol_hash": "q" * 64}) for r in records if r.model != "bicubic"]
    build_page(tmp_path / "page", [*records, *other])
    page = visit(tmp_path / "page")
    assert page.locator("#board option").count() == 2
    page.select_option("#board", "1")
    assert models(page) == ["blind-net", "clean-net"]
    assert page.locator(".tabulator-row a").first.get_attribute("href").startswith("#record/1/")


def test_a_mean_over_fewer_images_is_not_best_and_says_so(tmp_path: Path, visit: Open) -> None:
    records = [
        r.model_copy(update={"metrics": r.metrics | {"lpips": None if r.image == "i1" else 0.01}})
        if (r.model, r.dataset) == ("clean-net", "one")
        else r
        for r in synthetic([("one", "clean", "a" * 64), ("two", "ntire", "b" * 64)], ["i0", "i1"], clean=True)
    ]
    build_page(tmp_path / "page", records)
    page = visit(tmp_path / "page")
    assert models(page)[-1] == "clean-net"
    row = page.locator(".tabulator-row", has_text="clean-net")
    assert row.locator(".fewer").all_text_contents() == [" (3 of 4)", " (1 of 2)"]
    assert row.locator(".value.best").count() == 0
    assert row.locator(".rank").count() == 0
    page.locator(".tabulator-col", has_text="LPIPS ↓ mean").locator("button.sort").click()
    assert models(page)[-1] == "clean-net"
    page.select_option("#set", label="one")
    assert row.locator(".fewer").all_text_contents() == [" (1 of 2)"]
    page.select_option("#matrix-by", "model")
    assert "1 of 2" in page.locator("#matrix-table td.none").all_text_contents()[0]
    row.locator("a.average").click()
    dialog = page.locator("dialog#record[open]")
    dialog.locator("summary", has_text="All 2 images").click()
    assert dialog.locator("details tbody tr").first.locator("td").last.inner_text() == "–"
    assert "1 of 2" in dialog.locator("table").first.inner_text()


def test_the_page_works_as_it_is_served(small: Path, browser: Any) -> None:
    """Under the content security policy: tables, records, curves and pictures."""
    with visiting(browser, served=True) as visit:
        page = visit(small)
        page.locator(".tabulator-col", has_text="Model").locator("button.sort").click()
        assert models(page) == ["bicubic", "blind-net", "clean-net"]
        page.select_option("#matrix-by", "model")
        assert page.locator("#matrix-table .heat").count() > 0
        page.locator("#robustness canvas").first.wait_for()
        page.locator(".panes").scroll_into_view_if_needed()
        until(page, "[...document.querySelectorAll('.pane img')].every((i) => i.complete && i.naturalWidth)")
        page.locator(".tabulator-row a.num").first.click()
        page.locator("dialog#record[open] dl").wait_for()


def test_a_page_from_elsewhere_cannot_read_the_data(small: Path, browser: Any, tmp_path: Path) -> None:
    """The data are scripts, and a script may be loaded from anywhere unless the server says no."""
    with serve.serving(small) as (address, _):
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
