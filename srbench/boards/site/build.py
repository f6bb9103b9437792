"""Write the page: a folder that any browser opens, from a disk or from a server."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from srbench.boards.site import explorer
from srbench.boards.site.data import ModelKey, site
from srbench.boards.site.explorer import KeptPictures
from srbench.boards.site.facts import Told
from srbench.boards.site.reported import Reported, read_reported
from srbench.boards.table import Table, column_of, row_key
from srbench.errors import BadInput
from srbench.store.address import open_store
from srbench.store.record import Record
from srbench.support.home import cannot_write

MARKER = "srbench-page.json"
"""A folder with this file is a page and may be replaced."""


def read_store(
    root: Path | str, wanted: Callable[[Record], bool] = lambda record: True
) -> tuple[list[Record], KeptPictures | None]:
    """Return the records of a store that are wanted, and where its pictures are, if it can have any.

    Raises:
        BadInput: a damaged record.
    """
    store = open_store(root)
    records: list[Record] = []
    cells = {}
    for cell in store.cells():
        chosen = [record for record in store.read(cell) if wanted(record)]
        records += chosen
        cells.update(dict.fromkeys(((row_key(r), column_of(r)) for r in chosen), cell))
    return records, None if store.folder is None else KeptPictures(store.folder, cells)


def read_records(
    csv: Path | None, root: Path | str, wanted: Callable[[Record], bool] = lambda record: True
) -> tuple[list[Record], KeptPictures | None]:
    """Return the wanted records of a ``records.csv`` if one is named, of the store otherwise.

    Raises:
        BadInput: a damaged file, or no such records.
    """
    if csv is not None:
        from srbench.boards.csv_records import read_csv

        records, pictures = [record for record in read_csv(csv) if wanted(record)], None
    else:
        records, pictures = read_store(root, wanted)
    if not records:
        raise BadInput(
            f"{csv or root} has no such records: run `srbench evaluate` first, or name another --store"
        )
    return records, pictures


def build_page(
    folder: Path,
    records: Sequence[Record],
    *,
    pictures: KeptPictures | None = None,
    data: Sequence[str] = (),
    images: int = 6,
    dataset_order: Sequence[str] = (),
    reported: Path | None = None,
    told: Mapping[ModelKey, Told] | None = None,
) -> None:
    """Write the page into ``folder``, whole or not at all; an earlier page there is replaced.

    Args:
        pictures: where kept pictures are; without it the explorer says how to get them.
        data: data sets whose LR and HR are shown, as specs, beside the records' own that can be opened.
        images: at most so many images of a data set in the explorer.
        dataset_order: data sets in the order of the columns.
        reported: published numbers; None for those beside a checkout's ``leaderboards/``, if it is one.
        told: what entries say of models without a card, by name and weights.

    Raises:
        BadInput: the folder is there and is no page, a reported file that cannot be read, or no records.
        RunFailed: the folder cannot be written.
    """
    if not records:
        raise BadInput("there are no records to make a page of: run `srbench evaluate` first")
    if folder.exists() and not _replaceable(folder):
        raise BadInput(f"{folder} is not empty and is no page of srbench: name a new folder")
    content = site(records, dataset_order=dataset_order, reported=_published(reported), told=told)
    with cannot_write(folder, "name another folder"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            pages = scratch / "page"
            _copy(resources.files("srbench.boards.site") / "assets", pages)
            entries = _explorer(pages / "images", content.tables, records, pictures, data, images)
            _write_data(pages, content.page | {"explorer": entries}, content.chunks)
            marker = json.dumps({"format": content.page["format"]}) + "\n"
            (pages / MARKER).write_text(marker, encoding="utf-8")
            if folder.exists():
                folder.replace(scratch / "before")
            pages.replace(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _explorer(
    folder: Path,
    tables: Sequence[Table],
    records: Sequence[Record],
    pictures: KeptPictures | None,
    data: Sequence[str],
    images: int,
) -> list[dict[str, Any]]:
    if pictures is None or not any(pictures.root.rglob("*.images")):
        return []
    names = {record.dataset_hash: (record.dataset, record.scale) for record in records}
    with_datasets = KeptPictures(pictures.root, pictures.cells, explorer.open_datasets(names, data))
    return explorer.cut(folder, tables, records, with_datasets, images)


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / MARKER).is_file() or not any(folder.iterdir()))


def _published(file: Path | None) -> Reported | None:
    chosen = file or Path(__file__).resolve().parents[3] / "leaderboards" / "paper.json"
    return None if file is None and not chosen.is_file() else read_reported(chosen)


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir(parents=True)
    for item in source.iterdir():
        if item.is_dir():
            _copy(item, target / item.name)
        else:
            (target / item.name).write_bytes(item.read_bytes())


def _write_data(folder: Path, page: Mapping[str, Any], chunks: Mapping[str, Any]) -> None:
    """Write the data as scripts, since a page opened from a disk may load scripts and nothing else."""
    (folder / "data").mkdir()
    scripts = {"site": f"window.srbenchData={_json(page)};\n"}
    scripts |= {name: f"srbench.chunk({_json(name)},{_json(chunk)});\n" for name, chunk in chunks.items()}
    for name, script in scripts.items():
        (folder / "data" / f"{name}.js").write_text(script, encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
