"""The committed leaderboards are what their records give."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from srbench.boards.compute import tables
from srbench.boards.csv_records import read_csv
from srbench.boards.files import as_json, markdown, means_frame
from srbench.boards.frame import frame
from srbench.boards.text import heading
from srbench.errors import BadInput
from srbench.metrics import registry

BOARDS = Path(__file__).parents[1] / "leaderboards"
FOLDERS = sorted(
    str(file.parent.relative_to(BOARDS))
    for file in BOARDS.rglob("records.csv")
    if (file.parent / "leaderboard.md").is_file()
)


def test_there_are_committed_boards() -> None:
    assert {"attacked-mini2", "classical", "real"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_board_is_not_stale(folder: str) -> None:
    records = read_csv(BOARDS / folder / "records.csv")
    order = list(dict.fromkeys(record.dataset for record in records))
    shown = (BOARDS / folder / "leaderboard.md").read_text(encoding="utf-8")
    metrics = [name for name in registry() if f"| {heading(name)} " in shown]
    found = tables(records, dataset_order=order, metrics=metrics)
    assert shown.startswith(markdown(found).rstrip("\n"))
    written = io.StringIO(means_frame(found).to_csv(index=False))
    # Machines differ in the last digit of the means of resamples.
    pd.testing.assert_frame_equal(
        pd.read_csv(written), pd.read_csv(BOARDS / folder / "leaderboard.csv"), rtol=1e-9
    )
    kept = json.loads((BOARDS / folder / "leaderboard.json").read_text(encoding="utf-8"))
    assert list(_rounded(json.loads(as_json(found)))) == list(_rounded(kept))


def _rounded(thing: object) -> Iterator[object]:
    """The leaves of nested lists and objects, with their names; numbers to six digits."""
    if isinstance(thing, dict):
        for name, part in thing.items():
            yield name
            yield from _rounded(part)
    elif isinstance(thing, list):
        for part in thing:
            yield from _rounded(part)
    else:
        yield f"{thing:.6g}" if isinstance(thing, float) else thing


@pytest.mark.parametrize("folder", FOLDERS)
def test_records_survive_being_a_table(folder: str, tmp_path: Path) -> None:
    records = read_csv(BOARDS / folder / "records.csv")
    frame(records).to_csv(tmp_path / "records.csv", index=False)
    assert read_csv(tmp_path / "records.csv") == records


def test_another_table_is_no_board(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text("model,image\na,b\n")
    with pytest.raises(BadInput, match=r"records\.csv line 2 is not a record"):
        read_csv(tmp_path / "records.csv")
    with pytest.raises(BadInput, match="cannot be read as records"):
        read_csv(tmp_path / "none.csv")
