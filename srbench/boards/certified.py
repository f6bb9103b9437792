"""Make leaderboards/certified.md: what is guaranteed of smoothed models, beside what attacks found."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from srbench.boards.csv_records import read_csv
from srbench.boards.estimates import difference, shown
from srbench.boards.markdown import escaped, markdown_table
from srbench.boards.order import dataset_order
from srbench.boards.paper_tables import Paper
from srbench.boards.table import column_of
from srbench.boards.text import DASH
from srbench.boards.trainings import Trainings
from srbench.store.record import Record

KIND, MEASURE = "Certificate", "psnr"
NEAR = 1e-6
"""An attack's radius is that of a certificate where they differ by less than this part."""


def certified(folder: Path, paper: Paper) -> str:
    """Return a table for each data set: PSNR that is guaranteed, beside that of the clean and attacked input.

    Raises:
        BadInput: records that cannot be read.
    """
    records = read_csv(folder / "records.csv")
    sets = dataset_order({record.dataset for record in records})
    return "\n\n".join(_table(dataset, [r for r in records if r.dataset == dataset]) for dataset in sets)


def _table(dataset: str, records: list[Record]) -> str:
    rows = [row for model in dict.fromkeys(r.model for r in records) for row in _rows(model, records)]
    weakest = min(rows, key=lambda row: (-len(row.images), row.radius, _mean(row.bound, row.images)))
    head = ["Model", "l2 radius", "Images", "Width, levels", "PSNR clean", "attacked", "guaranteed"]
    head.append(f"guaranteed, minus that of {escaped(weakest.model)}")
    compared = [_beside(row, weakest.model, records) for row in rows]
    lines = [[*row.cells(), more] for row, more in zip(rows, compared, strict=True)]
    return f"On {dataset}:\n\n{markdown_table(head, lines, (0,))}"


@dataclass(frozen=True)
class _Row:
    """One model at one radius: records by image, and the images that have all of them."""

    model: str
    radius: float
    images: list[str]
    clean: dict[str, Record]
    attacked: dict[str, Record]
    bound: dict[str, Record]

    def cells(self) -> list[str]:
        widths = [(self.bound[i].attack_settings or {})["certificate"]["width"] for i in self.images]
        psnr = [
            shown(MEASURE, _mean(each, self.images)) if each else DASH
            for each in (self.clean, self.attacked, self.bound)
        ]
        start = [escaped(self.model), f"{self.radius:g}", f"{len(self.images)}", f"{fmean(widths):.1f}"]
        return [*start, *psnr]


def _rows(model: str, records: list[Record]) -> Iterable[_Row]:
    """Yield a row for each radius, over the images that have all of it."""
    own = [record for record in records if record.model == model]
    clean = {r.image: r for r in own if r.attack == "none"}
    bounded = [r for r in own if _is_bound(r)]
    for radius in sorted({_radius(record) for record in bounded}):
        bound = {r.image: r for r in bounded if _radius(r) == radius}
        largest = max(3 * math.prod(record.lr_size) for record in bound.values())
        attacked = {r.image: r for r in own if _in_ball(r, radius, largest)}
        needed = [clean, bound, *([attacked] if attacked else [])]
        images = sorted(set.intersection(*(_measured(each) for each in needed)))
        if images:
            yield _Row(model, radius, images, clean, attacked, bound)


def _beside(row: _Row, weakest: str, records: list[Record]) -> str:
    """Return how much more is guaranteed than of the weakest, on the images that both have."""
    both = [
        r for r in records if r.model in (row.model, weakest) and _is_bound(r) and _radius(r) == row.radius
    ]
    found = Trainings(both, {m: [m] for m in (row.model, weakest)}, MEASURE, [column_of(both[0])])
    if row.model == weakest or {row.model, weakest} != set(found.methods):
        return DASH
    return difference(MEASURE, found.difference(row.model, weakest))


def _is_bound(record: Record) -> bool:
    return (record.attack_settings or {}).get("kind") == KIND


def _radius(record: Record) -> float:
    return float((record.attack_settings or {})["radius"])


def _in_ball(record: Record, radius: float, largest: int) -> bool:
    """Return whether a record is of an attack on the root mean square that is bounded by this l2 radius."""
    settings = record.attack_settings or {}
    if settings.get("norm") != "l2" or "eps" not in settings:
        return False
    return math.isclose(settings["eps"] * math.sqrt(largest), radius, rel_tol=NEAR)


def _measured(records: dict[str, Record]) -> set[str]:
    return {image for image, record in records.items() if record.metrics.get(MEASURE) is not None}


def _mean(records: dict[str, Record], images: list[str]) -> float:
    return fmean(value for image in images if (value := records[image].metrics[MEASURE]) is not None)
