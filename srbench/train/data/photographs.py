"""Cut training crops from a folder of photographs."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srbench.datasets.base import Pixels
from srbench.datasets.decode import FileFacts, inspect
from srbench.datasets.files import CheckedFile, CheckedImage, FileSet
from srbench.datasets.pairs import EXTENSIONS
from srbench.errors import BadInput
from srbench.train.data.base import HRSource, sample_rng
from srbench.train.data.sharing import ImageCache, visit

_CROPS = 16
_TICKET = 480**2
"""An image is drawn as often as it holds sub-images of the customary 480 x 480 pixels, once at least."""


class Photographs(HRSource):
    """Cuts random crops of the images in a folder and all folders below it. Thread-safe.

    Images are drawn without replacement until all have been seen, larger ones oftener, and give 16 crops
    each time. They are decoded when they are needed.

    Args:
        folder: PNG, JPEG, BMP, TIFF, WebP, GIF or PPM files by extension; hidden ones are passed over.
        patch: the side of the crops that will be asked for, in pixels; smaller images are left out.
        shrink: factor by which images are scaled down first (antialiased bicubic), 1 for not at all.
            Impressionism takes 0.5, which removes the noise and compression of its own photographs.
        hold_out: keep every so manieth file, in the order of their paths, apart; 0 for none.
        held_out: cut from the files kept apart, and not from the others.
        cache_bytes: decoded images kept in memory, at most. About 16 are in use at a time: with room
            for fewer, images are decoded again and again.

    Raises:
        BadInput: no folder, no image in it, none large enough, none left where some are held out, a file
            that cannot be decoded, or a factor that is not above 0 and at most 1.
    """

    def __init__(
        self,
        folder: Path,
        *,
        patch: int,
        shrink: float = 1.0,
        hold_out: int = 0,
        held_out: bool = False,
        cache_bytes: int = 2_000_000_000,
    ) -> None:
        if not 0 < shrink <= 1:
            raise BadInput(f"shrink {shrink:g} is not above 0 and at most 1: 0.5 halves the sides")
        folder = folder.expanduser()
        files = _part(_files_below(folder), folder, hold_out, held_out)
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            facts = list(pool.map(inspect, files))
        images = {
            file.relative_to(folder).as_posix(): CheckedImage(CheckedFile(file, fact), None)
            for file, fact in zip(files, facts, strict=True)
        }
        self.name = folder.resolve().name
        self._set = FileSet(images, name=self.name, title=self.name, domain="unknown")
        self._shrink = shrink
        self._sizes = {i: _shrunk(image.lr.facts, shrink) for i, image in images.items()}
        large = [i for i in self._set.ids if min(self._sizes[i]) >= patch]
        if not large:
            after = f" after shrinking by {shrink:g}" if shrink < 1 else ""
            raise BadInput(
                f"no image in {folder} is at least {patch} px high and wide{after}: "
                "use larger images or a smaller patch"
            )
        self.content_hash = self._set.content_hash
        if shrink < 1:
            self.content_hash = hashlib.sha256(f"{self.content_hash} {shrink!r}".encode()).hexdigest()
        self._patch, self._skipped, self._count = patch, len(images) - len(large), len(large)
        self._tickets = [
            image for image in large for _ in range(max(1, round(math.prod(self._sizes[image]) / _TICKET)))
        ]
        self._decoded = ImageCache(cache_bytes)
        self._shuffled = lru_cache(maxsize=8)(self._shuffle)

    def crop(self, index: int, patch: int, seed: int) -> Pixels:
        """Return one crop; see :meth:`HRSource.crop`.

        Raises:
            ValueError: a patch larger than the one the folder was opened for.
            RunFailed: the image's file is gone, or is not the one it was when the folder was opened.
        """
        if patch > self._patch:
            raise ValueError(f"opened for crops of {self._patch} px, asked for {patch} px")
        turn, place = divmod(visit(index, _CROPS), len(self._tickets))
        image = self._tickets[self._shuffled(turn, seed)[place]]
        pixels = self._decoded.get(image, lambda: self._load(image))
        rng = sample_rng(seed, index, "photograph crop")
        top, left = (int(rng.integers(length - patch + 1)) for length in pixels.shape[:2])
        return pixels[top : top + patch, left : left + patch]

    def describe(self) -> str:
        left_out = f", {self._skipped} smaller than {self._patch} px left out" if self._skipped else ""
        shrunk = f", shrunk by {self._shrink:g}" if self._shrink < 1 else ""
        return f"{self.name}: {self._count} image{'s' * (self._count != 1)}{shrunk}{left_out}"

    def _shuffle(self, turn: int, seed: int) -> NDArray[np.int64]:
        return sample_rng(seed, turn, "photograph order").permutation(len(self._tickets))

    def _load(self, image: str) -> Pixels:
        pixels = self._set.load(image).lr
        if self._shrink == 1:
            return pixels
        height, width = self._sizes[image]
        return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def _shrunk(facts: FileFacts, factor: float) -> tuple[int, int]:
    """Return (height, width) of an image made smaller."""
    return max(1, round(facts.height * factor)), max(1, round(facts.width * factor))


def _part(files: Sequence[Path], folder: Path, hold_out: int, held_out: bool) -> Sequence[Path]:
    """Return the files to train on, or those held out."""
    if not hold_out:
        return files
    part = [file for i, file in enumerate(files, 1) if (i % hold_out == 0) == held_out]
    if not part:
        raise BadInput(
            f"{folder} holds {len(files)} image{'s' * (len(files) != 1)}: with every {hold_out}. held out "
            f"none is left to {'validate' if held_out else 'train'} on"
        )
    return part


def _files_below(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder: give one that holds training images")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not files:
        raise BadInput(
            f"{folder} holds no images ({', '.join(sorted(EXTENSIONS))}), nor do the folders below it"
        )
    for file in files:  # control characters, and bytes that are no UTF-8, which no recipe or report can hold
        if not str(file.relative_to(folder)).isprintable():
            raise BadInput(f"{str(file)!a} has characters no report can show: rename it")
    return files
