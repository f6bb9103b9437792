"""Sum a robustness curve up in one number: the area under a metric over the radius of an attack."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from srbench import attacks
from srbench.boards.flags import baseline
from srbench.boards.index import Index
from srbench.boards.stats import Array, Mean, interval
from srbench.boards.table import Area, Column, RowKey, Table, column_of, row_key
from srbench.metrics import metric
from srbench.robustness.curves import mean_over
from srbench.store.record import Record

_NOT_THE_ATTACK = ("eps", "note", "tile", "halo", "adapted")
"""Settings in which two radii of one attack may differ, or that follow from the model."""


@dataclass
class _Line:
    """One attack over its radii: by content hash of a set and radius, the column."""

    name: str
    norm: str
    noise: bool
    columns: dict[str, dict[float, Column]] = field(default_factory=lambda: defaultdict(dict))


@dataclass(frozen=True)
class _Curve:
    value: float
    resampled: Array


def areas(table: Table, data: Index, records: Iterable[Record]) -> list[Area]:
    """Compute the areas of a board, by the metric that ranks: attack by attack, in the order of the rows.

    A row has one where its means at every radius, and on clean input, are over all images of every set that
    has two radii of the attack or more. Intervals are those of photographs drawn jointly for all radii, sets,
    rows and the noise.
    """
    clean = {column.dataset_hash: column for column in table.columns if not column.attack_hash}
    lines, name = _lines(records), table.rank_by
    reference = baseline(table)
    found = []
    for line in lines:
        sets = tuple(digest for digest in clean if len(line.columns.get(digest, {})) > 1)
        radii = {tuple(sorted(line.columns[digest])) for digest in sets}
        if line.noise or len(radii) != 1:  # sets at different radii have no mean
            continue
        (at,) = radii
        noise = next((other for other in lines if other.noise and other.norm == line.norm), None)

        def curve(key: RowKey, line: _Line | None = line, sets: Sequence[str] = sets) -> _Curve | None:
            return _curve(data, key, name, clean, line, sets, at)  # noqa: B023 - called within the loop

        floor = curve(row_key(reference)) if reference else None
        for row in table.rows:
            if own := curve(row_key(row)):
                ratios = (_ratio(name, own, other) for other in (floor, curve(row_key(row), noise)))
                images = sum(data.complete[clean[digest]] for digest in sets)
                value = Mean(own.value, *interval(own.resampled), images, images)
                levels = tuple(round(eps * 255, 6) for eps in at)
                found.append(Area(row_key(row), line.name, line.norm, levels, sets, value, *ratios))
        data.forget_draws()
    return found


def _lines(records: Iterable[Record]) -> list[_Line]:
    """Group the columns of attacks that differ in nothing but the radius, in the order of their names."""
    lines: dict[str, _Line] = {}
    seen: set[Column] = set()
    for record in records:
        settings, column = record.attack_settings or {}, column_of(record)
        if column in seen or "eps" not in settings:
            continue
        seen.add(column)
        key = json.dumps(_apart_from_radius(settings), sort_keys=True)
        named = without_radius(record.attack)
        norm = str(settings.get("norm", "linf"))
        line = lines.setdefault(key, _Line(named, norm, attacks.is_noise(settings)))
        line.columns[column.dataset_hash][float(settings["eps"])] = column
    return sorted(lines.values(), key=lambda line: line.name)


def without_radius(attack: str) -> str:
    """Return the name of an attack's line: ``rsr(steps=10)`` of ``rsr@8(steps=10)``."""
    return re.sub(r"@[^( ]+", "", attack)


def _apart_from_radius(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key not in _NOT_THE_ATTACK}
    return kept | {"parts": [_apart_from_radius(part) for part in settings.get("parts", [])]}


def _curve(
    data: Index,
    key: RowKey,
    name: str,
    clean: Mapping[str, Column],
    line: _Line | None,
    sets: Sequence[str],
    radii: Sequence[float],
) -> _Curve | None:
    """Return a row's area, averaged over the sets; None where a mean on the way is not over all images."""
    values, resampled = [], []
    for digest in sets:
        at = line.columns.get(digest, {}) if line else {}
        if not at.keys() >= set(radii):
            return None
        columns = [clean[digest], *(at[radius] for radius in radii)]
        whole = [data.values(key, column, name) for column in columns]
        if any(np.isnan(each).any() or len(each) < data.complete[columns[0]] for each in whole):
            return None
        xs = [0.0, *radii]
        values.append(mean_over(xs, [each.mean() for each in whole]))
        resampled.append(mean_over(xs, [data.draws(key, column, name) for column in columns]))
    return _Curve(float(np.mean(values)), np.mean(resampled, axis=0))


def _ratio(name: str, own: _Curve, other: _Curve | None) -> Mean | None:
    if other is None or metric(name).higher_is_better or other.value <= 0:
        return None
    return Mean(own.value / other.value, *interval(own.resampled / other.resampled), 1, 1)
