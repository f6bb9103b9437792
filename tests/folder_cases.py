"""Folders of small images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from srbench.cli import app

PIXELS = np.random.default_rng(4).integers(0, 256, (8, 12, 3), dtype=np.uint8)


def image(path: Path, side: int = 4, shade: int = 9, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (shade, 0, 255 - shade)).save(path, **options)  # type: ignore[arg-type]
    return path


def pairs(root: Path, lr: str = "lr", hr: str = "hr", shade: int = 9) -> str:
    image(root / lr / "a.png", 4, shade)
    image(root / hr / "a.png", 16)
    return f"pairs:{root / lr}:{root / hr}"


def cli(*words: str | Path) -> str:
    done = CliRunner().invoke(app, ["datasets", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return " ".join(done.output.split())
