"""The committed leaderboards are what their records give."""

from __future__ import annotations

from pathlib import Path

import pytest

from srbench.boards.compute import tables
from srbench.boards.csv_records import read_csv
from srbench.boards.files import markdown
from srbench.boards.frame import frame
from srbench.boards.text import heading
from srbench.errors import BadInput
from srbench.metrics import registry

BOARDS = Path(__file__).parents[1] / "leaderboards"
FOLDERS = sorted(file.parent.name for file in BOARDS.glob("*/records.csv"))


def test_there_are_committed_boards() -> None:
    assert {"attacked-mini", "classical", "cross-dataset-mini", "real"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_board_is_not_stale(folder: str) -> None:
    records = read_csv(BOARDS / folder / "records.csv")
    order = list(dict.fromkeys(record.dataset for record in records))
    shown = (BOARDS / folder / "leaderboard.md").read_text(encoding="utf-8")
    metrics = [name for name in registry() if f"| {heading(name)} " in shown]
    assert shown.startswith(markdown(tables(records, dataset_order=order, metrics=metrics)).rstrip("\n"))


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
