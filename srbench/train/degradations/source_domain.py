"""Give the degradations LR images of a source domain to learn from: a folder's, or made on the spot."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.datasets.base import Pixels, hash_content
from srbench.datasets.decode import decode, read
from srbench.datasets.degradations import degradation
from srbench.datasets.pairs import image_files
from srbench.errors import BadInput
from srbench.support.home import sha256_file
from srbench.support.scales import SCALE
from srbench.train.data.crops import symmetry
from srbench.train.data.sharing import ImageCache, visit
from srbench.train.degradations.base import Context

DEFAULT_IMAGES = 256
"""A mini domain makes so many images where nothing else is said."""
FIRST_CROP = 10**9
"""Training crops from this index on become images of mini domains; training itself stays below it."""

_MINI = "mini:"
_MINI_NAMES = ("ntire", "aim")
_CACHE_BYTES = 1 << 30
_CROPS_AN_IMAGE = 16
_TOGETHER = 16


class SourceDomain(ABC):
    """Holds LR images (h,w,3) uint8 by number, and cuts training crops of them.

    Attributes:
        spec: what the user called it.
    """

    spec: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image(self, number: int) -> Pixels:
        """Return one image; BadInput naming the file where it cannot be decoded."""

    @property
    @abstractmethod
    def content_hash(self) -> str:
        """Return the sha256 (64 hex digits) of the images: equal hashes mean equal images."""

    def __iter__(self) -> Iterator[Pixels]:
        return (self.image(number) for number in range(len(self)))

    def crops(self, indices: Sequence[int], side: int, seed: int, stream: str = "source-crop") -> Tensor:
        """Cut crops (N,3,side,side), float32 in [0,1] on the CPU, flipped and turned, by index and seed.

        Args:
            stream: crops of the same index and seed but another stream are of the same image, each at a
                place of its own.

        Raises:
            BadInput: an image is smaller than the crop.
        """
        cut = np.stack([self._crop(index, side, seed, stream) for index in indices])
        return torch.from_numpy(cut).permute(0, 3, 1, 2).contiguous().float().div_(255)

    def _crop(self, index: int, side: int, seed: int, stream: str) -> Pixels:
        # Neighbouring indices share images, so that a folder larger than the cache is decoded seldom.
        which = generator(seed, str(visit(index, _CROPS_AN_IMAGE)), "source-image")
        image = self.image(_draw(len(self), which))
        height, width = image.shape[:2]
        if min(height, width) < side:
            raise BadInput(
                f"an image of {self.spec} is {width} x {height} px, smaller than crops of {side} px: "
                "set crop to less, or remove small images"
            )
        place = generator(seed, str(index), stream)
        top, left = _draw(height - side + 1, place), _draw(width - side + 1, place)
        return symmetry(image[top : top + side, left : left + side], _draw(8, place))


class FolderDomain(SourceDomain):
    """Holds the images directly in a folder, in the order of their names.

    Raises:
        BadInput: not a folder, or no images there.
    """

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self._files = image_files(Path(spec).expanduser())
        self._cache = ImageCache(_CACHE_BYTES)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Pixels]:
        return (decode(read(file), file) for file in self._files)

    def image(self, number: int) -> Pixels:
        file = self._files[number]
        return self._cache.get(number, lambda: decode(read(file), file))

    @cached_property
    def content_hash(self) -> str:
        return hash_content((file.name, sha256_file(file), "") for file in self._files)


class MiniDomain(SourceDomain):
    """Puts training crops through a degradation of the mini track: a domain learned without test images.

    Each crop is an image of its own; with HR crops of P px the images are P/4 px a side.

    Args:
        spec: ``mini:ntire`` or ``mini:aim``.
        count: images to make.
        side: of an image in pixels, from HR crops of four times that; None for P/4. Where the context gives
            crops of one size alone, larger ones are laid together from those, and have seams.
    """

    def __init__(self, spec: str, context: Context, count: int, side: int | None = None) -> None:
        name = spec.removeprefix(_MINI)
        if name not in _MINI_NAMES:
            known = " or ".join(_MINI + known for known in _MINI_NAMES)
            raise BadInput(f"unknown source domain '{spec}': choose {known}, or a folder of LR images")
        self.spec = spec
        self._degrade, self._seed = degradation(name).make, context.seed
        self._images: list[Pixels] = []
        for first in range(0, count, _TOGETHER):
            numbers = range(first, min(first + _TOGETHER, count))
            self._images += self.degrade(_hr(context, numbers, side), numbers)

    def degrade(self, hr: Tensor, numbers: Sequence[int]) -> list[Pixels]:
        """Degrade HR (N,3,4h,4w) in [0,1] as the images are, each by its number: N of (h,w,3) uint8."""
        pixels = (hr * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        images = []
        for number, crop in zip(numbers, pixels, strict=True):
            digest = hashlib.sha256(f"{self._seed}\0{self.spec}\0{number}".encode()).digest()
            random = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
            images.append(self._degrade(np.ascontiguousarray(crop), random, SCALE))
        return images

    def __len__(self) -> int:
        return len(self._images)

    def image(self, number: int) -> Pixels:
        return self._images[number]

    @cached_property
    def content_hash(self) -> str:
        return hashlib.sha256(b"".join(image.tobytes() for image in self._images)).hexdigest()


def open_domain(
    spec: str, context: Context, *, count: int = DEFAULT_IMAGES, side: int | None = None
) -> SourceDomain:
    """Open the source domain that a recipe names.

    Args:
        spec: a folder of LR images (of any sizes), or ``mini:ntire``, ``mini:aim``.
        count: images a mini domain makes; a folder is taken whole.
        side: of an image of a mini domain; see :class:`MiniDomain`.

    Raises:
        BadInput: not a folder, no images in it, or no such mini domain.
    """
    return MiniDomain(spec, context, count, side) if spec.startswith(_MINI) else FolderDomain(spec)


def _hr(context: Context, numbers: Sequence[int], side: int | None) -> Tensor:
    """Return HR crops (N,3,P,P) of the mini domain's images, or (N,3,4*side,4*side)."""
    first = [FIRST_CROP + number for number in numbers]
    if side is None:
        return context.crops(first)
    if context.crops_of is not None:
        return context.crops_of(first, SCALE * side)
    patch = context.crops(first[:1]).shape[-1]
    across = -(-SCALE * side // patch)
    images = []
    for number in numbers:
        start = FIRST_CROP + number * across**2
        parts = context.crops(range(start, start + across**2))
        rows = [torch.cat(list(parts[i : i + across]), dim=2) for i in range(0, across**2, across)]
        images.append(torch.cat(rows, dim=1)[:, : SCALE * side, : SCALE * side])
    return torch.stack(images)


def _draw(below: int, random: torch.Generator) -> int:
    return int(torch.randint(below, (), generator=random))
