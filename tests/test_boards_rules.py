"""What a leaderboard puts where, from records whose every number can be worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import independent, record

from srbench.attacks import preset
from srbench.boards.compute import boards, tables, view_ranks
from srbench.boards.ranks import ranks
from srbench.boards.stats import apart
from srbench.boards.table import Table
from srbench.errors import BadInput
from srbench.store.record import Record

pytestmark = pytest.mark.usefixtures("few_images_will_do")

Values = list[float | None]


def measured(model: str, dataset: str, metrics: dict[str, Values], **changes: Any) -> list[Record]:
    count = max(len(values) for values in metrics.values())
    fields = {"dataset_images": count, "dataset_hash": dataset * 8} | changes
    return [
        record(
            model=model,
            dataset=dataset,
            image=f"i{k}",
            metrics={name: values[k] for name, values in metrics.items() if k < len(values)},
            **fields,
        )
        for k in range(count)
    ]


def attacked(name: str) -> dict[str, Any]:
    return {"attack": name, "attack_hash": name * 4, "attack_settings": preset(name).settings()}


def one(records: list[Record], **options: Any) -> Table:
    (table,) = tables(records, **options)
    return table


def test_columns_are_clean_first_then_noise_then_by_name_each_in_the_order_of_sets() -> None:
    records = []
    for attack in ("strong", "random", "none", "rsr"):
        for dataset in ("b", "z", "a", "y"):
            changes = {} if attack == "none" else attacked(attack)
            records += measured("m", dataset, {"lpips": [0.5]}, **changes)
    table = one(records, dataset_order=["z", "y"])
    assert table.attacks == ["none", "random", "rsr", "strong"]
    assert [c.dataset for c in table.columns] == ["z", "y", "a", "b"] * 4
    assert [table.complete[c] for c in table.columns] == [1] * 16


def test_boards_come_by_protocol_and_hash_with_paired_sets_first() -> None:
    kinds = ("no-reference", "paired")
    records = [
        record(protocol=protocol, protocol_hash=digest * 64, dataset_kind=kind, metrics={"niqe": 4.0})
        for protocol in ("y", "rsr")
        for digest in "ba"
        for kind in kinds
    ]
    expected = [(p, d * 64, k, 4) for p in ("rsr", "y") for d in "ab" for k in ("paired", "no-reference")]
    assert list(boards(records)) == expected
    assert [(t.protocol, t.protocol_hash, t.kind, t.scale) for t in tables(records)] == expected
    assert all(len(group) == 1 for group in boards(records).values())


def test_a_set_without_ground_truth_has_no_column_for_what_needs_it() -> None:
    metrics: dict[str, Values] = {"psnr": [1.0], "niqe": [4.0], "piqe": [9.0]}
    assert one(measured("m", "s", metrics)).metrics == ["psnr", "niqe", "piqe"]
    table = one(measured("m", "s", metrics, dataset_kind="no-reference"))
    assert (table.metrics, table.rank_by) == (["niqe", "piqe"], "niqe")
    with pytest.raises(BadInput, match="on no-reference sets have no no-reference metric"):
        tables(measured("m", "s", {"psnr": [1.0]}, dataset_kind="no-reference"))
    with pytest.raises(BadInput, match="on paired sets have no metric"):
        tables(measured("m", "s", {"unknown": [1.0]}))


def test_means_averages_and_worst_are_those_worked_out_by_hand() -> None:
    """Two sets of unlike size weigh alike in the average; the worst is by the direction of the metric."""
    values: dict[str, dict[str, Values]] = {
        "one": {"lpips": [0.2, 0.4], "psnr": [20.0, 30.0]},
        "two": {"lpips": [0.5, 0.6, 0.7], "psnr": [10.0, 11.0, 12.0]},
    }
    records = [r for dataset, metrics in values.items() for r in measured("m", dataset, metrics)]
    for rank_by, average, worst in (("lpips", 0.45, 0.6), ("psnr", 18.0, 11.0)):
        table = one(records, metrics=[rank_by])
        (row,) = table.rows
        assert [row.means[rank_by, c].value for c in table.columns] == pytest.approx(
            {"lpips": [0.3, 0.6], "psnr": [25.0, 11.0]}[rank_by]
        )
        found = row.average[rank_by, "none"]
        assert found.value == pytest.approx(average) and (found.n, found.of) == (5, 5)
        assert row.worst["none"] == pytest.approx(worst)
        assert found.low <= found.value <= found.high and not math.isnan(found.low)
        assert [row.images[c] for c in table.columns] == [2, 3]
        assert (row.partial, row.rank, row.rank_interval) == ("", 1, (1, 1))


def test_an_average_is_only_over_all_sets_and_a_worst_only_over_all_images() -> None:
    records = measured("full", "one", {"lpips": [0.5, 0.5]}) + measured("full", "two", {"lpips": [0.6]})
    records += measured("lone", "one", {"lpips": [0.1, 0.1]})
    records += measured("holed", "one", {"lpips": [0.1, None]}) + measured("holed", "two", {"lpips": [0.1]})
    rows = {row.model: row for row in one(records).rows}
    assert ("lpips", "none") not in rows["lone"].average and "none" not in rows["lone"].worst
    holed = rows["holed"].average["lpips", "none"]
    assert holed.value == pytest.approx(0.1) and (holed.n, holed.of) == (2, 3)
    assert math.isnan(holed.low) and "none" not in rows["holed"].worst
    assert rows["full"].worst["none"] == pytest.approx(0.6)


def test_rows_without_a_rank_say_what_they_lack_and_come_last() -> None:
    full: dict[str, Values] = {"lpips": [0.9, 0.9], "psnr": [1.0, 1.0]}
    records = measured("z-full", "s", full) + measured("short", "s", {"lpips": [0.1]}, dataset_images=2)
    records += measured("holed", "s", {"lpips": [0.1, None], "psnr": [1.0, 1.0]})
    records += measured("other", "s", {"psnr": [1.0, 1.0]})
    table = one(records, metrics=["lpips", "fsim"])
    assert table.rank_by == "lpips"
    assert [(row.model, row.rank, row.partial) for row in table.rows] == [
        ("z-full", 1, ""),
        ("holed", None, "LPIPS on only 1 of 2 images of s"),
        ("short", None, "1 of 2 images on s"),
        ("other", None, "no LPIPS on s"),
    ]


def test_the_ranking_metric_is_the_first_that_every_row_has_on_every_column() -> None:
    both: dict[str, Values] = {"lpips": [0.5], "fsim": [0.5]}
    records = measured("a", "one", both) + measured("a", "two", both) + measured("b", "one", both)
    assert one(records + measured("b", "two", both)).rank_by == "lpips"
    assert one(records + measured("b", "two", {"fsim": [0.5]})).rank_by == "fsim"
    # Where no metric is everywhere, the first of the list that anyone has.
    table = one(measured("a", "one", {"fsim": [0.5]}) + measured("b", "one", {"lpips": [0.5]}))
    assert (table.rank_by, table.rank_choice) == ("lpips", "lpips")
    assert one(measured("a", "one", {"gmsd": [0.5]})).rank_by == "gmsd"


@pytest.mark.parametrize(("name", "order"), [("lpips", "abc"), ("psnr", "cba")])
def test_rows_stand_in_order_of_the_average_and_alike_ones_by_name(name: str, order: str) -> None:
    records = [
        r
        for model, value in zip("abc", (0.1, 0.2, 0.3), strict=True)
        for r in measured(model, "s", {name: [value] * 3})
    ]
    table = one(records)
    assert [row.model for row in table.rows] == list(order)
    # Equal on every image is certain: no resample can turn it round.
    assert [(row.rank, row.rank_interval) for row in table.rows] == [(k, (k, k)) for k in (1, 2, 3)]
    alike = one([r for model in "cab" for r in measured(model, "s", {name: [0.2, 0.4]})])
    assert [(row.model, row.rank, row.rank_interval) for row in alike.rows] == [(m, 1, (1, 3)) for m in "abc"]


def test_ranks_of_views_are_those_of_a_leaderboard_of_their_columns() -> None:
    records = []
    for model, first, second in (("a", 0.1, 0.9), ("b", 0.2, 0.3)):
        records += measured(model, "one", {"lpips": [first] * 3, "psnr": [10 * first] * 3})
        records += measured(model, "two", {"lpips": [second] * 3, "psnr": [10 * second] * 3})
    records += measured("c", "one", {"lpips": [0.3] * 3, "psnr": [1.0] * 3})
    table = one(records)
    one_, two = table.columns
    found = view_ranks(table, records, {"one": [one_], "two": [two], "all": [one_, two]})
    places = {
        (name, view): {row.model: rank and rank.place for row, rank in zip(table.rows, ranks, strict=True)}
        for name, views in found.items()
        for view, ranks in views.items()
    }
    assert places["lpips", "one"] == {"a": 1, "b": 2, "c": 3}
    assert places["lpips", "two"] == places["lpips", "all"] == {"a": 2, "b": 1, "c": None}
    assert places["psnr", "one"] == {"a": 2, "b": 1, "c": 2}
    assert places["psnr", "two"] == places["psnr", "all"] == {"a": 1, "b": 2, "c": None}
    assert view_ranks(table, records, {"none": [one_]})["lpips"]["none"] == found["lpips"]["one"]


@pytest.mark.parametrize(("by", "equal"), [(0.8e-12, True), (1.2e-12, False), (5e-12, False)])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 40.0])
def test_means_are_equal_within_a_trillionth_of_themselves(by: float, equal: bool, scale: float) -> None:
    first, second = np.array([scale * (1 + by)]), np.array([scale])
    assert (apart(first, second)[0] == 0) == equal
    view = [(np.repeat([first, second], 6, axis=1), independent(6, "seed"))]
    places = [rank.place for rank in ranks(view, higher_is_better=True)]
    assert places == ([1, 1] if equal else [1, 2])
    assert [rank.place for rank in ranks(view, higher_is_better=False)] == ([1, 1] if equal else [2, 1])


@pytest.mark.parametrize(("psnr", "flagged"), [(19.01, False), (18.99, True), (11.0, True)])
def test_a_row_more_than_a_decibel_below_bicubic_is_flagged(psnr: float, flagged: bool) -> None:
    records = measured("bicubic", "s", {"psnr": [20.0] * 2, "lpips": [0.5] * 2})
    records += measured("m", "s", {"psnr": [psnr] * 2, "lpips": [0.1] * 2})
    assert [line.partition(" by more")[0] for line in one(records).flags] == ["below bicubic"] * flagged


@pytest.mark.parametrize(("damaged", "flagged"), [(0.6, False), (0.5, True), (0.4, True)])
def test_an_attack_that_does_no_more_than_noise_is_flagged(damaged: float, flagged: bool) -> None:
    noise, attack = attacked("random"), attacked("rsr")
    records = measured("m", "s", {"lpips": [0.3]}) + measured("m", "s", {"lpips": [0.5]}, **noise)
    table = one(records + measured("m", "s", {"lpips": [damaged]}, **attack))
    assert [line.partition(" on ")[0] for line in table.flags] == ["weak attack: rsr"] * flagged
