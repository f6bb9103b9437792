"""Two pictures with a line between them: by pointer, finger and keyboard, from any two cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_visits import Open, until
from site_pages import store_with_pictures

from srbench.boards.site.build import build_page, read_store

pytestmark = pytest.mark.slow

ALL_LOADED = "[...document.querySelectorAll('.slider img')].every((i) => i.complete && i.naturalWidth)"
PLACES = """[...document.querySelectorAll('.view img')].map((i) => {
  const by = new DOMMatrix(getComputedStyle(i).transform);
  return [by.a, by.e / i.offsetWidth, by.f / i.offsetHeight].map((x) => x.toFixed(3)).join(); })"""


@pytest.fixture(scope="module")
def page_of_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, spec = store_with_pictures(tmp_path_factory.mktemp("slider"))
    records, pictures = read_store(folder)
    build_page(folder.parent / "page", records, pictures=pictures, data=[spec])
    return folder.parent / "page"


def share(tab: Any) -> float:
    """How much of the left picture is shown, in per cent, as it is painted."""
    clip = tab.evaluate("getComputedStyle(document.querySelector('.slider .top-layer')).clipPath")
    right = re.search(r"inset\(0px calc\(100% - ([\d.]+)%\)|inset\(0px ([\d.]+)% 0px 0px\)", clip)
    if right is None:
        return 100.0 if clip in ("inset(0px)", "inset(0px 0% 0px 0px)") else float("nan")
    return float(right[1]) if right[1] else 100 - float(right[2])


def ready(tab: Any) -> dict[str, float]:
    tab.locator(".slider .view").scroll_into_view_if_needed()
    until(tab, ALL_LOADED)
    return dict(tab.locator(".slider .view").bounding_box())


def test_the_pointer_moves_the_line_and_then_the_picture(page_of_pictures: Path, visit: Open) -> None:
    tab = visit(page_of_pictures)
    box = ready(tab)
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 0.2, middle)
    tab.mouse.down()
    assert share(tab) == pytest.approx(20, abs=1)
    tab.mouse.move(box["x"] + box["width"] * 0.7, middle)
    assert share(tab) == pytest.approx(70, abs=1)
    tab.mouse.up()
    tab.mouse.move(box["x"] + box["width"] * 0.1, middle)
    assert share(tab) == pytest.approx(70, abs=1)
    assert int(tab.input_value("#split")) == pytest.approx(70, abs=1)
    # Zoomed, the picture is dragged where the line is not.
    tab.keyboard.press("+")
    tab.keyboard.press("+")
    before = tab.evaluate(PLACES)
    assert len(set(before)) == 1
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.3, middle)
    tab.mouse.up()
    after = tab.evaluate(PLACES)
    assert len(set(after)) == 1, "every picture moves in step"
    assert after != before
    assert share(tab) == pytest.approx(70, abs=1)


def test_the_keyboard_moves_the_line_zooms_and_moves(page_of_pictures: Path, visit: Open) -> None:
    tab = visit(page_of_pictures)
    ready(tab)
    tab.focus(".slider .view")
    for key, expected in (("ArrowRight", 52), ("ArrowLeft", 50), ("Home", 0), ("End", 100)):
        tab.keyboard.press(key)
        assert share(tab) == pytest.approx(expected)
    tab.keyboard.press("+")
    assert tab.inner_text("#zoom-level") == "1.5×"
    before = tab.evaluate(PLACES)
    tab.keyboard.press("ArrowLeft")
    assert share(tab) == pytest.approx(98)
    assert tab.evaluate(PLACES) == before
    tab.keyboard.press("Shift+ArrowRight")
    assert tab.evaluate(PLACES) != before
    tab.keyboard.press("-")
    assert tab.inner_text("#zoom-level") == "1×"
    tab.focus("#split")
    tab.keyboard.press("+")
    assert tab.inner_text("#zoom-level") == "1.5×"
    tab.keyboard.press("ArrowLeft")
    assert share(tab) == pytest.approx(97)


def test_fingers_move_the_line_and_zoom(page_of_pictures: Path, visit: Open) -> None:
    tab = visit(page_of_pictures, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    box = ready(tab)
    touch = tab.context.new_cdp_session(tab)

    def send(kind: str, *points: tuple[float, float]) -> None:
        fingers = [
            {"x": box["x"] + box["width"] * x, "y": box["y"] + box["height"] * y, "id": i}
            for i, (x, y) in enumerate(points)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    send("touchStart", (0.5, 0.5))
    for x in (0.45, 0.4, 0.3):
        send("touchMove", (x, 0.5))
    send("touchEnd")
    assert share(tab) == pytest.approx(30, abs=2)
    tab.locator(".pane .view").nth(1).scroll_into_view_if_needed()
    box |= tab.locator(".pane .view").nth(1).bounding_box()
    send("touchStart", (0.4, 0.5))
    send("touchStart", (0.4, 0.5), (0.6, 0.5))
    for spread in (0.15, 0.2, 0.3):
        send("touchMove", (0.5 - spread, 0.5), (0.5 + spread, 0.5))
    send("touchEnd")
    assert float(tab.inner_text("#zoom-level").rstrip("×")) == pytest.approx(3, abs=0.3)
    assert len(set(tab.evaluate(PLACES))) == 1
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


def test_any_two_cells_are_compared(page_of_pictures: Path, visit: Open) -> None:
    tab = visit(page_of_pictures)
    ready(tab)
    offered = tab.locator("#slider-left option").all_inner_texts()
    names = ("Bicubic", "Blind Net", "Clean Net")
    assert set(offered) == {"LR", "HR", *(f"{n}, {of}" for n in names for of in ("clean", "rsr"))}
    shown = "[...document.querySelectorAll('.slider img')].map((i) => i.getAttribute('src'))"
    tab.select_option("#slider-left", label="Blind Net, clean")
    tab.select_option("#slider-right", label="Blind Net, rsr")
    until(
        tab, "document.querySelector('.slider figcaption').textContent === 'Blind Net, cleanBlind Net, rsr'"
    )
    right, left = tab.evaluate(shown)
    assert right != left
    panes = """[...document.querySelectorAll('.pane')].map((p) =>
      [p.querySelector('b').textContent, p.querySelector('img').getAttribute('src')])"""
    assert dict(tab.evaluate(panes))["Blind Net ◆"] == left
    tab.select_option("#explorer-attack", label="rsr")
    until(tab, "document.querySelector('.pane b').textContent.startsWith('LR before')")
    assert dict(tab.evaluate(panes))["Blind Net ◆"] == right
    assert tab.evaluate(shown) == [right, left], "what was chosen stays"


def test_pictures_and_curves_are_in_the_address_too(page_of_pictures: Path, visit: Open) -> None:
    tab = visit(page_of_pictures)
    ready(tab)
    tab.locator("#explorer-strip button").nth(1).click()
    until(tab, "document.querySelector('#explorer-strip button:nth-child(2)').ariaPressed === 'true'")
    for name, label in (
        ("explorer-attack", "rsr"),
        ("slider-left", "HR"),
        ("slider-right", "Clean Net, clean"),
    ):
        tab.select_option(f"#{name}", label=label)
        until(tab, f"document.getElementById('{name}').selectedOptions[0].text === '{label}'")
    until(tab, "document.querySelector('.slider figcaption').textContent === 'HRClean Net, clean'")
    tab.select_option("#curve-set", label="other")
    tab.uncheck('#curve-models input[value="0"]')
    assert tab.evaluate("document.activeElement.value") == "0"
    seen = """[[...document.querySelectorAll('.slider img, .pane img')].map((i) => i.getAttribute('src')),
      document.querySelector('#explorer-strip [aria-pressed=true]').title,
      document.querySelector('#curve-set').value,
      [...document.querySelectorAll('#curve-models input:checked')].map((i) => i.value)]"""
    other = visit(page_of_pictures, tab.evaluate("location.search"))
    ready(other)
    assert other.evaluate(seen) == tab.evaluate(seen)
    other.uncheck('#curve-models input[value="1"]')
    assert other.locator("#curve-models input:checked").count() == 0
    # The keyboard stays where it was, though the pictures are new.
    other.focus("#slider-left")
    other.keyboard.press("ArrowUp")
    until(other, "!document.querySelector('.slider figcaption').textContent.startsWith('HR')")
    assert other.evaluate("document.activeElement.id") == "slider-left"
    hostile = visit(
        page_of_pictures,
        "?explorer-image=__proto__&explorer-set=%3Cb%3E&slider-left=x&curve-model=y&curve-set=-1",
    )
    ready(hostile)
    fresh = visit(page_of_pictures)
    ready(fresh)
    assert hostile.evaluate(seen) == fresh.evaluate(seen)
