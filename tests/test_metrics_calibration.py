"""Metrics against official values (TID2013 pairs, the lpips package's example pair)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srbench.metrics import metric
from srbench.metrics.base import Views

# How each official value was made: the gray image for SSIM, whole RGB images otherwise.
OFFICIAL = {
    # name: (protocol parameters, space, relative tolerance, absolute tolerance)
    "psnr": ({}, "rgb", 0.01, 0.0),
    "ssim": ({}, "gray", 0.01, 0.0),
    "lpips": ({"net": "alex", "version": "0.1"}, "rgb", 0.01, 0.0),
    "fsim": ({}, "rgb", 0.01, 0.0),
    "piqe": ({}, "rgb", 0.01, 0.0),
    "ms_ssim": ({}, "rgb", 0.01, 0.0),
    "gmsd": ({}, "rgb", 0.01, 1e-4),
    "niqe": ({"parameters": "original"}, "rgb", 0.06, 0.0),
    # The official values come from other support vectors; a score runs from 0 to 100, and 8 % is 8 points.
    "brisque": ({"parameters": "opencv"}, "rgb", 0.0, 8.0),
}
IMAGES = ("I03", "I04", "I06", "I08", "I19")


def read(file: Path) -> torch.Tensor:
    pixels = np.asarray(Image.open(file).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def official(shared: Path) -> dict[str, dict[str, float]]:
    with (shared / "assets/iqa/calibration/results_official.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {row["Method"]: {i: float(row[f"{i}.bmp"]) for i in IMAGES} for row in rows}


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_value(name: str, image: str, shared: Path, shared_weights: Path) -> None:
    params, space, relative, absolute = OFFICIAL[name]
    folder = shared / "assets/iqa/calibration"
    views = Views(read(folder / "dist_dir" / f"{image}.bmp"), read(folder / "ref_dir" / f"{image}.bmp"))
    score = metric(name).make_scorer(params, "cpu")(*views.get(rounded=True, crop=0, space=space))
    assert score == pytest.approx(official(shared)[name][image], rel=relative, abs=absolute)


@pytest.mark.parametrize(("file", "expected"), [("ex_p0.png", 0.7219), ("ex_p1.png", 0.1376)])
def test_lpips_example_pair(file: str, expected: float, shared: Path, shared_weights: Path) -> None:
    folder = shared / "assets/lpips/example_pair"
    views = Views(read(folder / file), read(folder / "ex_ref.png"))
    scorer = metric("lpips").make_scorer({}, "cpu")
    assert scorer(*views.get(rounded=False, crop=0, space="rgb")) == pytest.approx(expected, abs=0.0005)
