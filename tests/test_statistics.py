"""Bootstrap, ranks, signed ranks and Holm against scipy, brute force and numbers worked out by hand."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from helpers import independent, record
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from srbench.boards.compute import tables
from srbench.boards.paired import compare
from srbench.boards.ranks import certainly_below, ranks
from srbench.boards.significance import holm, wilcoxon
from srbench.boards.site.data import site
from srbench.boards.stats import Array, interval, resampled_means
from srbench.errors import BadInput
from srbench.store.record import Record

pytestmark = pytest.mark.usefixtures("few_images_will_do")

NAN = float("nan")
# Few levels make ties likely, and NaN is a value a metric may not have.
LEVELS = st.sampled_from([0.1, 0.2, 0.3, 0.5, NAN])


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def measured(model: str, *sets: Array | list[float], name: str = "lpips") -> list[Record]:
    """Records of a model with these values, one data set each; NaN is undefined."""
    return [
        record(
            model=model,
            dataset=f"set-{place}",
            dataset_hash=f"{place:064x}",
            dataset_images=len(values),
            image=f"{index:03}",
            metrics={name: None if np.isnan(value) else float(value)},
        )
        for place, values in enumerate(sets)
        for index, value in enumerate(values)
    ]


@settings(max_examples=20, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 8)), elements=LEVELS))
def test_resampled_means_are_weighted_means(values: Array) -> None:
    draws = independent(values.shape[1], "seed")
    counts = draws.counts
    together = resampled_means(values, draws)
    assert counts.sum(axis=1).tolist() == [values.shape[1]] * 10_000
    for row, means in zip(values, together.T, strict=True):
        np.testing.assert_allclose(resampled_means(row, draws), means, rtol=1e-12)
        defined = np.isfinite(row)
        if defined.sum() < 2:
            assert np.isnan(means).all()
            continue
        for weights, mean in zip(counts[:50, defined], means[:50], strict=True):
            if weights.sum():
                assert mean == pytest.approx(np.average(row[defined], weights=weights))
            else:
                assert np.isnan(mean)


@pytest.mark.parametrize("spread", [0.01, 0.1])
def test_a_difference_is_paired_and_agrees_with_scipy(spread: float) -> None:
    generator = np.random.default_rng(5)
    base = generator.uniform(0.2, 0.8, (2, 40))
    better = base - generator.normal(0.02, spread, (2, 40))
    a, b = measured("a", *better), measured("b", *base)
    found = compare(a, b, "lpips").overall
    apart = better - base
    assert found.value == pytest.approx(apart.mean())
    assert (found.wins, found.losses, found.images) == ((apart < 0).sum(), (apart > 0).sum(), 80)
    theirs = stats.bootstrap(
        tuple(apart), lambda a, b, axis: (a.mean(axis) + b.mean(axis)) / 2, method="percentile", rng=1
    ).confidence_interval
    # Two bootstraps of 10,000 resamples differ by a few hundredths of their width.
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.05 * (theirs.high - theirs.low))
    assert found.certain == (theirs.high < 0)
    back = compare(b, a, "lpips").overall
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert (back.wins, back.losses) == (found.losses, found.wins)


def test_every_data_set_is_compared_on_its_own_too() -> None:
    generator = np.random.default_rng(6)
    values = generator.uniform(0, 1, (2, 2, 15))
    found = compare(measured("a", *values[0]), measured("b", *values[1]), "lpips")
    for place, (difference, means, test) in enumerate(found.sets.values()):
        apart = values[0, place] - values[1, place]
        assert difference.value == pytest.approx(apart.mean())
        assert means == pytest.approx(values[:, place].mean(axis=1))
        assert test.p == stats.wilcoxon(apart).pvalue
        theirs = stats.bootstrap((apart,), np.mean, method="percentile", rng=1).confidence_interval
        assert (difference.low, difference.high) == pytest.approx(tuple(theirs), abs=0.02)


def test_a_difference_takes_only_images_both_have() -> None:
    a, b = measured("a", [0.1, 0.2], [0.3]), measured("b", [0.4, NAN], [0.3], [0.9])
    found = compare(a, b, "lpips")
    assert (found.overall.images, found.overall.wins, found.lone) == (2, 1, 2)
    assert found.overall.value == pytest.approx(-0.15)
    assert np.isnan(found.overall.low) and not found.overall.certain
    assert [test.reason for *_, test in found.sets.values()] == ["a single image", "no image differs"]
    with pytest.raises(BadInput, match="no image has LPIPS of both under rsr"):
        compare(a, b, "lpips", "rsr")
    with pytest.raises(BadInput, match="no image has LPIPS of both under none"):
        compare(a, [], "lpips")


def test_wins_follow_the_metrics_direction() -> None:
    a, b = (measured(m, v, name="psnr") for m, v in (("a", [20.0, 21, 22]), ("b", [19.0, 21, 23])))
    found = compare(a, b, "psnr").overall
    assert (found.wins, found.losses, found.images) == (1, 1, 3)


def below_by_percentiles(first: list[Array], second: list[Array]) -> bool:
    """The definition: the interval of the paired difference on the images both have lies below zero."""
    draws = []
    for place, (a, b) in enumerate(zip(first, second, strict=True)):
        counts = independent(len(a), f"{place}")
        difference = np.where(np.isfinite(b), a, NAN) - np.where(np.isfinite(a), b, NAN)
        draws.append(resampled_means(difference, counts))
    # Of such values no mean is nearer to zero than that, but for rounding.
    return interval(np.round(np.mean(draws, axis=0), 9))[1] < 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_certainty_is_what_the_percentiles_of_every_pair_say(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3))
    rows = data.draw(st.integers(1, 4))
    values = [data.draw(arrays(np.float64, (rows, size), elements=LEVELS)) for size in sizes]
    found = certainly_below([(v, independent(v.shape[1], f"{k}")) for k, v in enumerate(values)])
    expected = [
        [below_by_percentiles([v[i] for v in values], [v[j] for v in values]) for j in range(rows)]
        for i in range(rows)
    ]
    assert found.tolist() == expected


@pytest.mark.parametrize(("share", "certain"), [(-0.5, True), (0.9, True), (0.99, False), (1.5, False)])
def test_certainty_to_the_last_resample(share: float, certain: bool) -> None:
    """Zero between two neighbouring draws: it turns at 0.975 of the way, where the percentile lies."""
    values = np.random.default_rng(3).normal(0, 1, 30)
    counts = independent(30, "0")
    draws = np.sort(resampled_means(values, counts))
    zero = draws[249] + share * (draws[250] - draws[249])
    view = [(np.stack([np.zeros(30), values - zero]), counts)]
    assert certainly_below(view).tolist() == [[False, certain], [False, False]]


def of(*sets: list[list[float]], higher_is_better: bool = False) -> list[tuple[int, int]]:
    view = [(np.array(rows), independent(len(rows[0]), f"{k}")) for k, rows in enumerate(sets)]
    return [tuple(rank) for rank in ranks(view, higher_is_better=higher_is_better)]


def test_ranks_by_hand() -> None:
    clear = [[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.3, 0.4, 0.5]]
    assert of(clear) == [(1, 1), (2, 2), (3, 3)]
    assert of(clear, higher_is_better=True) == [(3, 3), (2, 2), (1, 1)]
    # The first two are equal, the third is worse than both.
    assert of([clear[0], clear[0], clear[2]]) == [(1, 2), (1, 2), (3, 3)]
    # A set on which the first is better and one on which it is worse by as much.
    assert of(clear[:2], clear[1::-1]) == [(1, 2), (1, 2)]
    # Not transitive: the middle one is apart from neither, the outer two are apart.
    assert of([[0.1, 0.1, 0.1, 0.1], [0.0, 0.3, 0.2, 0.1], [0.2, 0.2, 0.2, 0.2]]) == [(1, 2), (1, 3), (2, 3)]


def test_a_single_image_ranks_nothing() -> None:
    assert of([[0.1], [0.9], [0.5]]) == [(1, 3)] * 3
    assert of([[0.1, 0.1], [0.9, 0.9]], [[0.1], [0.9]]) == [(1, 2)] * 2
    # Two rows that share one image; the third shares two with each.
    assert of([[0.1, 0.1, NAN], [NAN, 0.9, 0.9], [0.5, 0.5, 0.5]]) == [(1, 2), (2, 3), (2, 2)]


def test_differences_that_cancel_are_no_difference() -> None:
    # In floats 0.1 + 0.2 is more than 0.15 + 0.15.
    a, b = [[0.1, 0.1], [0.2, 0.2]], [[0.15, 0.15], [0.15, 0.15]]
    found = compare(measured("a", *a), measured("b", *b), "lpips").overall
    assert (found.low, found.high, found.certain) == (0.0, 0.0, False)
    assert of([a[0], b[0]], [a[1], b[1]]) == [(1, 2), (1, 2)]


def test_equal_rows_are_equal_whatever_the_rounding() -> None:
    values = np.random.default_rng(0).normal(25, 3, 97).tolist()
    assert of([values] * 7) == [(1, 7)] * 7


@settings(max_examples=15, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 6)), elements=LEVELS))
def test_ranks_are_bounds_of_an_order(values: Array) -> None:
    values = np.nan_to_num(values, nan=0.4)
    found = of(values.tolist())
    n = len(found)
    assert all(1 <= place <= last <= n for place, last in found)
    assert min(place for place, _ in found) == 1 and max(last for _, last in found) == n
    assert found[int(values.mean(axis=1).argmin())][0] == 1
    assert of(values[::-1].tolist()) == found[::-1]
    assert of((-values).tolist(), higher_is_better=True) == found


def test_a_leaderboard_ranks_full_rows_only_and_sorts_by_the_mean() -> None:
    records = measured("better", [0.1, 0.2, 0.3]) + measured("worse", [0.2, 0.3, 0.4])
    records += measured("part", [0.0, 0.1, 0.2])[:2] + measured("gap", [0.1, 0.35, NAN])
    (table,) = tables(records)
    assert [(row.model, row.rank, row.rank_interval) for row in table.rows] == [
        ("better", 1, (1, 1)),
        ("worse", 2, (2, 2)),
        ("part", None, None),
        ("gap", None, None),
    ]
    assert np.isnan(tables(measured("one", [0.3]))[0].rows[0].average["lpips", "none"].low)


def test_the_page_has_the_same_ranks_and_no_interval_of_one_image() -> None:
    records = measured("a", [0.1, 0.2], [0.5]) + measured("b", [0.2, 0.3], [0.4])
    (board,) = site(records).page["boards"]
    assert board["ranks"]["lpips"] == {
        "0": [[1, 1, 2], [1, 1, 2]],
        "0/0": [[1, 1, 1], [2, 2, 2]],
        "0/1": [[1, 1, 2], [1, 1, 2]],
    }
    assert board["means"]["lpips"][0][1] == [0.5, None, None, 1, 1]
    assert board["average"]["lpips"][0][0] == [pytest.approx(0.325), None, None, 3, 3]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-6, 6) | st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=60))
def test_wilcoxon_is_scipys(apart: list[float]) -> None:
    found = wilcoxon(np.array(apart, dtype=np.float64))
    if any(apart):
        assert found == (stats.wilcoxon(apart).pvalue, "")
    else:
        assert found == (1.0, "no image differs")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8, unique=True), st.randoms())
def test_wilcoxon_is_the_share_of_all_signs(sizes: list[int], random: object) -> None:
    apart = np.array([size * random.choice([-1, 1]) for size in sizes], dtype=np.float64)  # type: ignore[attr-defined]
    order = stats.rankdata(np.abs(apart))
    far = abs((np.sign(apart) * order).sum())
    sums = [abs(np.dot(signs, order)) for signs in product([-1, 1], repeat=len(apart))]
    assert wilcoxon(apart).p == pytest.approx(np.mean(np.array(sums) >= far))


def test_wilcoxon_where_nothing_can_be_tested() -> None:
    assert wilcoxon(np.array([0.3])) == (1.0, "a single image")
    assert wilcoxon(np.array([0.0])) == (1.0, "no image differs")
    assert wilcoxon(np.zeros(5)) == (1.0, "no image differs")
    assert np.isnan(wilcoxon(np.array([])).p) and wilcoxon(np.array([])).reason == "no image in common"
    assert wilcoxon(np.array([0.0, 0.0, 0.4])).p == 1.0
    assert wilcoxon(np.full(5, 0.1) * np.arange(1, 6)).p == pytest.approx(2 / 2**5)


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04; none below one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([]) == [] and holm([0.2]) == [0.2]
    assert holm([NAN, 0.01, 0.02]) == pytest.approx([NAN, 0.02, 0.02], nan_ok=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_its_steps_reject(values: list[float], level: float) -> None:
    """The procedure as published: the smallest p against level / m, the next against level / (m - 1), …"""
    rejected = [False] * len(values)
    for step, place in enumerate(np.argsort(values)):
        if values[place] * (len(values) - step) > level:
            break
        rejected[place] = True
    assert [p <= level for p in holm(values)] == rejected
