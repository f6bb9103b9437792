"""Images of one photograph are no independent evidence: resampled, ranked, tested and counted together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers import record

import srbench
from srbench.boards import text
from srbench.boards.comparison import pairs
from srbench.boards.comparison_text import verdict
from srbench.boards.compute import tables
from srbench.boards.csv_records import read_csv
from srbench.boards.frame import frame
from srbench.boards.paired import compare
from srbench.boards.stats import Draws, resample_counts, resampled_means
from srbench.boards.table import Table
from srbench.datasets.selection import resolve
from srbench.store.record import Record


def measured(
    model: str,
    values: Sequence[float],
    sources: Sequence[str] | None,
    dataset: str = "set",
    digest: str = "d",
) -> list[Record]:
    """A model's LPIPS on images 00, 01, … of a set, each showing a photograph."""
    return [
        record(
            model=model,
            weights_sha256=model,
            dataset=dataset,
            dataset_hash=digest * 64,
            dataset_images=len(values),
            image=f"{number:02}",
            source="" if sources is None else sources[number],
            metrics={"lpips": value},
        )
        for number, value in enumerate(values)
    ]


def one(records: list[Record]) -> Table:
    (table,) = tables(records)
    return table


SIX_CROPS_OF_SEVEN = [f"photograph {number // 6}" for number in range(42)]
"""Seven photographs of six crops each; crops of one photograph have one difference, and little noise."""
EFFECTS = [-0.05, -0.04, -0.03, -0.02, -0.01, 0.02, 0.045]
"""Mean -0.012, standard error 0.0132: t = -0.93, far from certain at six degrees of freedom."""


