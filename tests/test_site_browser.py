"""The page in a browser: sorting, filters, columns, records, curves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_visits import Open, models, until
from site_pages import synthetic

from srbench.boards.site.build import build_page


def test_sorting_by_a_click(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
    assert models(page) == ["blind-net", "clean-net", "bicubic"]
    heading = page.locator(".tabulator-col", has_text="Model").locator("button.sort")
    heading.click()
    assert models(page) == ["bicubic", "blind-net", "clean-net"]
    heading.click()
    assert models(page) == ["clean-net", "blind-net", "bicubic"]
    assert page.locator('.tabulator-col[aria-sort="descending"]').inner_text().strip() == "Model"


@pytest.mark.slow
@pytest.mark.parametrize("visit", ["served"], indirect=True)
def test_a_served_page_is_one_that_was_opened(small_page: Path, visit: Open) -> None:
    """One thing of all that is tried of pages from the disk; the others, served, are thorough."""
    test_sorting_by_a_click(small_page, visit)


def test_filters_and_views(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
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


def test_marks_need_no_colour(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
    row = page.locator(".tabulator-row", has_text="clean-net")
    assert row.locator("a.num.in-domain .mark").all_text_contents() == ["●"]
    assert set(row.locator("a.num.out-of-domain .mark").all_text_contents()) == {"○"}
    generalist = page.locator(".tabulator-row", has_text="blind-net").locator("a.num .mark")
    assert set(generalist.all_text_contents()) == {"◆"}


def test_every_number_opens_its_record(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
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
    shared = visit(small_page, "#record/0/0/0/psnr")
    shared.locator("dialog#record dl").wait_for()
    links = shared.locator("#matrix-table a, .tabulator-row a:not(.links a)").evaluate_all(
        "found => found.map(a => a.hash)"
    )
    assert len(links) > 10
    assert all(re.fullmatch(r"#record/\d+/\d+/\d+/\w+", link) for link in links)


def test_matrix_has_every_pair_of_domains(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
    cells = page.locator("#matrix-table td").all_text_contents()
    assert len(cells) == 3 * 2
    assert sum("●" in cell for cell in cells) == 1
    page.select_option("#matrix-by", "model")
    assert page.locator("#matrix-table tbody th").all_text_contents() == ["Blind Net", "Clean Net", "Bicubic"]


def test_curves_have_acceptance_excellence_and_noise(small_page: Path, visit: Open) -> None:
    page = visit(small_page)
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
