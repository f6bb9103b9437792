"""The page in a browser: the explorer, the slider, the keyboard, a phone, the dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from chromium import DESK
from page_visits import Open, models, until
from PIL import Image
from screenshot import BOARDS, screenshot


def test_explorer_shows_the_same_crop_of_everything(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
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


def test_slider_uncovers_the_left_picture(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
    page.locator("#split").focus()
    clip = "getComputedStyle(document.querySelector('.slider .top-layer')).clipPath"
    assert "50%" in page.evaluate(clip)
    page.keyboard.press("Home")
    assert "100%" in page.evaluate(clip)
    page.keyboard.press("End")
    assert "100%" not in page.evaluate(clip)
    page.select_option("#slider-right", label="HR")
    until(page, "document.querySelector('.slider figcaption').textContent.endsWith('HR')")


def test_dark_by_preference_and_by_the_button(small_page: Path, visit: Open) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit(small_page, color_scheme="light"), visit(small_page, color_scheme="dark")
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


def test_the_keyboard_alone(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
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


def test_a_phone(small_page: Path, visit: Open) -> None:
    page = visit(small_page, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
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


def test_the_picture_for_readers(small_page: Path, tmp_path: Path, browser: Any) -> None:
    """The script that README's picture is made with; the committed one is of the same width."""
    screenshot(browser, small_page, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as made, Image.open(BOARDS / "page.png") as committed:
        assert made.width == committed.width == DESK["width"]
        assert made.height > 400
        # Not blank: white, ink and the tints of the marks.
        assert len(made.convert("RGB").getcolors(1 << 20)) > 20
    assert (BOARDS / "page.png").stat().st_size < 300_000
