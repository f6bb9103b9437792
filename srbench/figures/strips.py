"""Cut the rows of a qualitative figure: one crop as LR, as every model made it, and as HR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srbench.boards.compute import mark
from srbench.boards.site.explorer import Box, hardest
from srbench.datasets.base import Pixels
from srbench.figures.gather import FigureRun, find
from srbench.store import pictures
from srbench.zoo.identity import not_verified

if TYPE_CHECKING:
    from srbench.datasets.base import LoadedImage
    from srbench.run.plan import Cell
    from srbench.store.record import Record

SHARE, LARGEST = 3 / 8, 128
"""A crop that nobody named has this share of the image's shorter side, at most so many HR pixels."""


@dataclass(frozen=True)
class Panel:
    """Hold one model's crop.

    Attributes:
        pixels: (height, width, 3), 8 bit.
        mark: see :func:`srbench.boards.compute.mark`.
        values: metrics of the whole image, as recorded; None where undefined.
    """

    name: str
    pixels: Pixels
    mark: str
    values: dict[str, float | None]


@dataclass(frozen=True)
class Strip:
    """Hold one crop of one image, as every model made it.

    Attributes:
        whole: the HR image, or the LR image enlarged where there is no HR, (H,W,3).
        box: x, y, width, height of the crop in HR pixels.
        lr: the crop of the LR image, every pixel enlarged to a square; of the attacked one where all models
            saw the same.
        lr_name: what it is.
        own_noise: the models saw different attacked images, none of which is shown.
        hr: the crop of HR; None without ground truth.
    """

    dataset: str
    image: str
    attack: str
    whole: Pixels
    box: Box
    lr: Pixels
    lr_name: str
    own_noise: bool
    panels: list[Panel]
    hr: Pixels | None


def strips(figure_run: FigureRun) -> list[Strip]:
    """Cut every row of the figure once what was lacking has been run: sets, then attacks, images, crops."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in figure_run.plan:
        groups.setdefault((cell.dataset.name, cell.attack.name), []).append(cell)
    places = list(dict.fromkeys(cell.dataset.name for cell in figure_run.plan))
    ordered = sorted(groups.items(), key=lambda item: places.index(item[0][0]))
    return [
        strip
        for _, cells in ordered
        for image in cells[0].images
        for strip in _strips(figure_run, cells, image)
    ]


def _strips(figure_run: FigureRun, cells: Sequence[Cell], image: str) -> list[Strip]:
    first = cells[0]
    metrics = figure_run.metrics[first.dataset.kind]
    loaded = first.dataset.load(image)
    outputs, inputs, records = [], [], []
    for cell in cells:
        stored = find(figure_run.stores, cell, image, metrics)
        assert stored is not None
        root, record = stored
        records.append(record)
        outputs.append(_read(pictures.sr_file(root, cell.path, image)))
        if cell.attack.hash:
            inputs.append(_read(pictures.lr_file(root, cell.path, image)))
    lr, lr_name = _input(loaded, inputs, first.attack.name)
    (height, width), scale = outputs[0].shape[:2], first.scale
    side = int(min(LARGEST, SHARE * min(height, width))) // scale * scale
    enlarged = _enlarged(lr, scale, smooth=False)
    whole = loaded.hr if loaded.hr is not None else _enlarged(loaded.lr, scale, smooth=True)
    return [
        Strip(
            first.dataset.name,
            image,
            first.attack.name,
            whole,
            box,
            _cut(enlarged, box),
            lr_name,
            bool(inputs) and lr is loaded.lr,
            [
                Panel(
                    cell.model.name,
                    _cut(sr, box),
                    _mark(record),
                    {name: record.metrics[name] for name in metrics},
                )
                for cell, sr, record in zip(cells, outputs, records, strict=True)
            ],
            None if loaded.hr is None else _cut(loaded.hr, box),
        )
        for box in figure_run.crops or (hardest(outputs, None, max(side, 2 * scale), scale),)
    ]


def _mark(record: Record) -> str:
    unknown = not_verified(record.model, record.weights_sha256)
    return "" if unknown else mark(record.training_domain, record.dataset_domain)


def _input(loaded: LoadedImage, attacked: Sequence[Pixels], attack: str) -> tuple[Pixels, str]:
    """Return the LR image shown: the attacked one where all models saw the same, else the clean one."""
    if not attacked:
        return loaded.lr, "LR"
    if all(np.array_equal(attacked[0], other) for other in attacked):
        return attacked[0], f"LR, {attack}"
    return loaded.lr, "LR, clean"


def _read(file: Path) -> Pixels:
    from srbench.datasets.decode import decode, read

    return decode(read(file), file)


def _enlarged(lr: Pixels, scale: int, *, smooth: bool) -> Pixels:
    from PIL import Image

    size = (lr.shape[1] * scale, lr.shape[0] * scale)
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(lr).resize(size, how))


def _cut(pixels: Pixels, box: Box) -> Pixels:
    x, y, width, height = box
    return pixels[y : y + height, x : x + width]
