"""Is one model better than another? Every pair of some models, with one correction for all the tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from srbench.boards.paired import Compared, Difference, compare
from srbench.boards.significance import LEVEL, holm
from srbench.boards.table import Column
from srbench.metrics import metric
from srbench.store.record import Record


@dataclass(frozen=True)
class Pair:
    """Two models compared by one metric under one attack.

    Attributes:
        corrected: p by data set, with Holm's correction over ``tests``: all those of one call.
    """

    first: str
    second: str
    metric: str
    attack: str
    compared: Compared
    corrected: dict[Column, float]
    tests: int

    @property
    def better(self) -> str | None:
        """The one whose average is better beyond the 95 % interval, if any."""
        return self._better(self.compared.overall) if self.compared.overall.certain else None

    def _better(self, found: Difference) -> str:
        return self.first if (found.value > 0) == metric(self.metric).higher_is_better else self.second

    @property
    def significant(self) -> dict[Column, str]:
        """By data set with a corrected p below 0.05, the one with the better mean there."""
        sets = self.compared.sets.items()
        return {column: self._better(found) for column, (found, *_) in sets if self.corrected[column] < LEVEL}

    def title(self, column: Column) -> str:
        """The data set's name, with hashes where it stands for several contents or attack settings."""
        alike = [other for other in self.compared.sets if other.dataset == column.dataset]
        content = len({other.dataset_hash for other in alike}) > 1
        settings = len({other.attack_hash for other in alike}) > 1
        shown = column.dataset + (f"@{column.dataset_hash[:8]}" if content else "")
        return shown + (f"#{column.attack_hash[:6]}" if settings else "")


def pairs(rows: Mapping[str, Sequence[Record]], name: str, attack: str = "none") -> list[Pair]:
    """Every two of these rows compared by a metric, with one correction for all the tests that makes.

    Raises:
        BadInput: two that have no image in common.
    """
    found = [
        (first, second, compare(rows[first], rows[second], name, attack))
        for first, second in combinations(rows, 2)
    ]
    tests = [test.p for *_, compared in found for *_, test in compared.sets.values()]
    corrected = iter(holm(tests))
    return [
        Pair(first, second, name, attack, compared, {c: next(corrected) for c in compared.sets}, len(tests))
        for first, second, compared in found
    ]


def as_dict(pair: Pair) -> dict[str, Any]:
    """A pair as JSON types: numbers as numbers, null where there is none."""
    return {
        "first": pair.first,
        "second": pair.second,
        "metric": pair.metric,
        "attack": pair.attack,
        "better": pair.better,
        "overall": _numbers(pair.compared.overall),
        "datasets": [
            {
                "dataset": column.dataset,
                "dataset_hash": column.dataset_hash,
                "attack_hash": column.attack_hash,
                "means": list(means),
                **_numbers(found),
                "p": test.p,
                "p_holm": pair.corrected[column],
                "reason": test.reason,
            }
            for column, (found, means, test) in pair.compared.sets.items()
        ],
        "tests": pair.tests,
        "images_left_out": pair.compared.lone,
    }


def _numbers(found: Difference) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(found).items()}
