"""Records and strips made by hand, and figures drawn of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from site_pages import synthetic

from srbench.figures import curves, matrix, qualitative, style
from srbench.figures.strips import Panel, Strip
from srbench.store.record import Record

BOARDS = Path(__file__).parents[1] / "leaderboards"
SETS = [("ntire-mini", "ntire", "a" * 64), ("aim-mini", "aim", "b" * 64)]
NETS = ("bicubic", "helpers:blurry_upscaler")


def made(**changes: object) -> list[Record]:
    return list(synthetic(SETS, ["i0", "i1", "i2"], **changes))  # type: ignore[arg-type]


def strip(**changes: object) -> Strip:
    generator = np.random.default_rng(0)

    def pixels(side: int) -> np.ndarray:
        return generator.integers(100, 156, (side, side, 3), dtype=np.uint8)

    panels = [
        Panel("bicubic", pixels(32), "", {"psnr": 25.0, "lpips": 0.5}),
        Panel("of ntire", pixels(32), "in-domain", {"psnr": 26.004, "lpips": 0.2}),
        Panel("of aim", pixels(32), "out-of-domain", {"psnr": 26.0, "lpips": None}),
        Panel("<script> $x_1$ \\alpha", pixels(32), "generalist", {"psnr": 24.0, "lpips": 0.1}),
    ]
    fields = {
        "dataset": "ntire-mini",
        "image": "a",
        "attack": "none",
        "whole": pixels(96),
        "box": (8, 16, 32, 32),
        "lr": pixels(32),
        "lr_name": "LR",
        "own_noise": False,
        "panels": panels,
        "hr": pixels(32),
    }
    return Strip(**(fields | changes))  # type: ignore[arg-type]


def drawn(folder: Path, records: list[Record]) -> None:
    """One figure of each kind that has a layout of its own."""
    style.write(curves.draw(records), folder / "curves", dpi=80)
    style.write(matrix.draw(records), folder / "matrix.png", dpi=80)
    style.write(qualitative.draw([strip()]), folder / "qualitative.pdf", dpi=80)
