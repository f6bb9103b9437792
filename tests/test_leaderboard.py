"""Leaderboards from hand-made records: averages, ranks, marks, intervals, what may share a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from helpers import independent, record
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from srbench.boards import files, terminal, text
from srbench.boards.compute import tables
from srbench.boards.stats import resample_counts, resampled_means
from srbench.boards.table import Table
from srbench.store.record import Record

pytestmark = pytest.mark.usefixtures("few_images_will_do")


def cell(model: str, dataset: str, lpips: list[float | None], **changes: object) -> list[Record]:
    fields = {"dataset_images": len(lpips), "dataset_hash": dataset * 8} | changes
    return [
        record(model=model, dataset=dataset, image=f"i{k}", metrics={"lpips": v, "psnr": 20.0}, **fields)
        for k, v in enumerate(lpips)
    ]


def one(records: list[Record]) -> Table:
    (table,) = tables(records, dataset_order=["ntire", "aim"])
    return table


def test_average_is_the_mean_of_set_means_and_ranks() -> None:
    table = one(
        cell("a", "ntire", [0.2, 0.4])
        + cell("a", "aim", [0.5] * 4)
        + cell("b", "ntire", [0.1, 0.1])
        + cell("b", "aim", [0.6] * 4)
    )
    # Resamples of ntire that draw 0.2 twice give a difference of zero: the rank is shared.
    assert [(r.model, r.rank, r.rank_interval) for r in table.rows] == [("b", 1, (1, 2)), ("a", 1, (1, 2))]
    assert [c.dataset for c in table.columns] == ["ntire", "aim"]
    a = table.rows[1]
    assert a.average["lpips", "none"].value == pytest.approx((0.3 + 0.5) / 2)
    assert a.worst["none"] == pytest.approx(0.5)
    assert table.rank_by == "lpips"


def test_psnr_ranks_upwards_where_it_must() -> None:
    records = [
        record(model=name, metrics={"fsim": value, "psnr": 1.0}, dataset_images=1)
        for name, value in (("low", 0.7), ("high", 0.9))
    ]
    table = one(records)
    assert table.rank_by == "fsim"
    assert table.rank_choice == "lpips"
    assert [r.model for r in table.rows] == ["high", "low"]
    assert any("ranks by LPIPS" in line for line in text.notes(table))


def test_ranking_falls_to_fsim_when_one_row_lacks_lpips() -> None:
    records = [
        record(model="a", metrics={"fsim": 0.7, "lpips": 0.1}, dataset_images=1),
        record(model="b", metrics={"fsim": 0.9}, dataset_images=1),
    ]
    assert one(records).rank_by == "fsim"


def test_protocols_and_kinds_never_share_a_table() -> None:
    records = [
        record(),
        record(protocol_hash="q" * 64),
        record(protocol="y", protocol_hash="r" * 64),
        record(dataset="folder", dataset_kind="no-reference", metrics={"niqe": 4.0}),
    ]
    found = tables(records)
    assert len(found) == 4
    assert len({(t.protocol, t.protocol_hash, t.kind) for t in found}) == 4


def test_two_contents_of_one_set_are_two_columns() -> None:
    table = one(cell("a", "ntire", [0.1]) + cell("a", "ntire", [0.9], dataset_hash="f" * 64))
    assert len(table.columns) == 2
    assert len({table.column_title(c) for c in table.columns}) == 2


@pytest.mark.parametrize(
    ("training", "shown", "mark"),
    [
        ("ntire", "ntire", "in-domain"),
        ("ntire", "aim", "out-of-domain"),
        ("adversarial", "aim", "generalist"),
        ("blind", "clean", "generalist"),
        ("none", "aim", ""),
        ("unknown", "aim", ""),
        ("clean", "unknown", ""),
    ],
)
def test_domain_marks(training: str, shown: str, mark: str) -> None:
    table = one([record(training_domain=training, dataset_domain=shown)])
    assert set(table.rows[0].marks.values()) == {mark}


def test_a_partial_row_is_shown_last_and_not_ranked() -> None:
    table = one(cell("full", "ntire", [0.5, 0.5]) + cell("part", "ntire", [0.1, 0.1])[:1])
    assert [(r.model, r.rank) for r in table.rows] == [("full", 1), ("part", None)]
    assert "1 of 2 images on ntire" in table.rows[1].partial
    assert any("part is not ranked" in line for line in text.notes(table))


def test_undefined_values_do_not_take_part() -> None:
    table = one(cell("a", "ntire", [0.2, None, 0.4]))
    mean = table.rows[0].means["lpips", table.columns[0]]
    assert mean.value == pytest.approx(0.3)
    assert mean.n == 2


def test_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).normal(0.4, 0.1, 60)
    mean = one(cell("a", "ntire", list(values))).rows[0].average["lpips", "none"]
    reference = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(2)
    ).confidence_interval
    width = reference.high - reference.low
    assert mean.low == pytest.approx(reference.low, abs=0.05 * width)
    assert mean.high == pytest.approx(reference.high, abs=0.05 * width)


def test_intervals_are_paired_and_reproducible() -> None:
    shifted = one(cell("a", "ntire", [0.1, 0.4, 0.3]) + cell("b", "ntire", [0.2, 0.5, 0.4]))
    a, b = (row.average["lpips", "none"] for row in shifted.rows)
    assert b.low - a.low == pytest.approx(0.1)
    assert b.high - a.high == pytest.approx(0.1)
    assert resample_counts(7, "x").tolist() == resample_counts(7, "x").tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_resampled_means_stay_within_the_values(values: list[float]) -> None:
    means = resampled_means(np.array(values), independent(len(values), "seed"))
    assert means.shape == (10_000,)
    assert means.min() >= min(values) - 1e-9
    assert means.max() <= max(values) + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(random: object) -> None:
    records = cell("a", "ntire", [0.1, 0.3]) + cell("b", "ntire", [0.2, 0.2]) + cell("b", "aim", [0.2, 0.6])
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert files.as_json(tables(shuffled)) == files.as_json(tables(records))


def test_files(tmp_path: Path) -> None:
    records = cell("a", "ntire", [0.2, 0.4], training_domain="ntire", dataset_domain="ntire")
    records += cell("b", "ntire", [0.1, None], dataset_domain="ntire")
    records += cell("c", "ntire", [0.3, 0.5], training_domain="ntire", dataset_domain="ntire")
    files.write_all(tmp_path / "out", tables(records), records, ["esrgan is not installed"])
    written = {f.name for f in (tmp_path / "out").iterdir()}
    assert written == {"leaderboard.md", "leaderboard.csv", "leaderboard.json", "records.csv"}
    rows = pd.read_csv(tmp_path / "out" / "records.csv")
    assert list(rows.columns[:7]) == ["model", "dataset", "image", "attack", "protocol", "psnr", "lpips"]
    assert len(rows) == 6
    assert rows["lpips"].isna().sum() == 1
    nested = json.loads((tmp_path / "out" / "leaderboard.json").read_text())
    assert [row["model"] for row in nested[0]["rows"]] == ["a", "c", "b"]
    assert nested[0]["rows"][0]["average"]["none"]["lpips"]["mean"] == pytest.approx(0.3)
    flat = pd.read_csv(tmp_path / "out" / "leaderboard.csv")
    chosen = flat[(flat.model == "a") & (flat.metric == "lpips") & (flat.dataset == "average")]
    assert chosen["value"].item() == pytest.approx(0.3)
    markdown = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "| 1 | a | ntire |" in markdown
    assert "| 2 | c | ntire |" in markdown
    assert "| – | b | – | **20.00** | 0.1000 (1 of 2) | – |" in markdown
    assert "- b is not ranked: LPIPS on only 1 of 2 images of ntire." in markdown
    assert "**0.3000** ●" in markdown
    assert markdown.endswith("- esrgan is not installed\n")


@pytest.mark.parametrize("width", [70, 200])
def test_terminal_never_cuts_a_number(width: int) -> None:
    table = one(
        cell("a-model-with-a-long-name", "ntire", [0.2]) + cell("a-model-with-a-long-name", "aim", [0.4])
    )
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    terminal.show(console, table)
    shown = console.export_text()
    assert "0.2000" in shown
    assert "0.4000" in shown
    assert "…" not in shown


def test_only_the_metrics_asked_for_are_shown_and_ranked_by() -> None:
    (table,) = tables([record(metrics={"fsim": 0.5, "lpips": 0.1, "psnr": 20.0})], metrics=["psnr", "fsim"])
    assert table.metrics == ["psnr", "fsim"]
    assert table.rank_by == "fsim"


def test_a_metric_nobody_has_is_a_column_of_dashes() -> None:
    (table,) = tables([record(metrics={"fsim": 0.5}, dataset_images=1)], metrics=["lpips", "fsim", "niqe"])
    assert table.metrics == ["lpips", "fsim", "niqe"]
    assert "| – |" in files.markdown([table])
