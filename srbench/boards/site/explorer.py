"""Cut crops for the image explorer from pictures that evaluations kept; no model runs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from srbench.boards.compute import board_key
from srbench.boards.table import Column, RowKey, Table, row_key
from srbench.datasets.base import Pixels
from srbench.errors import BadInput, SrbenchError
from srbench.metrics import metric
from srbench.store.pictures import lr_file, sr_file
from srbench.store.record import Record
from srbench.support.home import atomic_path
from srbench.support.scales import SCALE

if TYPE_CHECKING:
    from srbench.datasets.base import DataSet, LoadedImage

SIDE = 256
"""A crop has at most this side in HR pixels."""
Box = tuple[int, int, int, int]


@dataclass
class KeptPictures:
    """Say where the pictures of a store are.

    Attributes:
        root: the store.
        cells: by row and column of a table, the cell.
        datasets: by content hash, the sets whose LR and HR can be shown.
    """

    root: Path
    cells: Mapping[tuple[RowKey, Column], PurePosixPath]
    datasets: Mapping[str, DataSet] = field(default_factory=dict)

    def sr(self, key: RowKey, column: Column, image: str) -> Path | None:
        """Return the SR picture of an image, if it was kept."""
        return self._existing(sr_file, key, column, image)

    def lr(self, key: RowKey, column: Column, image: str) -> Path | None:
        """Return the attacked LR picture of an image, if it was kept."""
        return self._existing(lr_file, key, column, image)

    def _existing(self, place: Any, key: RowKey, column: Column, image: str) -> Path | None:
        cell = self.cells.get((key, column))
        file: Path | None = None if cell is None else place(self.root, cell, image)
        return file if file is not None and file.is_file() else None


def open_datasets(wanted: Mapping[str, tuple[str, int]], specs: Sequence[str] = ()) -> dict[str, DataSet]:
    """Open the data sets whose content is what was measured, by content hash; others are left out.

    Args:
        wanted: names and scales of data sets by the content hash in the records.
        specs: further sets as ``--datasets`` takes them, such as ``pairs:LR_DIR:HR_DIR``.

    Raises:
        BadInput: one of ``specs`` cannot be opened.
    """
    from srbench import datasets

    by_hash = {data.content_hash: data for spec in specs for data in _opened(spec, wanted)}
    for digest, (name, scale) in wanted.items():
        if digest not in by_hash and name in (*datasets.names(), *datasets.own_names(scale)):
            try:
                data = datasets.resolve([name], scale=scale)[0][0]
            except SrbenchError:  # not registered on this machine: the page does without its LR and HR
                continue
            by_hash[data.content_hash] = data
    return {digest: by_hash[digest] for digest in wanted if digest in by_hash}


def _opened(spec: str, wanted: Mapping[str, tuple[str, int]]) -> Sequence[DataSet]:
    """Open what a user named at the scale of the records; of several, at the first that fits."""
    from srbench import datasets

    refused: BadInput | None = None
    for scale in sorted({scale for _, scale in wanted.values()}):
        try:
            return datasets.resolve([spec], scale=scale)[0]
        except BadInput as error:
            refused = refused or error
    assert refused is not None
    raise refused


def cut(
    folder: Path, tables: Sequence[Table], records: Sequence[Record], pictures: KeptPictures, images: int
) -> list[dict[str, Any]]:
    """Write the crops and say what they are: per data set the worst images first.

    Args:
        folder: crops are written here, named by their content.
        images: at most so many images of a data set.

    Returns:
        One entry per image: board, dataset, image, box (x, y, width, height in HR pixels), size of the
        whole SR image, ``hr``, ``lr`` and ``bicubic`` (file names or null), and ``inputs``: by attack's
        index ``sr`` and ``lr``, file names by row's index.
    """
    entries = []
    for board, table in enumerate(tables):
        key = (table.protocol, table.protocol_hash, table.kind, table.scale)
        own = [record for record in records if board_key(record) == key]
        for place, (_, digest) in enumerate(table.datasets):
            columns = [column for column in table.columns if column.dataset_hash == digest]
            cut_images = 0
            for image in _worst_first(table, [r for r in own if r.dataset_hash == digest]):
                if cut_images == images:
                    break
                files = _find(table, columns, pictures, image)
                if files:
                    loaded = pictures.datasets[digest].load(image) if digest in pictures.datasets else None
                    head = {"board": board, "dataset": place, "image": image}
                    entries.append(head | _entry(folder, files, loaded, table.scale))
                    cut_images += 1
    return entries


def _worst_first(table: Table, records: Sequence[Record]) -> list[str]:
    """Order images by their mean ranking metric over everything measured of them, worst first."""
    values: dict[str, list[float]] = {}
    for record in records:
        if (value := record.metrics.get(table.rank_by)) is not None:
            values.setdefault(record.image, []).append(value)
    sign = 1.0 if metric(table.rank_by).higher_is_better else -1.0
    return sorted(values, key=lambda image: (sign * fmean(values[image]), image))


PictureFiles = dict[int, dict[str, dict[int, Path]]]


def _find(table: Table, columns: Sequence[Column], pictures: KeptPictures, image: str) -> PictureFiles:
    """Return the kept pictures by attack, ``sr`` or ``lr``, and row."""
    files: PictureFiles = {}
    for column in columns:
        for index, row in enumerate(table.rows):
            if sr := pictures.sr(row_key(row), column, image):
                entry = files.setdefault(table.attacks.index(column.attack), {"sr": {}, "lr": {}})
                entry["sr"][index] = sr
                if lr := pictures.lr(row_key(row), column, image):
                    entry["lr"][index] = lr
    return files


def _entry(folder: Path, files: PictureFiles, loaded: LoadedImage | None, scale: int) -> dict[str, Any]:
    first = min(files)
    outputs = [_read(file) for file in files[first]["sr"].values()]
    box = hardest(outputs, None if loaded is None else loaded.hr, scale=scale)
    x, y, width, height = box
    small = (x // scale, y // scale, width // scale, height // scale)
    bicubic = None
    if loaded is not None:
        from PIL import Image

        enlarged = Image.fromarray(loaded.lr).resize(outputs[0].shape[1::-1], Image.Resampling.BICUBIC)
        bicubic = _crop(folder, np.asarray(enlarged), box)
    return {
        "box": list(box),
        "size": list(outputs[0].shape[1::-1]),
        "lr": None if loaded is None else _crop(folder, loaded.lr, small),
        "hr": None if loaded is None or loaded.hr is None else _crop(folder, loaded.hr, box),
        "bicubic": bicubic,
        "inputs": {
            str(attack): {
                "sr": {str(row): _crop(folder, _read(file), box) for row, file in by_row["sr"].items()},
                "lr": {str(row): _crop(folder, _read(file), small) for row, file in by_row["lr"].items()},
            }
            for attack, by_row in files.items()
        },
    }


def hardest(outputs: Sequence[Pixels], hr: Pixels | None, side: int = SIDE, scale: int = SCALE) -> Box:
    """Find the window with the largest squared error against HR, or without HR where the models differ most.

    It starts at a multiple of the scale, so that the LR crop shows exactly the same.

    Args:
        outputs: SR images of one size, (H,W,3).
        side: of the window in HR pixels; a multiple of the scale is taken, less where the image is smaller.
        scale: how many times larger SR is.
    """
    height, width = outputs[0].shape[:2]
    stack = np.stack([image.astype(np.float32) for image in outputs])
    against = stack.mean(axis=0) if hr is None else hr[:height, :width].astype(np.float32)
    error = np.square(stack - against).mean(axis=(0, 3))
    # On the LR grid: one cell per LR pixel, then sums over windows from the table of cumulated sums.
    cells = error.reshape(height // scale, scale, width // scale, scale).sum(axis=(1, 3), dtype=np.float64)
    tall, wide = min(side // scale, cells.shape[0]), min(side // scale, cells.shape[1])
    sums = np.pad(cells.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    windows = sums[tall:, wide:] - sums[:-tall, wide:] - sums[tall:, :-wide] + sums[:-tall, :-wide]
    y, x = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(x) * scale, int(y) * scale, wide * scale, tall * scale


def _read(file: Path) -> Pixels:
    from PIL import Image

    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _crop(folder: Path, pixels: Pixels, box: Box) -> str:
    """Write a crop, without loss, under a name made of its content; equal crops are one file."""
    from PIL import Image, features

    # A quarter smaller than PNG and quicker to write; Pillow can be built without it.
    chosen = {"format": "webp", "lossless": True, "quality": 50, "method": 2}
    options: dict[str, Any] = chosen if features.check("webp") else {"format": "png"}
    x, y, width, height = box
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[y : y + height, x : x + width])).save(buffer, **options)
    name = f"{hashlib.sha256(buffer.getvalue()).hexdigest()[:16]}.{options['format']}"
    if not (folder / name).is_file():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(buffer.getvalue())
    return name
