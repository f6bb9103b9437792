"""leaderboards/paper.json against the text of the paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_row_is_in_the_paper(shared: Path) -> None:
    printed = {
        tuple(map(float, numbers))
        for line in (shared / "paper.txt").read_text(encoding="utf-8").splitlines()
        if "\t" in line and len(numbers := re.findall(r"(?<=\t)\d+\.\d\d(?!\d)", line)) == 9
    }
    paper = json.loads((ROOT / "leaderboards/paper.json").read_text(encoding="utf-8"))
    rows = [row for table in ("table_1", "table_2") for row in paper[table]["rows"]]
    assert len(rows) == 12 + 9
    ours = [(*row["psnr"], *row["ssim"], *row["lpips"]) for row in rows]
    assert set(ours) == printed
