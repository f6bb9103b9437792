"""Compare two rows on the same images: the difference of their means and how sure it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from srbench.boards.resampling import Sources
from srbench.boards.significance import SignedRank, wilcoxon
from srbench.boards.stats import LEAST, Array, Codes, apart, interval, resampled_means
from srbench.boards.table import Column, column_of
from srbench.errors import BadInput
from srbench.metrics import metric
from srbench.store.record import Record


@dataclass(frozen=True)
class Difference:
    """Hold the first row's mean minus the second's.

    Attributes:
        value: mean over images within a data set, then over data sets.
        low, high: 95 % interval, bootstrap over photographs, the same draws for both rows; NaN where a data
            set shows a single one, which says nothing of others.
        wins, losses: images on which the first is better, and worse; on the others they are equal.
        images: images both were measured on.
        photographs: how many photographs these show.
        recorded: whether some record says so; else every image counts as one.
    """

    value: float
    low: float
    high: float
    wins: int
    losses: int
    images: int
    photographs: int
    recorded: bool

    @property
    def certain(self) -> bool:
        """Return whether the interval leaves out zero, and there are photographs enough to believe it."""
        return self.photographs >= LEAST and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class PairedComparison:
    """Hold what two rows differ by under one attack.

    Attributes:
        overall: over all data sets on which both have the metric.
        sets: by column, the difference there; each row's mean of the same images; the signed-rank test.
        lone: images on which not both have the metric, measured and defined; they do not take part.
        lacking: on how many of these the first has none, and the second.
    """

    overall: Difference
    sets: dict[Column, tuple[Difference, tuple[float, float], SignedRank]]
    lone: int
    lacking: tuple[int, int]


def compare(
    first: Iterable[Record], second: Iterable[Record], name: str, attack: str = "none"
) -> PairedComparison:
    """Compute the paired difference of a metric, on every data set and over them.

    Args:
        first, second: the records of one row each, of one protocol.
        name: the metric.
        attack: name of the attack, ``none`` for the images as they are.

    Raises:
        BadInput: no image has the metric for both.
    """
    first, second = list(first), list(second)
    first_values, second_values = (_values(records, name, attack) for records in (first, second))
    pairs: dict[Column, Array] = {}
    images: dict[Column, list[str]] = {}
    lone, lacking = 0, (0, 0)
    for column in sorted({*first_values, *second_values}):
        measured = first_values.get(column, {}).keys() | second_values.get(column, {}).keys()
        a, b = (_defined(values.get(column, {})) for values in (first_values, second_values))
        both = sorted(a.keys() & b.keys())
        lone += len(measured) - len(both)
        lacking = lacking[0] + len(measured) - len(a), lacking[1] + len(measured) - len(b)
        if both:
            images[column] = both
            pairs[column] = np.array([[of[image] for image in both] for of in (a, b)], dtype=np.float64)
    if not pairs:
        raise BadInput(
            f"no image has {metric(name).title} of both under {attack}: evaluate both on one data set"
        )
    sources = Sources([*first, *second], images)
    resampled = [resampled_means(values, sources.draws(column)) for column, values in pairs.items()]
    sets = {
        column: (
            _difference(name, {column: values}, means, sources),
            (float(values[0].mean()), float(values[1].mean())),
            wilcoxon(_by_photograph(values[0] - values[1], sources.draws(column).sources)),
        )
        for (column, values), means in zip(pairs.items(), resampled, strict=True)
    }
    overall = _difference(name, pairs, np.mean(resampled, axis=0), sources)
    return PairedComparison(overall, sets, lone, lacking)


def _by_photograph(apart: Array, sources: Codes) -> Array:
    """Return the mean difference on each photograph, in the order in which they first come."""
    first = list(dict.fromkeys(sources.tolist()))
    return np.array([apart[sources == source].mean() for source in first], dtype=np.float64)


def _values(records: Iterable[Record], name: str, attack: str) -> dict[Column, dict[str, float | None]]:
    """Return the values by column and image; None where the metric is undefined or was not measured."""
    values: dict[Column, dict[str, float | None]] = defaultdict(dict)
    for record in records:
        if record.attack == attack:
            values[column_of(record)][record.image] = record.metrics.get(name)
    return values


def _defined(values: Mapping[str, float | None]) -> dict[str, float]:
    return {image: value for image, value in values.items() if value is not None}


def _difference(name: str, sets: Mapping[Column, Array], draws: Array, sources: Sources) -> Difference:
    """Compute it of values (2, images) of each data set and of both rows' resampled means, (10000, 2)."""
    better = np.concatenate([values[0] - values[1] for values in sets.values()])
    better *= 1.0 if metric(name).higher_is_better else -1.0
    return Difference(
        float(np.mean([(values[0] - values[1]).mean() for values in sets.values()])),
        *interval(apart(draws[:, 0], draws[:, 1])),
        wins=int((better > 0).sum()),
        losses=int((better < 0).sum()),
        images=len(better),
        photographs=sources.of(sets),
        recorded=any(sources.recorded(column) for column in sets),
    )
