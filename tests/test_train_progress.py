"""What a training shows on a terminal: one line that fits, with whole numbers and the time that is left."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from rich.cells import cell_len
from rich.console import Console

from srbench.train.logs import Log
from srbench.train.processes import Processes
from srbench.train.trainer import COLUMNS
from srbench.train.validation import ValidationScore

LOSSES = {"loss_g": 1.25, "l1": 0.0597, "perceptual": 0.5644, "gan": 0.6937, "loss_d": 0.6928}
SCORE = ValidationScore(clean=0.3667, degraded=0.473, psnr=23.07)


@contextmanager
def log(folder: Path, width: int, total: int, *, terminal: bool) -> Iterator[tuple[Log, io.StringIO]]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system=None, soft_wrap=True, stderr=False
    )
    made = Log(folder, Processes("cpu", 1), done=0, total=total, every=1, console=console)
    try:
        yield made, file
    finally:
        made.close()


def train(made: Log, first: int, last: int) -> None:
    values = torch.tensor([LOSSES.get(name, float("nan")) for name in COLUMNS])
    for iteration in range(first, last):
        made.add(iteration, 2e-4, values)


def lines(file: io.StringIO) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    return [line.rstrip() for line in re.split("[\r\n]+", plain) if line.strip()]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("total", [450, 60_000])
def test_a_line_fits_before_and_after_a_validation(width: int, total: int, tmp_path: Path) -> None:
    with log(tmp_path, width, total, terminal=True) as (made, file):
        train(made, 1, 5)
        made._bar.refresh()
        before = lines(file)[-1]
        made.validated(4, "LPIPS-lite", SCORE, torch.zeros(3, 8, 8))
        train(made, 5, 9)
        made._bar.refresh()
        shown = lines(file)
    assert max(map(cell_len, shown)) <= width
    for line in shown:
        assert "…" not in line
        for name, value in re.findall(r"([a-z_0-9]+) (\d+\.\d*)", line):
            if name in LOSSES:
                assert value == f"{LOSSES[name]:.4f}"
    assert f"4/{total}" in before and before.endswith("left") and "perceptual 0.5644" in before
    assert shown[-1].startswith("LPIPS-lite 0.4199 perceptual 0.5644")
    assert f"8/{total}" in shown[-1] and shown[-1].endswith("left")
    (said,) = (line for line in shown if line.startswith(f"4/{total}  LPIPS-lite 0.4199"))
    assert " left  clean 0.3667  degraded 0.4730" in said
    assert ("PSNR 23.07" in said) == (width >= 100)
    assert ("it/s" in said) == ("loss_d" in said) == (width >= 180)


def test_a_pipe_gets_every_number_in_one_line(tmp_path: Path) -> None:
    with log(tmp_path, 80, 450, terminal=False) as (made, file):
        train(made, 1, 5)
        made.validated(4, "LPIPS", SCORE, torch.zeros(3, 8, 8))
        shown = lines(file)
    (line,) = shown
    for part in ("4/450", "LPIPS 0.4199", "min left", "clean 0.3667", "PSNR 23.07", "loss_d 0.6928", "it/s"):
        assert part in line
