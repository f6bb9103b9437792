"""The noise of today is the noise of the committed results: seeds of images lead to the same numbers.

Whoever draws them otherwise changes every attacked record, and no result of before could be made again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import srbench
from srbench.attacks import preset


def committed(attack: str) -> dict[str, dict[str, Any]]:
    """What bicubic's committed entry says of the images of ntire-mini2 under an attack."""
    entry = json.loads((ROOT / "leaderboards/entries/bicubic.json").read_text(encoding="utf-8"))
    (cell,) = (
        cell
        for cell in entry["cells"]
        if (cell["shared"]["dataset"], cell["shared"]["attack"]) == ("ntire-mini2", attack)
    )
    return {image["image"]: image | cell["shared"] for image in cell["images"]}


def test_random_noise_is_what_it_was_when_results_were_committed(tmp_path: Path) -> None:
    found = srbench.evaluate(
        "bicubic", datasets="ntire-mini2", attacks="random", metrics="psnr", limit=2, store=tmp_path
    )
    before = committed("random")
    assert len(found) == 2
    for _, row in found.iterrows():
        was = before[row["image"]]
        assert was["attack_hash"] == preset("random").hash == row["attack_hash"]
        # Other noise of the same size moves these by hundredths of a dB.
        assert row["psnr"] == pytest.approx(was["metrics"]["psnr"], abs=1e-3)
        assert row["lr_psnr"] == pytest.approx(was["effect"]["lr_psnr"], abs=1e-3)
