"""A scale on boards, page and figures: no table mixes two, and crops lie on the grid of LR."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import record
from PIL import Image

from srbench.boards.compute import boards, tables
from srbench.boards.csv_records import read_csv
from srbench.boards.files import write_all
from srbench.boards.site.build import build_page, read_store
from srbench.boards.site.explorer import hardest
from srbench.boards.site.reproduce import reproducing_command
from srbench.figures import gather
from srbench.figures.strips import strips
from srbench.support.scales import SCALES


def test_no_board_mixes_scales(tmp_path: Path) -> None:
    records = [
        record(model=model, image=image, scale=scale, sr_size=(8 * scale, 8 * scale))
        for scale in (4, 2)
        for model in ("bicubic", "net")
        for image in ("a", "b")
    ]
    made = tables(records)
    assert [table.scale for table in made] == [4, 2]
    assert [len(group) for group in boards(records).values()] == [4, 4]
    assert all(len(table.rows) == 2 and not any(row.partial for row in table.rows) for table in made)
    write_all(tmp_path, made, records, [])
    assert read_csv(tmp_path / "records.csv") == records
    markdown = (tmp_path / "leaderboard.md").read_text().splitlines()
    titles = [line for line in markdown if line.startswith("###")]
    assert [("x2" in title) for title in titles] == [False, True]
    assert "--scale 2" in reproducing_command(records[4:5]).text
    assert "--scale" not in reproducing_command(records[:1]).text


def test_records_without_a_scale_are_x4() -> None:
    old = record().model_dump(mode="json")
    del old["scale"]
    assert type(record()).model_validate(old).scale == 4


@pytest.mark.parametrize("scale", SCALES)
def test_the_hardest_window_lies_on_the_grid_of_lr(scale: int) -> None:
    sr = np.zeros((12 * scale, 10 * scale, 3), np.uint8)
    sr[7 * scale : 8 * scale, 3 * scale : 4 * scale] = 255
    x, y, width, height = hardest([sr], np.zeros_like(sr), side=4 * scale, scale=scale)
    assert (x % scale, y % scale, width, height) == (0, 0, 4 * scale, 4 * scale)
    assert x <= 3 * scale < x + width
    assert y <= 7 * scale < y + height


@pytest.mark.parametrize("scale", [2, 3])
def test_the_page_and_figures_show_crops_of_the_scale(scale: int, tmp_path: Path) -> None:
    store = tmp_path / "store"
    request = gather.FigureRequest(models=("bicubic",), datasets=("clean-mini",), scale=scale, store=store)
    figure = gather.prepare_figure(request)
    assert not figure.runner.run(figure.todo).failures
    (strip,) = strips(figure)
    assert strip.hr is not None
    assert strip.lr.shape == strip.hr.shape == strip.panels[0].pixels.shape
    assert all(side % scale == 0 for side in strip.box)
    records, pictures = read_store(figure.stores[1])
    build_page(tmp_path / "page", records, pictures=pictures)
    script = (tmp_path / "page/data/site.js").read_text()
    page = json.loads(script.removeprefix("window.srbenchData=").rstrip(";\n"))
    (entry,) = page["explorer"]
    assert page["boards"][0]["scale"] == scale
    assert all(side % scale == 0 for side in entry["box"])
    folder = tmp_path / "page/images"
    sizes = [Image.open(folder / entry[role]).size for role in ("lr", "hr", "bicubic")]
    assert sizes[1] == sizes[2] == tuple(scale * side for side in sizes[0])
