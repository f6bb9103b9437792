"""Draw photographs again and again: how often each image is in each resample, jointly over data sets.

Crops of one photograph, and one photograph under two degradations, say less than so many photographs: they
are drawn together (a cluster bootstrap; Davison & Hinkley 1997, section 3.8).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from srbench.boards.stats import Draws, resample_counts
from srbench.boards.table import Column, column_of
from srbench.store.record import Record


class Sources:
    """Know which photograph every image of some columns shows.

    Columns that share a photograph are drawn together. Where no record of a column says what it shows, as in
    records made before that was recorded, every image stands for itself, and the draws follow from the data
    set's hash.

    Args:
        records: those of a board or a comparison.
        images: the images of each column that take part, in order.
    """

    def __init__(self, records: Iterable[Record], images: Mapping[Column, list[str]]) -> None:
        shown: dict[Column, dict[str, str]] = defaultdict(dict)
        for record in records:
            if record.source:
                shown[column_of(record)][record.image] = record.source
        self._keys: dict[Column, list[Hashable]] = {}
        for column, ids in images.items():
            known = shown.get(column, {})
            own = [(column.dataset_hash, image) for image in ids]
            self._keys[column] = [known.get(image, alone) for image, alone in zip(ids, own, strict=True)]
        self._groups = _connected(self._keys)
        every = dict.fromkeys(key for keys in self._keys.values() for key in keys)
        self._codes = {key: number for number, key in enumerate(every)}
        self._recorded = {column for column in images if shown.get(column)}
        self._drawn: dict[tuple[Hashable, ...], Draws] = {}

    def recorded(self, column: Column) -> bool:
        """Return whether some record says which photograph an image of a column shows."""
        return column in self._recorded

    def of(self, columns: Iterable[Column]) -> int:
        """Return how many photographs the images of some columns show together."""
        return len({key for column in columns for key in self._keys[column]})

    def draws(self, column: Column) -> Draws:
        """Return how a column is resampled."""
        keys = tuple(self._keys[column])
        if keys not in self._drawn:  # the same for all attacks on a data set
            self._drawn[keys] = self._draw(column, keys)
        return self._drawn[keys]

    def _draw(self, column: Column, keys: Sequence[Hashable]) -> Draws:
        codes = np.array([self._codes[key] for key in keys], dtype=np.int64)
        if column not in self._recorded:
            return Draws(resample_counts(len(keys), column.dataset_hash), codes)
        group = self._groups[column]
        place = {key: number for number, key in enumerate(group)}
        digest = hashlib.sha256("\n".join(map(str, group)).encode()).hexdigest()
        counts = resample_counts(len(group), f"photographs {digest}")
        return Draws(counts[:, [place[key] for key in keys]], codes)


def _connected(keys: Mapping[Column, list[Hashable]]) -> dict[Column, list[Hashable]]:
    """Return for each column, sorted, the photographs of all columns it is connected to by shared ones."""
    groups: list[set[Hashable]] = []
    for column_keys in keys.values():
        merged = set(column_keys)
        for group in [group for group in groups if group & merged]:
            merged |= group
            groups.remove(group)
        groups.append(merged)
    return {
        column: sorted(next(group for group in groups if group & set(column_keys)), key=str)
        for column, column_keys in keys.items()
        if column_keys
    }
