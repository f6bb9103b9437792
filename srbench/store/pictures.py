"""Pictures kept beside a cell's records, for whoever wants to look at them: SR, and the LR under attack."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from srbench.errors import RunFailed
from srbench.support.file_names import file_stem
from srbench.support.home import atomic_path

if TYPE_CHECKING:
    from torch import Tensor


def folder(cell: PurePosixPath) -> PurePosixPath:
    """Return where the pictures of a cell live in its store: beside its records, under the same digest."""
    return cell.with_suffix(".images")


def sr_file(store: Path, cell: PurePosixPath, image: str) -> Path:
    """Return the file of the SR image, an 8-bit PNG."""
    return store / folder(cell) / "sr" / f"{file_stem(image)}.png"


def lr_file(store: Path, cell: PurePosixPath, image: str) -> Path:
    """Return the file of the attacked LR image, an 8-bit PNG; the clean one is in the data set."""
    return store / folder(cell) / "lr" / f"{file_stem(image)}.png"


def complete(store: Path, cell: PurePosixPath, image: str, *, attacked: bool) -> bool:
    """Return whether every picture of an image is there."""
    files = [sr_file(store, cell, image)] + ([lr_file(store, cell, image)] if attacked else [])
    return all(file.is_file() for file in files)


def save(store: Path, cell: PurePosixPath, image: str, sr: Tensor, attacked_lr: Tensor | None) -> None:
    """Write the pictures of one image, each whole or not at all.

    Args:
        sr: (1,3,H,W), clipped to [0,1] and rounded to 8 bit here.
        attacked_lr: (1,3,h,w) in [0,1]; None for the clean input.

    Raises:
        RunFailed: they cannot be written.
    """
    pictures = {sr_file(store, cell, image): sr}
    if attacked_lr is not None:
        pictures[lr_file(store, cell, image)] = attacked_lr
    for file, pixels in pictures.items():
        try:
            _write(file, pixels)
        except OSError as error:
            raise RunFailed(
                f"{file} cannot be written ({error.strerror or error}): free space or drop --keep-images"
            ) from error


def _write(file: Path, image: Tensor) -> None:
    import torch
    from PIL import Image

    pixels = (image[0].float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    with atomic_path(file) as temporary:
        Image.fromarray(pixels).save(temporary, format="png")
