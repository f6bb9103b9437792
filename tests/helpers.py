"""Small builders the tests share."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from srbench.boards.stats import Draws, resample_counts
from srbench.store.record import Record


def record(**changes: Any) -> Record:
    """A record with plausible values, changed where asked."""
    fields: dict[str, Any] = {
        "model": "bicubic",
        "model_title": "Bicubic",
        "training_domain": "none",
        "weights_sha256": "",
        "dataset": "set",
        "dataset_domain": "clean",
        "dataset_kind": "paired",
        "dataset_hash": "d" * 64,
        "dataset_images": 2,
        "image": "a",
        "attack": "none",
        "attack_hash": "",
        "protocol": "rsr",
        "protocol_hash": "p" * 64,
        "metrics": {"psnr": 20.0, "lpips": 0.5},
        "notes": {},
        "lr_size": (8, 8),
        "sr_size": (32, 32),
        "precision": "fp32",
        "tile": None,
        "device": "cpu",
        "seconds": 0.1,
        "created": "2026-01-01T00:00:00+00:00",
        "versions": {"srbench": "0"},
        "commit": None,
    }
    return Record(**(fields | changes))


def write_pairs(folder: Path, count: int, side: int = 24, seed: int = 0) -> tuple[Path, Path]:
    """``count`` random LR and HR PNG pairs; LR is side x side."""
    generator = np.random.default_rng(seed)
    lr_dir, hr_dir = folder / "lr", folder / "hr"
    for directory in (lr_dir, hr_dir):
        directory.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        lr = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
        hr = lr.repeat(4, 0).repeat(4, 1)
        Image.fromarray(lr).save(lr_dir / f"{index:03}x4.png")
        Image.fromarray(hr).save(hr_dir / f"{index:03}.png")
    return lr_dir, hr_dir


def srbench(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "srbench", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        timeout=300,
        check=False,
    )


def inside(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, which has loaded torch: seconds less than one of its own."""
    from srbench import cli

    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr("sys.argv", ["srbench", *arguments])
        for name, value in environment.items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        try:
            cli.main()
        except SystemExit as leaving:
            code = leaving.code or 0
    assert isinstance(code, int), code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def blurry_upscaler() -> nn.Module:
    """An x4 network with a gradient, other than bicubic."""
    convolution = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect", bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 3, 3) / 9)
    return nn.Sequential(nn.Upsample(scale_factor=4), convolution)


def independent(images: int, seed: str) -> Draws:
    """How so many images are resampled that show as many photographs."""
    return Draws(resample_counts(images, seed), np.arange(images))


class Nearest(nn.Module):
    """Each pixel four times to the right and down: a separable problem, whose worst noise is known."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=4, mode="nearest")
