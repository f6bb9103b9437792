"""A data set of your own: a directory of LR images and one of HR images, four times as large."""

import tempfile
from pathlib import Path

from PIL import Image
from skimage import data

import srbench

with tempfile.TemporaryDirectory() as folder:
    lr_dir, hr_dir = Path(folder) / "jpeg/lr", Path(folder) / "jpeg/hr"
    lr_dir.mkdir(parents=True)
    hr_dir.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        hr = Image.fromarray(getattr(data, name)()[:256, :256])
        lr = hr.resize((64, 64), Image.Resampling.BICUBIC)
        lr.save(lr_dir / f"{name}x4.jpg", quality=40)  # matched by name: the x4 and the suffix do not count
        hr.save(hr_dir / f"{name}.png")

    records = srbench.evaluate(
        ["bicubic", "esrgan-mini"], datasets=f"pairs:{lr_dir}:{hr_dir}", metrics=["psnr", "ssim"]
    )

print(records[["model", "dataset", "image", "psnr", "ssim"]].to_string())
print(srbench.leaderboard(records).to_markdown())
