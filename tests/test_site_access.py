"""The page for everybody: contrast, keyboard, names of controls, motion; and nothing from elsewhere."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from page_visits import Open, until, visiting
from site_pages import store_with_pictures

from srbench.boards.site.build import build_page, read_store

pytestmark = pytest.mark.slow

# Every text that can be seen whose contrast with what is painted behind it is below WCAG 2.2's AA:
# 4.5, or 3 where it is large. Colours are painted over each other as the browser does it.
LOW_CONTRAST = """() => {
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  canvas.width = canvas.height = 1;
  const rgba = (css) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = css;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.unshift(rgba(getComputedStyle(e).backgroundColor));
    return layers.reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacity = (element) => {
    let all = 1;
    for (let e = element; e; e = e.parentElement) all *= Number(getComputedStyle(e).opacity);
    return all;
  };
  const found = {low: [], seen: 0};
  const check = (element, style, text) => {
    if (!element.checkVisibility({visibilityProperty: true})) return;
    if (element.closest('.unseen, .skip, :disabled')) return;
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height) return;
    const ground = behind(element);
    const [r, g, b, a] = rgba(element instanceof SVGElement ? style.fill : style.color);
    const [x, y] = [over([r, g, b, a * opacity(element)], ground), ground].map(light);
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.seen += 1;
    const what = `${ratio.toFixed(2)} ${element.tagName} ${element.className} ${text.slice(0, 30)}`;
    if (ratio < (large ? 3 : 4.5)) found.low.push(what);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim();
    const element = texts.currentNode.parentElement;
    if (text && !element.closest('script, noscript, option, title'))
      check(element, getComputedStyle(element), text);
  }
  for (const field of document.querySelectorAll('select, input[type=search]'))
    check(field, getComputedStyle(field), field.value || 'a field');
  for (const field of document.querySelectorAll('input[placeholder]'))
    check(field, getComputedStyle(field, '::placeholder'), field.placeholder);
  return found;
}"""

CONTROLS = """[...document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]')]
  .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.disabled
    && (e.getBoundingClientRect().width || e.closest('.drawing')) && !e.closest('dialog:not([open])'))"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which every part has something: costs, attacks, curves, pictures, flags, a partial row."""
    folder, spec = store_with_pictures(
        tmp_path_factory.mktemp("access"),
        lambda r: r.model_copy(update={"cost": {"parameters": 1e6 * len(r.model), "peak_mib": 3.0}}),
    )
    records, pictures = read_store(folder)
    kept = [r for r in records if (r.model, r.dataset, r.image) != ("clean-net", "other", records[0].image)]
    build_page(folder.parent / "page", kept, pictures=pictures, data=[spec])
    return folder.parent / "page"


def opened(tab: Any) -> None:
    """Everything there, and every list open."""
    until(tab, "document.querySelectorAll('#compare-body tbody tr').length > 0")
    until(tab, "document.querySelectorAll('#worst-body tbody tr').length > 0")
    tab.locator(".panes").wait_for()
    tab.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_text_has_contrast(whole: Path, visit: Open, theme: str, width: int) -> None:
    tab = visit(
        whole, "?attack=rsr&cost-attack=rsr", color_scheme=theme, viewport={"width": width, "height": 900}
    )
    opened(tab)
    tab.select_option("#matrix-by", "model")
    found = tab.evaluate(LOW_CONTRAST)
    assert found["low"] == []
    assert found["seen"] > 300
    tab.locator("a.num").first.evaluate("link => link.click()")
    tab.locator("dialog#record[open] dl").wait_for()
    tab.evaluate("document.querySelectorAll('dialog details').forEach((d) => { d.open = true; })")
    assert tab.evaluate(LOW_CONTRAST)["low"] == []
    # The test can fail.
    faint = {"light": "#999999", "dark": "#555555"}[theme]
    tab.evaluate("(faint) => document.documentElement.style.setProperty('--ink', faint)", faint)
    assert len(tab.evaluate(LOW_CONTRAST)["low"]) > 20


