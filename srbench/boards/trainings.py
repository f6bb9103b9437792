"""Compare methods that were trained several times: both photographs and trainings are samples.

The same method trained from another seed is another network. A difference between two methods is believed
where it is large beside what other photographs and other seeds would change: the variance of a mean is that
over photographs (a cluster bootstrap, :mod:`srbench.boards.resampling`) plus that between trainings, divided
by their number, and intervals are Student's with the degrees of freedom of Welch and Satterthwaite (Welch,
"The generalization of Student's problem when several different population variances are involved",
Biometrika 1947). Three trainings have two degrees of freedom, so they count for little unless they agree.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from srbench.boards.resampling import Sources
from srbench.boards.stats import LEAST, Array, resampled_means
from srbench.boards.table import Column, column_of
from srbench.store.record import Record


@dataclass(frozen=True)
class Estimate:
    """Hold a mean over data sets, or the difference of two, with what is known of its error.

    Attributes:
        low, high: 95 % interval; NaN where the images show a single photograph.
        trainings: of each method that takes part; of a method that was trained once nobody knows what
            another seed would give, and the interval is over photographs alone.
        values: by training, where it is a mean.
        photographs: how many the images show together.
    """

    value: float
    low: float
    high: float
    trainings: tuple[int, ...]
    values: tuple[float, ...]
    photographs: int

    @property
    def certain(self) -> bool:
        """Return whether the interval leaves out zero, and there are photographs enough to believe it."""
        return self.photographs >= LEAST and (self.low > 0 or self.high < 0)


class Trainings:
    """Hold one metric of methods on some columns, on the images where every method has it.

    Args:
        records: of one protocol.
        methods: by name, the models that are its trainings; those without a record of every column in which
            some other has one do not take part.
        name: the metric.
        columns: one of each data set, under one attack.
    """

    def __init__(
        self,
        records: Iterable[Record],
        methods: Mapping[str, Sequence[str]],
        name: str,
        columns: Sequence[Column],
    ) -> None:
        records = list(records)
        found: dict[tuple[str, Column], dict[str, float]] = defaultdict(dict)
        for record in records:
            value = record.metrics.get(name)
            if value is not None:
                found[record.model, column_of(record)][record.image] = value
        self.columns = [column for column in columns if any(key[1] == column for key in found)]
        self._methods = {
            method: list(models)
            for method, models in methods.items()
            if models and all((model, column) in found for model in models for column in self.columns)
        }
        images = {column: self._common(found, column) for column in self.columns}
        self.columns = [column for column in self.columns if images[column]]
        self._sources = Sources(records, {column: images[column] for column in self.columns})
        self._values = {
            model: [
                np.array([found[model, column][image] for image in images[column]], dtype=np.float64)
                for column in self.columns
            ]
            for models in self._methods.values()
            for model in models
        }

    def _common(self, found: Mapping[tuple[str, Column], Mapping[str, float]], column: Column) -> list[str]:
        models = [model for models in self._methods.values() for model in models]
        every = [found[model, column].keys() for model in models]
        return sorted(set.intersection(*(set(keys) for keys in every))) if every else []

    @property
    def methods(self) -> list[str]:
        """Return the methods that take part, in order."""
        return list(self._methods) if self.columns else []

    def mean(self, method: str, columns: Sequence[Column] | None = None) -> Estimate:
        """Return the mean over images, then over columns (all if None), then over trainings."""
        places = self._places(columns)
        means, drawn = self._of(method, places)
        return self._estimate(float(np.mean(means)), drawn, [means], places, tuple(means))

    def difference(self, first: str, second: str, columns: Sequence[Column] | None = None) -> Estimate:
        """Return the first method's mean minus the second's, on the same draws of photographs."""
        places = self._places(columns)
        (a, drawn_a), (b, drawn_b) = (self._of(method, places) for method in (first, second))
        value = float(np.mean(a) - np.mean(b))
        return self._estimate(value, drawn_a - drawn_b, [a, b], places, ())

    def _places(self, columns: Sequence[Column] | None) -> list[int]:
        return [n for n, column in enumerate(self.columns) if columns is None or column in columns]

    def _of(self, method: str, places: Sequence[int]) -> tuple[list[float], Array]:
        """Return the mean of each training, and the resampled means over trainings, (10000,)."""
        models = self._methods[method]
        means = [float(np.mean([self._values[model][n].mean() for n in places])) for model in models]
        drawn = [
            resampled_means(
                np.stack([self._values[model][n] for model in models]), self._sources.draws(self.columns[n])
            ).mean(axis=1)
            for n in places
        ]
        return means, np.mean(drawn, axis=0)

    def _estimate(
        self,
        value: float,
        drawn: Array,
        trainings: Sequence[Sequence[float]],
        places: Sequence[int],
        values: tuple[float, ...],
    ) -> Estimate:
        photographs = self._sources.of(self.columns[n] for n in places)
        # The bootstrap divides by n where the variance of a mean asks for n - 1.
        others = max(photographs - 1, 1)
        parts = [(float(np.var(drawn)) * photographs / others, others)]
        several = [each for each in trainings if len(each) > 1]
        parts += [(float(np.var(each, ddof=1)) / len(each), len(each) - 1) for each in several]
        half = _half_width(parts)
        counts = tuple(len(each) for each in trainings)
        return Estimate(value, value - half, value + half, counts, values, photographs)


def _half_width(parts: Sequence[tuple[float, int]]) -> float:
    """Return half of the 95 % interval of a sum whose parts have these variances and degrees of freedom."""
    from scipy import stats

    variance = sum(part for part, _ in parts)
    if not math.isfinite(variance) or variance == 0:
        return 0.0 if variance == 0 else math.nan
    freedom = variance**2 / sum(part**2 / free for part, free in parts if part)
    return float(stats.t.ppf(0.975, freedom)) * math.sqrt(variance)
