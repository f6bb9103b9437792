"""Figures are their records: curves, matrix and ablation show what the records say."""

from __future__ import annotations

import numpy as np
import pytest
from figure_cases import BOARDS, made
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench.boards.csv_records import read_csv
from srbench.boards.frame import frame
from srbench.figures import ablation, curves, matrix, style
from srbench.metrics import metric


def test_curves_are_the_means_of_the_records() -> None:
    records = made()
    found = {(c.model, c.attack): c for c in curves.plotted_curves(records, "lpips")}
    assert {attack for _, attack in found} == {curves.RANDOM_LABEL, "rsr", "jpeg"}
    table = frame(records)
    for (model, attack), curve in found.items():
        prefix = {curves.RANDOM_LABEL: "random", "rsr": "rsr"}.get(attack)
        names = {4.0: f"{prefix}@4", 14.0: prefix} if prefix else {1.0: "jpeg:1", 2.0: "jpeg:2"}
        assert [x for x, _ in curve.points] == [0.0, *names]
        assert curve.axis == ("linf" if prefix else "severity")
        for (_, mean), name in zip(curve.points, ["none", *names.values()], strict=True):
            rows = table[(table.model == model) & (table.attack == name)]
            assert mean.value == pytest.approx(rows.groupby("dataset").lpips.mean().mean())
            assert mean.low < mean.value < mean.high
    first = [c for c in found.values() if c.model == "bicubic" and c.axis == "linf"]
    assert first[0].attack == curves.RANDOM_LABEL


def test_a_point_on_other_images_is_left_out() -> None:
    records = made()
    lacking = [
        r
        for r in records
        if (r.model, r.attack, r.image, r.dataset) != ("bicubic", "rsr@4", "i1", "aim-mini")
    ]
    found = {(c.model, c.attack): [x for x, _ in c.points] for c in curves.plotted_curves(lacking, "psnr")}
    assert found["bicubic", "rsr"] == [0.0, 14.0]
    assert found["clean-net", "rsr"] == [0.0, 4.0, 14.0]
    assert found["bicubic", "random noise"] == [0.0, 4.0, 14.0]


def test_an_attack_on_one_set_is_compared_with_the_clean_input_of_that_set() -> None:
    records = [r for r in made() if r.attack == "none" or r.dataset == "aim-mini"]
    table = frame(records)
    clean = table[(table.attack == "none") & (table.dataset == "aim-mini")].groupby("model").psnr.mean()
    for curve in curves.plotted_curves(records, "psnr"):
        assert curve.points[0][1].value == pytest.approx(clean[curve.model])


def test_two_settings_of_one_attack_at_one_radius_are_no_curve() -> None:
    twin = [
        r.model_copy(update={"attack": "rsr@14.0", "attack_hash": "another"})
        for r in made()
        if r.attack == "rsr"
    ]
    found = {
        (c.model, c.attack): [x for x, _ in c.points] for c in curves.plotted_curves(made() + twin, "psnr")
    }
    assert found["bicubic", "rsr"] == [0.0, 4.0]


@settings(max_examples=3, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_order_of_records_shows(random: object) -> None:
    records = made()
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert curves.plotted_curves(shuffled, "lpips") == curves.plotted_curves(records, "lpips")
    one, two = (matrix.matrix(r, "psnr") for r in (records, shuffled))
    assert (one.rows, one.columns, one.marks) == (two.rows, two.columns, two.marks)
    assert np.array_equal(one.values, two.values)


def test_the_matrix_is_the_pivot_of_the_committed_records() -> None:
    records = read_csv(BOARDS / "mini1" / "records.csv")
    found = matrix.matrix(records, "lpips")
    assert found.columns == ["ntire", "aim"]
    assert found.rows == [
        "nothing learned",
        "clean (2 models)",
        "ntire (2 models)",
        "aim (2 models)",
        "adversarial",
        "blind",
    ]
    table = frame(r for r in records if not r.attack_hash)
    pivot = (
        table.groupby(["training_domain", "dataset_domain", "model"])
        .lpips.mean()
        .groupby(["training_domain", "dataset_domain"])
        .mean()
        .unstack()
    )
    rows = ["none", "clean", "ntire", "aim", "adversarial", "blind"]
    assert found.values == pytest.approx(pivot.loc[rows, found.columns].to_numpy())
    assert found.marks[2:5] == [
        ["in-domain", "out-of-domain"],
        ["out-of-domain", "in-domain"],
        ["generalist", "generalist"],
    ]
    attacked = matrix.matrix(records, "psnr", attack="strong", by="model")
    means = (
        frame(r for r in records if r.attack == "strong").groupby(["model", "dataset"]).psnr.mean().unstack()
    )
    assert attacked.values == pytest.approx(means.loc[attacked.rows, attacked.columns].to_numpy())


@pytest.mark.parametrize("name", ["lpips", "psnr"])
def test_arrows_of_turned_labels_point_where_they_should(name: str) -> None:
    """A label is turned by 90 degrees against the clock, and its arrow with it."""
    from matplotlib.text import Text

    ablated = read_csv(BOARDS / "ablation-mini" / "records.csv")
    turned = {"←": "↓", "→": "↑", "↓": "→", "↑": "←"}
    for figure in (
        curves.draw(made(models=2), name),
        matrix.draw(made(models=2), name),
        ablation.draw(ablated, ablation.suite_settings("ablation-mini"), name),
    ):
        labels = [label for label in figure.findobj(Text) if metric(name).title in label.get_text()]
        assert labels
        for label in labels:
            (arrow,) = (turned[sign] for sign in label.get_text() if sign in turned)
            assert (label.get_rotation(), arrow) == (90, metric(name).arrow)


def test_a_cell_that_was_not_measured_is_empty() -> None:
    records = [r for r in made(clean=True) if (r.model, r.dataset) != ("blind-net", "aim-mini")]
    found = matrix.matrix(records, "lpips")
    empty = [(found.rows[y], found.columns[x]) for y, x in np.argwhere(np.isnan(found.values)).tolist()]
    assert empty == [("blind", "aim")]
    matrix.draw(records)


def test_the_ablation_has_the_runs_that_differ_in_one_setting() -> None:
    records = read_csv(BOARDS / "ablation-mini" / "records.csv")
    found = ablation.factors(records, "lpips", ablation.suite_settings("ablation-mini"))
    # Table 1 of the paper: its first row, and what the others change of it.
    assert {f.name: f.values for f in found} == {
        "eps": (10, 12, 14, 16, 18),
        "steps": (2, 4, 6, 8),
        "structure": (1, 1.5, 2),
        "loss": ("l1", "l1+percep", "percep"),
    }
    assert {f.name: f.values[f.base] for f in found} == {
        "eps": 14,
        "steps": 2,
        "structure": 1.5,
        "loss": "l1+percep",
    }
    means = frame(records).groupby(["model", "dataset"]).lpips.mean()
    eps = found[0]
    for place, value in enumerate(eps.values):
        model = f"eps{value:g}-steps2-structure1.5-l1-percep"
        for dataset in ("ntire-mini", "aim-mini"):
            assert eps.lines[dataset][place].value == pytest.approx(means[model, dataset])
        assert eps.lines[ablation.AVERAGE][place].value == pytest.approx(means[model].mean())
    assert len({f.lines[ablation.AVERAGE][f.base] for f in found}) == 1
    assert ablation.factors(records[::-1], "lpips", ablation.suite_settings("ablation-mini")) == found


def test_no_two_of_seventy_lines_look_alike() -> None:
    assert len({tuple(style.line(n).values()) for n in range(70)}) == 70
