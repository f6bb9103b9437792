"""A mean over fewer images than the others is never ranked, never best, and says so wherever it stands."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from helpers import record
from rich.console import Console

import srbench
from srbench.boards import files, terminal, text
from srbench.boards.agreement import agreement
from srbench.boards.comparison import as_dict, pairs
from srbench.boards.comparison_text import verdict
from srbench.boards.compute import tables
from srbench.boards.frame import frame
from srbench.boards.latex import latex
from srbench.boards.notebook import Leaderboard
from srbench.boards.paper_tables import table_2
from srbench.boards.site.data import site
from srbench.boards.table import Table
from srbench.entries.build import means
from srbench.errors import BadInput
from srbench.figures import ablation, curves, matrix
from srbench.store.record import Record

pytestmark = pytest.mark.usefixtures("few_images_will_do")

Values = list[float | None]
DEFINED: Values = [8.0, 9.0, 9.0, 10.0]
GRAY: Values = [8.0, None, None, None]
"""Constant images on three of four pictures: NIQE is defined on one."""
BLACK: Values = [8.0, 9.0, 9.0, None]


def measured(model: str, values: Values, name: str = "niqe", **changes: object) -> list[Record]:
    """Records of one model; a value that is None is undefined, with a note."""
    fields: dict[str, object] = {
        "dataset": "real",
        "dataset_kind": "no-reference" if name == "niqe" else "paired",
        "dataset_images": len(values),
    }
    return [
        record(
            model=model,
            image=f"i{number}",
            metrics={name: value},
            notes={} if value is not None else {name: "a constant image"},
            **(fields | changes),
        )
        for number, value in enumerate(values)
    ]


def one(records: list[Record]) -> Table:
    (table,) = tables(records)
    return table


@pytest.fixture
def gray() -> list[Record]:
    return measured("bicubic", DEFINED) + measured("gray", GRAY)


@pytest.mark.parametrize(("model", "values", "count"), [("gray", GRAY, "1 of 4"), ("black", BLACK, "3 of 4")])
def test_constant_images_win_no_rank_and_no_bold(model: str, values: Values, count: str) -> None:
    table = one(measured("bicubic", DEFINED) + measured(model, values))
    assert [(row.model, row.rank) for row in table.rows] == [("bicubic", 1), (model, None)]
    assert table.rows[1].partial == f"NIQE on only {count} images of real"
    column = table.columns[0]
    mean = table.rows[1].means["niqe", column]
    assert mean.value < table.rows[0].means["niqe", column].value  # it was first
    assert not mean.whole and mean.low != mean.low
    assert text.best(table, "niqe", column) is None  # one mean alone is no best
    assert "none" not in table.rows[1].worst
    _, rows = text.grid(table, "none")
    assert rows[1][3:] == [f"{mean.value:.2f} ({count})", "–"]


def test_every_format_says_of_how_many_images(gray: list[Record]) -> None:
    gray += measured("sharp", [7.0, 8.0, 8.0, 9.0])
    table = one(gray)
    markdown = files.markdown([table])
    assert "| – | gray | – | 8.00 (1 of 4) | – |" in markdown
    assert "| 1 | sharp | – | **8.00** |" in markdown
    assert "- gray is not ranked: NIQE on only 1 of 4 images of real." in markdown
    assert text.FEWER in markdown
    assert r"8.00 (1 of 4) & -- \\" in latex([table])
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    terminal.show(console, table)
    assert "8.00 (1 of 4)" in console.export_text()
    assert "8.00 (1 of 4)</td>" in Leaderboard(gray)._repr_html_()
    flat = files.means_frame([table]).set_index(["model", "dataset"])
    assert flat.loc[("gray", "real"), ["n", "of"]].tolist() == [1, 4]
    assert flat.loc[("gray", "average"), ["n", "of"]].tolist() == [1, 4]
    assert pd.isna(flat.loc[("gray", "average"), "low"]) and pd.isna(flat.loc[("gray", "average"), "rank"])
    nested = json.loads(files.as_json([table]))[0]["rows"]
    cell = next(row for row in nested if row["model"] == "gray")["cells"][0]["metrics"]["niqe"]
    assert (cell["n"], cell["of"], cell["low"]) == (1, 4, None)


def test_a_mark_and_a_count_stand_side_by_side_in_the_terminal() -> None:
    records = measured("a", [0.1, 0.2], "lpips", training_domain="ntire", dataset_domain="ntire")
    records += measured("b", [0.1, None], "lpips", training_domain="ntire", dataset_domain="ntire")
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    terminal.show(console, one(records))
    assert "0.1000 (1 of 2) ●" in console.export_text()


def test_an_average_over_such_a_cell_is_not_best_and_says_so() -> None:
    def on(dataset: str, model: str, values: Values) -> list[Record]:
        return measured(model, values, "lpips", dataset=dataset, dataset_hash=dataset * 8)

    records = on("one", "a", [0.3, 0.3]) + on("two", "a", [0.4, 0.4])
    records += on("one", "b", [0.1, None]) + on("two", "b", [0.5, 0.5])
    records += on("one", "c", [0.5, 0.5]) + on("two", "c", [0.6, 0.6])
    table = one(records)
    _, rows = text.grid(table, "none", bold=lambda shown: f"**{shown}**")
    assert [row[1:6] for row in rows] == [
        ["a", "–", "**0.3000**", "**0.4000**", "**0.3500**"],
        ["c", "–", "0.5000", "0.6000", "0.5500"],
        ["b", "–", "0.1000 (1 of 2)", "0.5000", "0.3000 (3 of 4)"],
    ]
    assert rows[2][6:] == ["–", "–"]  # neither an interval nor a worst


def test_images_that_were_not_measured_are_no_better_than_undefined_ones() -> None:
    table = one(measured("full", [0.5, 0.5], "lpips") + measured("part", [0.1, 0.1], "lpips")[:1])
    _, rows = text.grid(table, "none")
    assert rows[1][3] == "0.1000 (1 of 2)"


def test_an_image_undefined_for_every_row_takes_no_rank_away() -> None:
    small: Values = [8.0, None, 9.0]
    table = one(measured("a", small) + measured("b", [9.0, None, 10.0]) + measured("c", [7.0, None, None]))
    assert [(row.model, row.rank) for row in table.rows] == [("a", 1), ("b", 2), ("c", None)]
    assert "NIQE is undefined for every row on 1 of 3 images of real: no mean is over these." in text.notes(
        table
    )
    assert text.grid(table, "none")[1][2][3] == "7.00 (1 of 2)"
    assert one(measured("a", small)).rows[0].rank is None


def test_a_frame_with_one_nan_is_not_ranked_by_the_rest() -> None:
    table = frame(measured("a", [0.3, 0.3], "lpips") + measured("b", [0.1, 0.9], "lpips"))
    table.loc[(table.model == "b") & (table.image == "i1"), "lpips"] = float("nan")
    board = srbench.leaderboard(table)
    assert [(row.model, row.rank) for row in board.tables[0].rows] == [("a", 1), ("b", None)]
    assert "0.1000 (1 of 2)" in board.to_markdown()


def test_compare_says_on_how_many_images(gray: list[Record]) -> None:
    rows = {name: [r for r in gray if r.model == name] for name in ("bicubic", "gray")}
    (pair,) = pairs(rows, "niqe")
    assert verdict(pair).endswith(
        "Compared on 1 of 4 images, those on which both have NIQE: gray has none on 3."
    )
    assert pair.better is None
    numbers = as_dict(pair)
    assert (numbers["overall"]["images"], numbers["images_left_out"]) == (1, 3)
    assert numbers["images_lacking"] == {"first": 0, "second": 3}
    neither = {"a": measured("a", [8.0, 8.5, None]), "b": measured("b", [9.0, 8.0, None])}
    assert "Compared on 2 of 3 images" in verdict(pairs(neither, "niqe")[0])


def test_the_page_has_the_counts_and_no_rank(gray: list[Record]) -> None:
    (board,) = site(gray).page["boards"]
    assert board["means"]["niqe"][1][0] == [8.0, None, None, 1, 4]
    assert board["average"]["niqe"][1][0] == [8.0, None, None, 1, 4]
    assert board["ranks"]["niqe"] == {"0": [[1, 1, 1], None], "0/0": [[1, 1, 1], None]}
    assert board["rows"][1]["partial"]


def test_a_matrix_shows_the_count_in_place_of_the_mean(gray: list[Record]) -> None:
    found = matrix.matrix(gray, "niqe", by="model")
    cells = dict(zip(found.rows, zip(found.values[:, 0], found.fewer, strict=True), strict=True))
    assert cells["bicubic"] == (9.0, [""])
    assert cells["gray"][0] != cells["gray"][0] and cells["gray"][1] == ["1 of 4"]
    drawn = matrix.draw(gray, "niqe", by="model")
    assert "1 of 4" in [words.get_text() for words in drawn.axes[0].texts]
    by_domain = matrix.matrix(gray, "niqe")
    assert by_domain.values[0, 0] != by_domain.values[0, 0] and by_domain.fewer == [["5 of 8"]]


def test_a_curve_has_no_point_over_fewer_images() -> None:
    def under(at: int, values: Values, model: str) -> list[Record]:
        settings = {"kind": "StructuredPGD", "eps": at / 255}
        attacked = {"attack": f"rsr@{at}", "attack_hash": f"{at}" * 8, "attack_settings": settings}
        return measured(model, values, "lpips", **(attacked if at else {}))

    whole: Values = [0.2, 0.3]
    records = under(0, whole, "a") + under(4, [0.3, None], "a") + under(8, [0.4, 0.5], "a")
    records += [r for at in (0, 4, 8) for r in under(at, whole, "b")]
    # Undefined on clean input too: the same number of images, and yet not the others'.
    records += [r for at in (0, 4, 8) for r in under(at, [0.1, None], "c")]
    found = {c.model: [x for x, _ in c.points] for c in curves.plotted_curves(records, "lpips")}
    assert found == {"a": [0.0, 8.0], "b": [0.0, 4.0, 8.0]}


def test_an_ablation_leaves_out_a_run_over_fewer_images() -> None:
    settings = {
        f"e{eps}": {"eps": f"{eps}/255", "steps": 2, "structure": 1.5, "loss": "l1"} for eps in (2, 4, 8)
    }
    values: dict[str, Values] = {"e2": [0.3, 0.3], "e4": [0.2, None], "e8": [0.5, 0.4]}
    records = [r for model, of in values.items() for r in measured(model, of, "lpips")]
    (factor,) = ablation.factors(records, "lpips", settings)
    assert factor.values == (2.0, 8.0)
    with pytest.raises(BadInput, match="LPIPS on every image"):
        ablation.factors([r for r in records if r.model == "e4"], "lpips", settings)


def test_the_papers_tables_say_of_how_many_images() -> None:
    def both(model: str, ntire: Values, aim: Values) -> list[Record]:
        made = []
        for name, values in (("ntire", ntire), ("aim", aim)):
            place = {"dataset": f"{name}-mini", "dataset_hash": name * 9, "dataset_domain": name}
            made += measured(model, values, "lpips", **place)
        return made

    records = both("rsr-mini", [0.3, 0.4], [0.35, 0.45]) + both("cheat", [0.1, None], [0.2, 0.2])
    page = table_2(records, {"table_2": {"rows": []}}, "rsr-mini")
    row = next(line for line in page.splitlines() if line.startswith("| – | cheat"))
    assert "0.1000 (1 of 2)" in row and "0.1500 (3 of 4)" in row
    assert re.search(r"\| cheat \| [+]0\.\d{4} \(3 of 4\) \| – \| 0 of 3 \| no \|", page)
    # A mean over fewer images takes no place: 0.1 of one image on ntire-mini, but 0.2 of both on aim-mini.
    assert "rsr-mini is number 1 on ntire-mini and number 2 on aim-mini" in page


def test_an_entry_states_no_mean_over_fewer_images(gray: list[Record]) -> None:
    assert means([r for r in gray if r.model == "bicubic"]) == {"real": {"none": {"niqe": 9.0}}}
    assert means([r for r in gray if r.model == "gray"]) == {"real": {"none": {"niqe": None}}}


def test_agreement_of_distances_is_over_the_same_images() -> None:
    def distances(model: str, values: Values) -> list[Record]:
        return [
            r.model_copy(update={"metrics": {"lpips": r.metrics["lpips"], "lpips-lite": 0.1 + k / 10}})
            for k, r in enumerate(measured(model, values, "lpips"))
        ]

    lacking = distances("a", [0.1, 0.2, 0.3, None]) + distances("b", [0.2, 0.3, 0.5, 0.6])
    shared = distances("a", [0.1, 0.2, 0.3]) + distances("b", [0.2, 0.3, 0.5])
    assert agreement(lacking, ["a"]).splitlines()[-5:] == agreement(shared, ["a"]).splitlines()[-5:]


def test_a_board_without_a_known_metric_is_said_in_one_line() -> None:
    with pytest.raises(BadInput, match="have no metric that this srbench knows"):
        tables([record(metrics={"theirs": 1.0})])
    with pytest.raises(BadInput, match="have no no-reference metric"):
        tables([record(dataset_kind="no-reference", metrics={"psnr": 20.0})])


# Rows that lose to bicubic.


def psnr(model: str, values: list[float], **changes: object) -> list[Record]:
    return [
        r.model_copy(update={"metrics": {"psnr": v, "lpips": 0.1}})
        for r, v in zip(measured(model, list(values), "psnr", **changes), values, strict=True)
    ]


def test_a_row_that_loses_to_bicubic_is_flagged() -> None:
    records = psnr("bicubic", [25.0, 26.0]) + psnr("near", [24.1, 25.1]) + psnr("far", [20.0, 21.0])
    records += psnr("bicubic", [30.0, 30.0], dataset="two", dataset_hash="2" * 9)
    records += psnr("far", [28.5, 28.5], dataset="two", dataset_hash="2" * 9)
    records += psnr("other", [28.0, 28.0], dataset="two", dataset_hash="2" * 9)
    (table,) = tables(records, metrics=["lpips"])  # also where PSNR is not shown
    (flag,) = table.flags
    assert flag.startswith("below bicubic by more than 1 dB of PSNR on clean input: ")
    assert sorted(flag.split(": ")[1].split("; ")) == ["far (real 5.0 dB, two 1.5 dB)", "other (two 2.0 dB)"]
    assert f"- Flag: {flag}." in files.markdown([table])
    assert site(records).page["boards"][0]["flags"] == [flag]


def test_nothing_is_flagged_under_attack_without_bicubic_or_without_ground_truth() -> None:
    attacked = {"attack": "rsr", "attack_hash": "a", "attack_settings": {"eps": 0.05}}
    assert not one(psnr("bicubic", [25.0], **attacked) + psnr("far", [10.0], **attacked)).flags
    assert not one(psnr("another", [25.0]) + psnr("far", [10.0])).flags
    assert not one(measured("bicubic", DEFINED) + measured("far", [90.0] * 4)).flags
    # bicubic in tiles stands in where it is the only one, and is not held against itself.
    tiled = psnr("bicubic", [25.0], tile=64) + psnr("bicubic", [10.0]) + psnr("far", [8.0])
    assert one(tiled).flags == ["below bicubic by more than 1 dB of PSNR on clean input: far (real 2.0 dB)"]
