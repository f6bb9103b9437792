"""Compare every pair of some models, with one correction for all the tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from srbench.boards.paired import Difference, PairedComparison, compare
from srbench.boards.significance import LEVEL, holm
from srbench.boards.table import Column
from srbench.metrics import metric
from srbench.store.record import Record


@dataclass(frozen=True)
class Pair:
    """Compare two models by one metric under one attack.

    Attributes:
        corrected: p by data set, with Holm's correction over ``tests``: all those of one call.
    """

    first: str
    second: str
    metric: str
    attack: str
    comparison: PairedComparison
    corrected: dict[Column, float]
    tests: int

    @property
    def better(self) -> str | None:
        """Return the one whose average is better beyond the 95 % interval, if any."""
        return self._better(self.comparison.overall) if self.comparison.overall.certain else None

    def _better(self, difference: Difference) -> str:
        return self.first if (difference.value > 0) == metric(self.metric).higher_is_better else self.second

    @property
    def significant(self) -> dict[Column, str]:
        """Return, by data set with a corrected p below 0.05, the one with the better mean there."""
        sets = self.comparison.sets.items()
        return {column: self._better(gap) for column, (gap, *_) in sets if self.corrected[column] < LEVEL}

    def title(self, column: Column) -> str:
        """Return the data set's name, with hashes where it stands for several contents or attack settings."""
        alike = [other for other in self.comparison.sets if other.dataset == column.dataset]
        content = len({other.dataset_hash for other in alike}) > 1
        settings = len({other.attack_hash for other in alike}) > 1
        words = column.dataset + (f"@{column.dataset_hash[:8]}" if content else "")
        return words + (f"#{column.attack_hash[:6]}" if settings else "")


def pairs(rows: Mapping[str, Sequence[Record]], name: str, attack: str = "none") -> list[Pair]:
    """Compare every two of these rows by a metric, with one correction for all the tests that makes.

    Raises:
        BadInput: two that have no image in common.
    """
    compared_rows = [
        (first, second, compare(rows[first], rows[second], name, attack))
        for first, second in combinations(rows, 2)
    ]
    tests = [test.p for *_, compared in compared_rows for *_, test in compared.sets.values()]
    corrected = iter(holm(tests))
    return [
        Pair(first, second, name, attack, compared, {c: next(corrected) for c in compared.sets}, len(tests))
        for first, second, compared in compared_rows
    ]


def as_dict(pair: Pair) -> dict[str, Any]:
    """Return a pair as JSON types: numbers as numbers, null where there is none."""
    return {
        "first": pair.first,
        "second": pair.second,
        "metric": pair.metric,
        "attack": pair.attack,
        "better": pair.better,
        "overall": _numbers(pair.comparison.overall),
        "datasets": [
            {
                "dataset": column.dataset,
                "dataset_hash": column.dataset_hash,
                "attack_hash": column.attack_hash,
                "means": list(means),
                **_numbers(gap),
                "p": test.p,
                "p_holm": pair.corrected[column],
                "reason": test.reason,
            }
            for column, (gap, means, test) in pair.comparison.sets.items()
        ],
        "tests": pair.tests,
        "images_left_out": pair.comparison.lone,
        "images_lacking": {"first": pair.comparison.lacking[0], "second": pair.comparison.lacking[1]},
    }


def _numbers(difference: Difference) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(difference).items()}
