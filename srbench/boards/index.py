"""Index records in the order in which a leaderboard asks for them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from srbench.boards.ranks import ColumnValues
from srbench.boards.resampling import Sources
from srbench.boards.stats import Array, resampled_means
from srbench.boards.table import Column, RowKey, column_of, row_key
from srbench.store.record import Record


class Index:
    """Hold a board's values by row, column and image, and the resampling draws of each column."""

    def __init__(self, records: list[Record]) -> None:
        self.rows: dict[RowKey, Record] = {}
        self.cells: dict[tuple[RowKey, Column], dict[str, Mapping[str, float | None]]] = defaultdict(dict)
        images: dict[Column, set[str]] = defaultdict(set)
        self.complete: dict[Column, int] = {}
        self.domains: dict[Column, str] = {}
        self.radius: dict[Column, tuple[str, float]] = {}
        self.remarks: set[tuple[str, str]] = set()
        self.flagged: dict[tuple[RowKey, Column, str], list[str]] = defaultdict(list)
        self.stochastic: dict[RowKey, list[Record]] = defaultdict(list)
        self.made_elsewhere: set[RowKey] = set()
        self.adapted: dict[RowKey, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        for record in records:
            key = row_key(record)
            column = column_of(record)
            self.rows.setdefault(key, record)
            self.cells[key, column][record.image] = record.metrics
            images[column].add(record.image)
            self.complete[column] = record.dataset_images
            self.domains[column] = record.dataset_domain
            if record.attack_settings:
                if "eps" in record.attack_settings:  # a natural corruption has none
                    norm = str(record.attack_settings.get("norm", "linf"))
                    self.radius[column] = (norm, float(record.attack_settings["eps"]))
                if (adapted := record.attack_settings.get("adapted")) is not None:
                    self.adapted[key][record.attack] = adapted
                if note := record.attack_settings.get("note"):
                    self.remarks.add((record.attack, note))
            if record.made_elsewhere:
                self.made_elsewhere.add(key)
            if record.stochastic:
                self.stochastic[key].append(record)
            for check, finding in record.flags.items():
                self.flagged[key, column, check].append(finding)
        self.images = {column: sorted(ids) for column, ids in images.items()}
        self.sources = Sources(records, self.images)
        self._comparable: dict[tuple[Column, str], int] = {}
        self._draws: dict[tuple[Column, str], dict[RowKey, Array]] = {}

    def values(self, row: RowKey, column: Column, name: str) -> Array:
        """Return the metric over the column's images, NaN where not measured or undefined."""
        cell = self.cells.get((row, column), {})
        measured = (cell.get(image, {}).get(name) for image in self.images[column])
        return np.array([math.nan if value is None else value for value in measured], dtype=np.float64)

    def comparable(self, column: Column, name: str) -> int:
        """Return on how many images of a column a row's mean of the metric should be.

        An image does not count where the metric is undefined for every one of two rows or more, such as one
        too small for it: all their means are over the others. Undefined for one row alone, it counts.
        """
        if (column, name) not in self._comparable:
            cells = [self.cells[row, column] for row in self.rows if (row, column) in self.cells]
            left = set(self.images[column])
            for cell in cells:  # nothing is left after the first row that has the metric everywhere
                left = {image for image in left if cell.get(image, {}).get(name) is None}
            nowhere = {i for i in left if sum(name in cell.get(i, {}) for cell in cells) > 1}
            self._comparable[column, name] = len(self.images[column]) - len(nowhere)
        return self._comparable[column, name]

    def draws(self, row: RowKey, column: Column, name: str) -> Array:
        """Return resampled means of a metric on a column, shape (10000,); NaN where there are none.

        All rows of the column are resampled at once: one product of matrices is many times faster than a
        product with each row's vector.
        """
        if (column, name) not in self._draws:
            rows = [key for key in self.rows if (key, column) in self.cells]
            resampled = resampled_means(*self.view(rows, [column], name)[0])
            self._draws[column, name] = dict(zip(rows, np.ascontiguousarray(resampled.T), strict=True))
        return self._draws[column, name][row]

    def forget_draws(self) -> None:
        """Forget what :meth:`draws` keeps."""
        self._draws.clear()

    def view(self, rows: Sequence[RowKey], columns: Sequence[Column], name: str) -> ColumnValues:
        """Return a metric of these rows on these columns, as ranks need it."""
        return [(np.stack([self.values(r, c, name) for r in rows]), self.sources.draws(c)) for c in columns]
