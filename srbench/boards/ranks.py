"""Compute ranks that say no more than the images do: rows whose difference may be chance share one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from srbench.boards.stats import (
    ENDS,
    LEAST,
    RESAMPLES,
    ROUNDING,
    Array,
    Draws,
    apart,
    interval,
    resampled_means,
)

_FEW = 100

ColumnValues = Sequence[tuple[Array, Draws]]
"""A data set gives a metric of every row, shape (rows, images), and how the images are resampled."""


class Rank(NamedTuple):
    """Hold the rank of one of n rows.

    Attributes:
        place: 1 + how many rows are certainly better. Also the best rank that the uncertainty allows.
        last: n - how many rows are certainly worse: the worst rank that it allows.
    """

    place: int
    last: int


def ranks(view: ColumnValues, *, higher_is_better: bool) -> list[Rank]:
    """Rank every row by the mean over the data sets of its means over images.

    A row is certainly better than another where the 95 % bootstrap interval of their paired difference
    leaves out zero (:func:`certainly_below`). Rows that are not certainly apart usually share a place; they
    need not, since "not certainly apart" is not transitive.
    """
    below = certainly_below(view)
    better = below.T if higher_is_better else below
    n = len(better)
    return [Rank(1 + int(better[:, row].sum()), n - int(better[row].sum())) for row in range(n)]


def certainly_below(view: ColumnValues) -> npt.NDArray[np.bool_]:
    """Return whether row i's mean is certainly below row j's, shape (rows, rows).

    Each pair is compared on the images that both rows have, with the same resamples for both. Where the
    images they share show fewer than six photographs, or those of one data set a single one, nothing is
    certain.
    """
    defined = np.concatenate([np.isfinite(values) for values, _ in view], axis=1)
    below = np.zeros((len(defined), len(defined)), dtype=np.bool_)
    # Rows that miss the same images, as most rows miss none, have the same resamples and go together.
    patterns, pattern_of = np.unique(defined, axis=0, return_inverse=True)
    groups = [np.flatnonzero(pattern_of.ravel() == number) for number in range(len(patterns))]
    for p, q in combinations_with_replacement(range(len(patterns)), 2):
        shared = patterns[p] & patterns[q]
        if len(np.unique(np.concatenate([draws.sources for _, draws in view])[shared])) < LEAST:
            continue
        first = _average(view, shared, groups[p])
        second = first if p == q else _average(view, shared, groups[q])
        ours = _places(first)
        theirs = ours if p == q else _places(second)
        for k, row in enumerate(groups[p]):
            left = slice(k + 1 if p == q else 0, None)  # a pair is looked at once
            for sign, place in ((1.0, (row, groups[q][left])), (-1.0, (groups[q][left], row))):
                below[place] = _lower(first[k], second[left], sign, ours[k], theirs[left])
    return below


def _average(view: ColumnValues, shared: npt.NDArray[np.bool_], rows: npt.NDArray[np.intp]) -> Array:
    """Return means over the data sets in each resample, of the shared images alone: (rows, resamples).

    Resamples that hold none of them are left out.
    """
    total = np.zeros((RESAMPLES, len(rows)))
    start = 0
    for values, draws in view:
        used = shared[start : start + values.shape[1]]
        total += resampled_means(
            values[np.ix_(rows, used)], Draws(draws.counts[:, used], draws.sources[used])
        )
        start += values.shape[1]
    return np.ascontiguousarray(total[np.isfinite(total[:, 0])].T / len(view))


def _places(means: Array) -> Array:
    """Return four of each row's draws by their place in the order, (rows, 4), the least first.

    Few draws are below the first or above the last; more than half and a few are at most the third, or at
    least the second. :func:`_lower` has to look at no pair that these decide. NaN where draws are too few.
    """
    n = means.shape[1]
    if n < _FEW:
        return np.full((len(means), 4), np.nan)
    low, high = _last_place(n) // 2, n // 2 + _last_place(n)
    places = [low, n - 1 - high, high, n - 1 - low]
    return np.partition(means, places, axis=1)[:, places]


def _last_place(n: int) -> int:
    """Return the place of the draw just below the interval's lower end, of n in their order."""
    return int(ENDS[0] / 100 * (n - 1))


def _lower(
    means: Array, others: Array, sign: float, places: Array, others_places: Array
) -> npt.NDArray[np.bool_]:
    """Return, for each of the others, whether the interval of ``sign * (other - mean)`` is above zero.

    The lower end lies between the draws at two neighbouring places in their order. So counting the draws
    above zero decides, unless zero lies between these two; a percentile of every pair would take far longer.
    Most pairs need no counting: where a row's low draws are above the other's high ones nearly all draws of
    their difference are, and where its middle is below the other's middle too many are not.
    """
    n = len(means)
    if not n or not len(others):
        return np.zeros(len(others), dtype=np.bool_)
    margin = ROUNDING * np.abs(means)
    certain: npt.NDArray[np.bool_]
    if sign > 0:
        certain = others_places[:, 0] > places[3] + margin.max()
        never = others_places[:, 2] <= places[1]
    else:
        certain = others_places[:, 3] < places[0] - margin.max()
        never = others_places[:, 1] >= places[2]
    undecided = np.flatnonzero(~certain & ~never)
    ahead = others[undecided]
    above = ahead > means + margin if sign > 0 else ahead < means - margin
    not_above = n - np.count_nonzero(above, axis=1)
    certain[undecided] = not_above <= _last_place(n)
    for close in undecided[not_above == _last_place(n) + 1]:
        certain[close] = interval(sign * apart(others[close], means))[0] > 0
    return certain
