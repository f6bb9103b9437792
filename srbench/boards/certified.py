"""Make leaderboards/certified.md: what is guaranteed of smoothed models, beside what attacks found."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from srbench.boards.csv_records import read_csv
from srbench.boards.estimates import shown
from srbench.boards.markdown import escaped, markdown_table
from srbench.boards.paper_tables import Paper
from srbench.boards.text import DASH
from srbench.store.record import Record

KIND = "Certificate"
NEAR = 1e-6
"""An attack's radius is that of a certificate where they differ by less than this part."""


def certified(folder: Path, paper: Paper) -> str:
    """Return a table for each data set: PSNR that is guaranteed, beside that of the clean and attacked input.

    Raises:
        BadInput: records that cannot be read.
    """
    records = read_csv(folder / "records.csv")
    sets = dict.fromkeys(record.dataset for record in records)
    return "\n\n".join(_table(dataset, [r for r in records if r.dataset == dataset]) for dataset in sets)


def _table(dataset: str, records: list[Record]) -> str:
    head = ["Model", "l2 radius", "Images", "Width, levels", "PSNR clean", "attacked", "guaranteed"]
    rows = [row for model in dict.fromkeys(r.model for r in records) for row in _rows(model, records)]
    return f"On {dataset}:\n\n{markdown_table(head, rows, (0,))}"


def _rows(model: str, records: list[Record]) -> Iterable[list[str]]:
    """Yield a row for each radius, over the images that have all of it."""
    own = [record for record in records if record.model == model]
    clean = {r.image: r for r in own if r.attack == "none"}
    bounded = [r for r in own if (r.attack_settings or {}).get("kind") == KIND]
    for radius in sorted({_radius(record) for record in bounded}):
        bound = {r.image: r for r in bounded if _radius(r) == radius}
        largest = max(3 * math.prod(record.lr_size) for record in bound.values())
        attacked = {r.image: r for r in own if _in_ball(r, radius, largest)}
        images = sorted(clean.keys() & bound.keys() & (attacked.keys() or bound.keys()))
        widths = [(bound[image].attack_settings or {})["certificate"]["width"] for image in images]
        yield [
            escaped(model),
            f"{radius:g}",
            f"{len(images)}",
            f"{fmean(widths):.1f}",
            *(_psnr(each, images) if each else DASH for each in (clean, attacked, bound)),
        ]


def _radius(record: Record) -> float:
    return float((record.attack_settings or {})["radius"])


def _in_ball(record: Record, radius: float, largest: int) -> bool:
    """Return whether a record is of an attack on the root mean square that is bounded by this l2 radius."""
    settings = record.attack_settings or {}
    if settings.get("norm") != "l2" or "eps" not in settings:
        return False
    return math.isclose(settings["eps"] * math.sqrt(largest), radius, rel_tol=NEAR)


def _psnr(records: dict[str, Record], images: list[str]) -> str:
    values = [value for image in images if (value := records[image].metrics["psnr"]) is not None]
    return shown("psnr", fmean(values)) if values else DASH
