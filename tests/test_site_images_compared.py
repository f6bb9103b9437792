"""Single images on the page, the worst of all models and two models compared, in a real browser."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from page_visits import Open, until
from site_pages import store_with_pictures
from typer.testing import CliRunner

from srbench.boards.frame import frame
from srbench.boards.site.build import build_page, read_store
from srbench.cli import app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models on two sets, attacked; pictures of one set, clean and under rsr."""
    folder, _ = store_with_pictures(tmp_path_factory.mktemp("compared"))
    return folder


@pytest.fixture(scope="module")
def page_of_pictures(store: Path) -> Path:
    records, pictures = read_store(store)
    build_page(store.parent / "page", records, pictures=pictures)
    return store.parent / "page"


@pytest.fixture(scope="module")
def table(store: Path) -> pd.DataFrame:
    return frame(read_store(store)[0])


def cells(tab: Any, part: str) -> list[list[str]]:
    """The rows of a part's table, once it is there."""
    tab.locator(f"{part} tbody tr").first.wait_for()
    return [row.split("\t") for row in tab.locator(f"{part} tbody tr").all_inner_texts()]


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.mark.parametrize(("metric", "worst"), [("lpips", max), ("psnr", min)])
def test_the_worst_images_of_all_models(
    page_of_pictures: Path, visit: Open, table: pd.DataFrame, metric: str, worst: Any
) -> None:
    tab = visit(page_of_pictures, f"?worst-set=other&worst-attack=rsr@4&worst-metric={metric}")
    chosen = table[(table.dataset == "other") & (table.attack == "rsr@4")]
    by_image = chosen.pivot(index="image", columns="model_title", values=metric)
    means = by_image.mean(axis=1).sort_values(ascending=worst is min)
    shown = cells(tab, "#worst-body")
    assert [row[0] for row in shown] == list(means.index)
    for image, mean, model, value, *_ in shown:
        assert float(mean) == pytest.approx(means[image], abs=0.006)
        assert by_image.loc[image, model] == worst(by_image.loc[image])
        assert float(value) == pytest.approx(worst(by_image.loc[image]), abs=0.006)
    tab.locator("#worst-body tbody a").first.click()
    tab.locator("dialog#record[open] .chosen").wait_for()
    assert tab.locator("dialog .chosen th").inner_text() == shown[0][0]


def test_a_worst_image_opens_its_pictures(page_of_pictures: Path, visit: Open, table: pd.DataFrame) -> None:
    tab = visit(page_of_pictures, "?worst-set=other")
    assert len(cells(tab, "#worst-body")) == 3
    assert tab.locator("#worst-body button").count() == 0  # of this set no pictures were kept
    tab.select_option("#worst-set", index=0)
    tab.select_option("#worst-attack", label="rsr")
    until(tab, "document.querySelectorAll('#worst-body button').length === 3")
    # Its own name: the list of the clean input may stand there a moment longer.
    press = "button => { button.click(); return button.getAttribute('aria-label'); }"
    image = tab.locator("#worst-body button").nth(2).evaluate(press).removeprefix("Pictures of ")
    pressed = tab.locator("#explorer-strip button[aria-pressed=true]")
    assert pressed.get_attribute("title") == image
    until(tab, "document.querySelector('#explorer-attack').selectedOptions[0].text === 'rsr'")
    assert tab.evaluate("document.activeElement.title") == image


def test_two_models_image_by_image(page_of_pictures: Path, visit: Open, table: pd.DataFrame) -> None:
    tab = visit(page_of_pictures, "?compare-set=other&compare-attack=rsr&compare-metric=psnr")
    tab.select_option("#compare-left", label="Clean Net")
    tab.select_option("#compare-right", label="Bicubic")
    until(tab, "document.querySelector('#compare-sum')?.textContent.startsWith('Clean Net minus Bicubic')")
    chosen = table[(table.dataset == "other") & (table.attack == "rsr")]
    by_image = chosen.pivot(index="image", columns="model", values="psnr")
    differences = (by_image["clean-net"] - by_image["bicubic"]).sort_values(ascending=False)
    shown = cells(tab, "#compare-body")
    assert [row[0] for row in shown] == list(differences.index)
    assert [number(row[1]) for row in shown] == pytest.approx(list(differences), abs=0.011)
    said = tab.inner_text("#compare-sum")
    assert number(re.search(r"mean (\S+) over 3 images", said)[1]) == pytest.approx(
        differences.mean(), abs=0.011
    )
    assert f"better on {(differences > 0).sum()}, worse on {(differences < 0).sum()}" in said
    other = visit(page_of_pictures, tab.evaluate("location.search"))
    assert cells(other, "#compare-body") == shown
    tab.select_option("#compare-right", label="Clean Net")
    until(tab, "document.querySelector('#compare-body').textContent.includes('Choose two models')")


def test_the_command_says_how_sure_the_difference_is(
    page_of_pictures: Path, visit: Open, store: Path
) -> None:
    tab = visit(page_of_pictures, "?compare-set=other&compare-attack=rsr&compare-metric=psnr")
    words = shlex.split(tab.locator("#compare-body code").inner_text())
    assert words.pop(0) == "srbench"
    done = CliRunner().invoke(app, [*words, "--store", str(store)])
    assert done.exit_code == 0, done.output
    mean = number(re.search(r"mean (\S+) over", tab.inner_text("#compare-sum"))[1])
    assert f"{abs(mean):.2f}" in done.output