def test_every_control_is_reached_by_tab_and_shows_it(whole: Path, visit: Open) -> None:
    tab = visit(whole, "?attack=rsr&cost-set=other")
    opened(tab)
    tab.evaluate(f"({CONTROLS}).forEach((e, i) => e.setAttribute('data-place', i))")
    wanted = tab.evaluate(f"({CONTROLS}).length")
    assert wanted > 100
    reached, unseen = [], []
    for _ in range(wanted + 60):
        tab.keyboard.press("Tab")
        place, seen, what = tab.evaluate("""() => {
          const e = document.activeElement, style = getComputedStyle(e);
          const ring = (s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1;
          const circle = e.querySelector?.(':scope > circle');
          const ringed = circle && parseFloat(getComputedStyle(circle).strokeWidth) >= 3;
          return [e.dataset.place ?? null, ring(style) || Boolean(ringed),
            `${e.tagName} ${e.className.baseVal ?? e.className} ${e.textContent.slice(0, 30)}`]; }""")
        if what.startswith("BODY"):
            break
        reached.append(place)
        if not seen:
            unseen.append(what)
    missed = set(map(str, range(wanted))) - set(reached)
    assert [
        tab.locator(f'[data-place="{place}"]').evaluate("e => e.outerHTML.slice(0, 90)") for place in missed
    ] == []
    assert unseen == []


def test_what_is_named_has_a_name(whole: Path, visit: Open) -> None:
    tab = visit(whole, "?attack=rsr")
    opened(tab)
    assert tab.get_attribute("html", "lang") == "en"
    assert tab.title()
    assert "user-scalable" not in tab.get_attribute("meta[name=viewport]", "content")
    assert tab.locator("h1").count() == tab.locator("main").count() == 1
    nameless = """(selector) => [...document.querySelectorAll(selector)].filter((e) => !(
      e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent.trim()
      || document.getElementById(e.getAttribute('aria-labelledby'))?.textContent
    )).map((e) => e.outerHTML.slice(0, 90))"""
    assert tab.evaluate(nameless, "button, a[href], summary, canvas, dialog[open], section, nav, .view") == []
    fields = """[...document.querySelectorAll('select, input')].filter((e) => !(
      e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim()
    )).map((e) => e.outerHTML.slice(0, 90))"""
    assert tab.evaluate(fields) == []
    assert tab.evaluate("[...document.images].filter((i) => !i.hasAttribute('alt')).length") == 0
    assert tab.evaluate("[...document.querySelectorAll('main th')].filter((t) => !t.scope).length") == 0
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    levels = tab.evaluate(
        """[...document.querySelectorAll('h1, h2, h3, h4')]
          .filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]))"""
    )
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for link in tab.locator("nav a").all():
        assert tab.locator(link.get_attribute("href")).count() == 1


def test_who_wants_no_motion_gets_none(whole: Path, visit: Open) -> None:
    moving = """[...document.querySelectorAll('*')].filter((e) => {
      const s = getComputedStyle(e);
      return s.scrollBehavior === 'smooth' || s.animationName !== 'none'
        || s.transitionDuration.split(',').some((d) => parseFloat(d) > 0);
    }).map((e) => `${e.tagName} ${e.className}`)"""
    tab = visit(whole, reduced_motion="reduce")
    opened(tab)
    assert tab.evaluate(moving) == []
    assert tab.evaluate("document.getAnimations().length") == 0
    assert tab.evaluate("Object.values(Chart.instances).every((c) => c.options.animation === false)")
    assert "HTML " in visit(whole, reduced_motion="no-preference").evaluate(moving)


def test_all_of_it_works_as_it_is_served_and_asks_nobody_else(whole: Path, browser: Any) -> None:
    """Under the content security policy; that no request leaves the page is what a visit asserts."""
    with visiting(browser, served=True) as visit:
        tab = visit(whole, "?attack=rsr&cost-attack=rsr")
        opened(tab)
        with tab.expect_download() as started:
            tab.click("#download")
        assert Path(started.value.path()).stat().st_size > 100
        tab.locator("#worst-body button, #explorer-strip button").first.click()
        tab.select_option("#slider-right", index=2)
        tab.locator(".slider .view").focus()
        tab.keyboard.press("ArrowRight")
        until(tab, "Object.keys(Chart.instances).length === document.querySelectorAll('canvas').length")
        assert tab.locator(".drawing .point").count() == 2  # the third is partial
