"""Rank what a diffusion pipeline made beside other models: srbench measures its SR images, never runs it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

import srbench
from srbench import datasets

PIPELINE = "stabilityai/stable-diffusion-x4-upscaler"


def lanczos(lr: Image.Image) -> Image.Image:
    """Stands in where there is no pipeline."""
    return lr.resize((4 * lr.width, 4 * lr.height), Image.Resampling.LANCZOS)


def upscaler() -> Callable[[Image.Image], Image.Image]:
    """Return a function from an LR to an SR image, by a diffusers pipeline where it can be had."""
    try:
        import torch
        from diffusers import StableDiffusionUpscalePipeline

        pipeline = StableDiffusionUpscalePipeline.from_pretrained(PIPELINE)
    except ImportError:
        print("diffusers is not installed (pip install diffusers transformers): Lanczos stands in for it")
        return lanczos
    except OSError:
        print(f"the weights of {PIPELINE} are not here and cannot be fetched: Lanczos stands in for it")
        return lanczos

    def upscale(lr: Image.Image) -> Image.Image:
        seeded = torch.Generator().manual_seed(0)
        return pipeline(prompt="", image=lr, num_inference_steps=20, generator=seeded).images[0]

    return upscale


with tempfile.TemporaryDirectory() as folder:
    upscale = upscaler()
    for data in datasets.resolve(["clean-mini", "ntire-mini"])[0]:
        images = Path(folder) / data.name  # a folder for each data set
        images.mkdir()
        for name in data.ids[:2]:
            upscale(Image.fromarray(data.load(name).lr)).save(images / f"{name}.png")

    records = srbench.evaluate(
        {"bicubic": "bicubic", "diffusion": f"outputs:{folder}"},
        datasets=["clean-mini", "ntire-mini"],
        metrics=["psnr", "ssim"],
        limit=2,
    )
print(srbench.leaderboard(records).to_markdown())