def crops_with_one_effect_a_photograph() -> tuple[list[float], list[float]]:
    noise = np.random.default_rng(0).normal(0, 1e-3, 42)
    base = [0.3] * 42
    return [0.3 + EFFECTS[i // 6] + noise[i] for i in range(42)], base


def test_what_crops_make_certain_photographs_do_not() -> None:
    """The bootstrap over crops leaves out zero; the one over photographs does not, nor does Student's t."""
    ours, theirs = crops_with_one_effect_a_photograph()
    alone = compare(measured("a", ours, None), measured("b", theirs, None), "lpips").overall
    assert alone.high < 0 and alone.certain and not alone.recorded
    together = compare(
        measured("a", ours, SIX_CROPS_OF_SEVEN), measured("b", theirs, SIX_CROPS_OF_SEVEN), "lpips"
    ).overall
    assert together.value == alone.value
    assert together.low < 0 < together.high and not together.certain
    assert (together.images, together.photographs) == (42, 7)
    t = np.mean(EFFECTS) / (np.std(EFFECTS, ddof=1) / np.sqrt(7))
    assert abs(t) < 2.447

    for sources, ranks in ((None, [(1, 1), (2, 2)]), (SIX_CROPS_OF_SEVEN, [(1, 2), (1, 2)])):
        board = one(measured("a", ours, sources) + measured("b", theirs, sources))
        assert [row.rank_interval for row in board.rows] == ranks


def test_the_spread_is_that_of_the_photographs_means() -> None:
    """Closed form: with n equal clusters the bootstrap variance is that of their means over n (1 - 1/n)."""
    ours, _ = crops_with_one_effect_a_photograph()
    (row,) = one(measured("a", ours, SIX_CROPS_OF_SEVEN)).rows
    found = row.average["lpips", "none"]
    means = np.reshape(ours, (7, 6)).mean(1)
    half = 1.96 * means.std() / np.sqrt(7)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


def test_two_sets_of_the_same_photographs_are_drawn_together() -> None:
    """Their errors add up: the average over two equal sets is as uncertain as one of them."""
    values = np.random.default_rng(1).normal(0.4, 0.1, 12).tolist()
    own, other = [f"p{i}" for i in range(12)], [f"q{i}" for i in range(12)]
    widths = {}
    for name, second in (("shared", own), ("apart", other)):
        board = one(measured("a", values, own, "one", "1") + measured("a", values, second, "two", "2"))
        mean = board.rows[0].average["lpips", "none"]
        widths[name] = mean.high - mean.low
        assert board.photographs == (12 if name == "shared" else 24) and board.recorded
    single = one(measured("a", values, own)).rows[0].average["lpips", "none"]
    assert widths["shared"] == pytest.approx(single.high - single.low, rel=0.03)
    assert widths["apart"] == pytest.approx(widths["shared"] / np.sqrt(2), rel=0.06)


def test_one_photograph_says_nothing_of_others() -> None:
    board = one(measured("a", [0.1, 0.2, 0.3], ["p"] * 3))
    assert np.isnan(board.rows[0].average["lpips", "none"].low)
    draws = Draws(resample_counts(3, "s"), np.zeros(3, dtype=np.int64))
    assert np.isnan(resampled_means(np.array([0.1, 0.2, 0.3]), draws)).all()


@pytest.mark.parametrize(("count", "certain"), [(5, False), (6, True)])
@pytest.mark.parametrize("recorded", [True, False])
def test_fewer_than_six_photographs_make_nothing_certain(count: int, certain: bool, recorded: bool) -> None:
    """However clear it is: all of five are on one side by chance in one case of 16."""
    sources = [f"p{i}" for i in range(count)] if recorded else None
    a, b = (measured(m, [v] * count, sources) for m, v in (("a", 0.1), ("b", 0.9)))
    assert compare(a, b, "lpips").overall.certain is certain
    board = one(a + b)
    assert [row.rank_interval for row in board.rows] == ([(1, 1), (2, 2)] if certain else [(1, 2), (1, 2)])
    said = f"5 {'photographs' if recorded else 'images'} make no rank certain: 6 are needed."
    assert (said in text.notes(board)) is not certain


def test_the_signed_rank_test_is_over_photographs() -> None:
    """Six crops that all agree are one observation: scipy's p of the seven means."""
    from scipy import stats

    ours, theirs = crops_with_one_effect_a_photograph()
    a, b = (measured(m, v, SIX_CROPS_OF_SEVEN) for m, v in (("a", ours), ("b", theirs)))
    ((_, _, test),) = compare(a, b, "lpips").sets.values()
    means = (np.array(ours) - theirs).reshape(7, 6).mean(1)
    assert test.p == pytest.approx(stats.wilcoxon(means).pvalue)


def test_tables_and_comparisons_count_photographs() -> None:
    ours, theirs = crops_with_one_effect_a_photograph()
    a, b = (measured(m, v, SIX_CROPS_OF_SEVEN) for m, v in (("a", ours), ("b", theirs)))
    assert any("bootstrap over the 7 photographs that 42 images show" in n for n in text.notes(one(a + b)))
    (pair,) = pairs({"a": a, "b": b}, "lpips")
    assert "wins 30 of 42 images (of 7 photographs)" in verdict(pair)
    few = [measured(m, [v] * 5, [f"p{i}" for i in range(5)]) for m, v in (("a", 0.1), ("b", 0.9))]
    (pair,) = pairs({"a": few[0], "b": few[1]}, "lpips")
    assert "5 photographs are too few to be certain" in verdict(pair)


def test_the_mini_sets_know_their_photographs() -> None:
    """Twelve crops show five scenes, the same five in every mini set."""
    found = []
    for data in resolve(["clean-mini", "ntire-mini", "aim-mini"])[0]:
        found.append({image: data.load(image).photograph for image in data.ids})
    assert found[0] == found[1] == found[2]
    assert len(set(found[0].values())) == 5
    left, right = (found[0][name] for name in ("motorcycle_left-130-0", "motorcycle_right-0-485"))
    assert left == right


def test_records_say_what_they_show(tmp_path: Path) -> None:
    """Sets of equal HR agree on it without being told: LR of two degradations, one folder of HR."""
    for name, shade in (("a", 10), ("b", 60)):
        for number in range(2):
            _save(tmp_path / name / f"{number}.png", 8, shade + number)
    for number in range(2):
        _save(tmp_path / "hr" / f"{number}.png", 32, 100 + number)
    sets = [f"{name}=pairs:{tmp_path / name}:{tmp_path / 'hr'}" for name in "ab"]
    table = srbench.evaluate("bicubic", datasets=sets, metrics="psnr", store=tmp_path / "store")
    shown = {(row.dataset, row.image): row.source for row in table.itertuples()}
    assert shown["a", "0"] == shown["b", "0"] != shown["a", "1"] == shown["b", "1"]
    assert all(len(source) == 16 for source in shown.values())
    frame(read := srbench.boards.csv_records.from_frame(table)).to_csv(tmp_path / "r.csv", index=False)
    assert read_csv(tmp_path / "r.csv") == read


def _save(path: Path, side: int, shade: int) -> None:
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (side, side), (shade, shade, shade)).save(path)
