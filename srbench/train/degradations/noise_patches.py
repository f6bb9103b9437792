"""Collect Impressionism's noise: what smooth patches of a domain's images show besides their mean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.datasets.base import Pixels
from srbench.errors import BadInput


@dataclass(frozen=True)
class PatchRules:
    """Says which patches count as smooth, so that what varies in them is noise.

    Attributes:
        patch: side of a patch in pixels.
        stride: from one patch to the next.
        max_variance: of the patch in gray (Pillow's ``L``), in levels of 255 squared; has to be below.
        min_mean: of the patch in gray, in levels of 255; has to be above, as black hides noise.
        limit: patches kept; of more, a random choice.
        max_colour_variance: of the patch in each of R, G and B; has to be below. Textures whose colours
            change against each other hardly show in gray. The published code has no such bound.
    """

    patch: int
    stride: int
    max_variance: float
    min_mean: float
    limit: int
    max_colour_variance: float = np.inf

    def accept(self, variance: float, mean: float) -> bool:
        """Tell whether a patch of this variance and mean is smooth and bright enough."""
        return variance < self.max_variance and mean > self.min_mean

    def accept_colours(self, patch: Pixels) -> bool:
        """Tell whether every colour of a patch (h,w,3) is smooth enough."""
        bound = self.max_colour_variance
        return bound == np.inf or bool((patch.astype(np.float64).var((0, 1)) < bound).all())


class NoisePatches:
    """Draws noise from patches that were collected from images.

    Args:
        patches: (K,S,S,3) uint8.

    Attributes:
        hash: sha256 over the patches.
    """

    def __init__(self, patches: Pixels) -> None:
        self.hash = hashlib.sha256(np.ascontiguousarray(patches).tobytes()).hexdigest()
        self._patches = torch.from_numpy(np.ascontiguousarray(patches.transpose(0, 3, 1, 2)))

    def __len__(self) -> int:
        return len(self._patches)

    def draw(self, size: tuple[int, int], ids: Sequence[str], seed: str | int) -> Tensor:
        """Draw noise (N,3,H,W), float32 in units of the range [0,1], on the CPU: crops less their own mean.

        Seed and id decide patch and place; each channel of each sample has mean zero. Where patches are
        smaller than ``size``, noise is put together from several of them, side by side.
        """
        return torch.stack([self._noise(size, generator(seed, i, "noise-injection")) for i in ids])

    def _noise(self, size: tuple[int, int], random: torch.Generator) -> Tensor:
        side = self._patches.shape[-1]
        noise = torch.empty(3, *size)
        for top in range(0, size[0], side):
            for left in range(0, size[1], side):
                place = noise[:, top : top + side, left : left + side]
                crop = self._crop((place.shape[1], place.shape[2]), random).float() / 255
                place.copy_(crop - crop.mean((-2, -1), keepdim=True))
        return noise

    def _crop(self, size: tuple[int, int], random: torch.Generator) -> Tensor:
        count, _, side, _ = self._patches.shape
        spans = (count, side - size[0] + 1, side - size[1] + 1)
        which, top, left = (int(torch.randint(span, (), generator=random)) for span in spans)
        return self._patches[which, :, top : top + size[0], left : left + size[1]]


def collect_patches(
    images: Iterable[Pixels], rules: PatchRules, *, source: str, seed: str | int
) -> NoisePatches:
    """Collect every patch of the images (h,w,3) that the rules accept, or a random ``limit`` of them.

    Raises:
        BadInput: there is none; the message says what the patches are like.
    """
    random = np.random.Generator(np.random.PCG64(_number(seed)))
    patches: list[Pixels] = []
    seen = smooth = accepted = largest = 0
    smoothest, brightest = np.inf, -np.inf
    for image in images:
        largest = max(largest, min(image.shape[:2]))
        for patch, variance, mean in _measured(image, rules):
            seen += 1
            brightest = max(brightest, mean)
            if mean > rules.min_mean:
                smoothest = min(smoothest, variance)
            if not rules.accept(variance, mean):
                continue
            smooth += 1
            if not rules.accept_colours(patch):
                continue
            accepted += 1
            if len(patches) < rules.limit:
                patches.append(patch.copy())
            elif (place := int(random.integers(accepted))) < rules.limit:
                patches[place] = patch.copy()
    if patches:
        return NoisePatches(np.stack(patches))
    if not seen:
        raise BadInput(
            f"no noise patch could be collected: the images of {source} are at most {largest} px high or "
            f"wide, patches {rules.patch} px: set patch of noise-injection to {largest} or less"
        )
    if smooth:
        raise BadInput(
            f"no noise patch could be collected: of {smooth} patches of {rules.patch} px in {source} "
            f"that are smooth in gray, none has a variance below max_colour_variance = "
            f"{rules.max_colour_variance:g} in each colour: raise it"
        )
    raise BadInput(
        f"no noise patch could be collected: of {seen} patches of {rules.patch} px in {source}, "
        + (
            f"none has a gray mean above min_mean = {rules.min_mean:g} (the brightest has {brightest:.1f}): "
            "lower min_mean"
            if smoothest == np.inf
            else f"none of a gray mean above {rules.min_mean:g} has a gray variance below max_variance = "
            f"{rules.max_variance:g} (the smoothest has {smoothest:.1f}): raise max_variance, or choose "
            "smaller patches"
        )
    )


def _measured(image: Pixels, rules: PatchRules) -> Iterator[tuple[Pixels, float, float]]:
    """Yield each patch with variance and mean of its gray."""
    gray: NDArray[np.float64] = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float64)
    side = rules.patch
    for top in range(0, image.shape[0] - side + 1, rules.stride):
        for left in range(0, image.shape[1] - side + 1, rules.stride):
            window = gray[top : top + side, left : left + side]
            yield image[top : top + side, left : left + side], float(window.var()), float(window.mean())


def _number(seed: str | int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0noise-patches".encode()).digest()[:8], "big")
