"""The drawing of quality over cost, in a real browser."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from page_visits import Open, until
from site_pages import synthetic

from srbench.boards.compute import tables
from srbench.boards.site.build import build_page
from srbench.store.record import Record

pytestmark = pytest.mark.slow

SETS = [("one", "clean", "a" * 64), ("two", "ntire", "b" * 64)]
SIZES = {"clean-net": 2e5, "blind-net": 5e6, **{f"net-{i:02}": 1e4 * 2**i for i in range(3, 14)}}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Fourteen models, all but bicubic of a known size, some of them large; attacked."""
    return [
        r.model_copy(update={"cost": {"parameters": SIZES[r.model]}, "seconds": SIZES[r.model] / 1e6})
        if r.model in SIZES
        else r
        for r in synthetic(SETS, ["i0", "i1"], models=14)
    ]


@pytest.fixture(scope="module")
def page_of_many(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> Path:
    folder = tmp_path_factory.mktemp("cost") / "page"
    build_page(folder, records)
    return folder


CENTRES = """(kind) => [...document.querySelectorAll(`.drawing .point circle.${kind}`)].map((c) => [
  c.closest(".point").getAttribute("aria-label"), c.cx.baseVal.value, c.cy.baseVal.value])"""


def test_points_lie_where_cost_and_quality_say(
    page_of_many: Path, visit: Open, records: list[Record]
) -> None:
    (table,) = tables(records)
    titles = {row.title: row for row in table.rows}
    tab = visit(page_of_many, "?cost-attack=rsr&cost-metric=psnr")
    for kind, attack in (("clean", "none"), ("attacked", "rsr")):
        found = {label.split(":")[0]: (x, y) for label, x, y in tab.evaluate(CENTRES, kind)}
        assert found.keys() == titles.keys() - {"Bicubic"}
        sizes = [math.log10(SIZES[titles[name].model]) for name in found]
        means = [titles[name].average["psnr", attack].value for name in found]
        xs, ys = np.array(list(found.values())).T
        assert np.corrcoef(sizes, xs)[0, 1] == pytest.approx(1, abs=1e-6)
        assert np.corrcoef(means, ys)[0, 1] == pytest.approx(-1, abs=1e-6)  # down the page is less
    assert "Bicubic (no cost" in tab.inner_text("#cost-body")
    tab.locator("#cost-body summary").click()
    rows = tab.locator("#cost-body tbody tr").all_inner_texts()
    shown = {row.split("\t")[0]: row.split("\t")[2:] for row in rows}
    for name, numbers in shown.items():
        expected = [titles[name].average["psnr", attack].value for attack in ("none", "rsr")]
        assert [float(number) for number in numbers] == pytest.approx(expected, abs=0.005)
    tab.select_option("#cost-cost", "seconds")
    assert tab.evaluate(CENTRES, "clean")[0][0].split(", ")[0].count("Time an image") == 1


@pytest.mark.parametrize("width", [1440, 390])
def test_names_lie_on_nothing(page_of_many: Path, visit: Open, width: int) -> None:
    tab = visit(page_of_many, "?cost-attack=rsr", viewport={"width": width, "height": 900})
    boxes = """(what) => [...document.querySelectorAll(`.drawing ${what}`)].map((t) => {
      const {left, right, top, bottom} = t.getBoundingClientRect(); return [left, right, top, bottom]; })"""
    names, spots = tab.evaluate(boxes, ".name"), tab.evaluate(boxes, "circle.clean")
    assert len(names) >= 6
    for (a, b), margin in itertools.chain(
        ((pair, 3) for pair in itertools.combinations(names, 2)),
        ((pair, 1) for pair in itertools.product(names, spots)),
    ):
        apart = [a[0] - b[1], b[0] - a[1], a[2] - b[3], b[2] - a[3]]
        assert max(apart) > -margin, (a, b)
    left, right = tab.evaluate(
        "(r => [r.left, r.right])(document.querySelector('.drawing svg').getBoundingClientRect())"
    )
    assert all(left <= name[0] and name[1] <= right for name in names)
    if len(names) < len(SIZES):
        assert f"Names without room: {len(SIZES) - len(names)}." in tab.inner_text("#cost-body .said")
    assert tab.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [1440, 390])
def test_models_of_one_cost_are_told_apart(
    visit: Open, records: list[Record], tmp_path: Path, width: int
) -> None:
    """Each has its own line; a name that has another model's point nearer than its own is led to it."""
    alike = [r.model_copy(update={"cost": {"parameters": 1e6}}) for r in records if r.model in SIZES]
    build_page(tmp_path / "page", alike)
    tab = visit(tmp_path / "page", "?cost-attack=rsr", viewport={"width": width, "height": 900})
    places = {kind: tab.evaluate(CENTRES, kind) for kind in ("clean", "attacked")}
    xs = sorted(x for _, x, _ in places["clean"])
    assert len(xs) == len(SIZES) and min(b - a for a, b in itertools.pairwise(xs)) > 8
    across = {kind: {label: x for label, x, _ in found} for kind, found in places.items()}
    assert across["clean"] == across["attacked"]
    assert "Models of one cost stand side by side." in tab.inner_text("#cost-body .said")
    names = tab.evaluate("""() => [...document.querySelectorAll(".drawing .point")].flatMap((point) => {
      const text = point.querySelector(".name");
      if (!text) return [];
      const {x, y, width, height} = text.getBBox();
      return [[point.getAttribute("aria-label"), Boolean(point.querySelector(".lead")), x, y, width, height]];
    })""")
    assert names
    for label, led, x, y, wide, high in names:
        away = {
            other: math.hypot(max(x - a, 0, a - x - wide), max(y - b, 0, b - y - high))
            for other, a, b in places["clean"]
        }
        assert led or min(away, key=lambda other: away[other]) == label, label


def test_every_point_is_reached_by_keyboard_and_says_itself(page_of_many: Path, visit: Open) -> None:
    tab = visit(page_of_many, "?cost-set=two")
    tab.focus("#cost-metric")
    said = []
    for _ in SIZES:
        tab.keyboard.press("Tab")
        label = tab.evaluate("document.activeElement.getAttribute('aria-label')")
        until(tab, f"document.querySelector('#cost-body .said').textContent === {label!r}")
        said.append(label.split(":")[0])
    assert len(set(said)) == len(SIZES)
    # Of one data set a point has a record of its own.
    tab.keyboard.press("Enter")
    tab.locator("dialog#record[open] dl").wait_for()
    assert tab.inner_text("#record-title").startswith(f"{said[-1]} on two")
