"""Compare the noise that a DSGAN makes with the noise of its source domain: their levels and their spectra.

What a degradation does to an image is its residual, degraded minus clean. A mini domain's degradation is
known, and so its residual is too: the same crops go through it and through the DSGAN, and their residuals and
their degraded images are compared on the same tiles, the smoother half of them.

A folder holds no clean images. There the smoothest tiles of its images show noise and hardly anything else,
and are compared with the smoothest tiles that the DSGAN makes of the same images shrunk by 4. Content is thus
alike, and both sides are chosen alike. This is meaningful where a twentieth of the images is smooth, as sky
and walls are in photographs, and noisy there, which a strong JPEG is not. So the comparison counts only where
the smooth tiles of the source are half again as rough as those of the shrunk images; elsewhere it says so.
As shrunk images have a quarter of the noise left, which a DSGAN might only amplify, its residual on clean
training crops has to be no weaker than that on the shrunk ones.

Tiles near black or white do not count: the noise there is clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from srbench.datasets.base import Pixels
from srbench.errors import BadInput, RunFailed
from srbench.support.scales import SCALE
from srbench.train.degradations.base import Context
from srbench.train.degradations.clean import bicubic_lr
from srbench.train.degradations.source_domain import FIRST_CROP, MiniDomain, SourceDomain

FIRST_CHECK = FIRST_CROP + 2 * 10**8
"""The training crops from this index on serve the gate alone."""
FIRST_CHOICE = FIRST_CROP + 3 * 10**8
"""Those from this index on choose among the checks of a training: the gate takes others."""
TILE = 16
"""A tile of crops of a mini domain has this side, for three octaves."""
SMALL_TILE = 8
"""A tile of a folder's images has this side, as small places are smooth more often; for two octaves."""

Degrade = Callable[[Tensor, Sequence[str]], Tensor]
"""It maps clean LR (N,3,H,W) in [0,1] and N ids to degraded LR of the same shape, as the training gets it."""

_CROPS = 256
_STEP = 37
"""From one crop to the next: neighbours are cut from the same images, and are too alike to stand for all."""
_TOGETHER = 32
_IMAGES = 64
_DARKEST, _BRIGHTEST = 32.0, 223.0
_SMOOTH_OF_PAIRS, _SMOOTH_OF_FOLDER = 0.5, 0.05
_FEWEST = 64
_ROUGHER = 1.5
_FLOOR = 0.5
"""What is below half a level is rounding: differences are shares of no less than this."""


@dataclass(frozen=True)
class Texture:
    """Holds how strong noise is, in levels of 255, pooled over the three channels.

    Attributes:
        std: root mean square about each tile's plane.
        gray: the same of the mean of the channels: noise that is alike in all has as much as ``std``.
        octaves: the part of ``std`` in each octave of spatial frequency, the finest (a quarter of a cycle a
            pixel and more) first. Their squares are the power spectrum.
    """

    std: float
    gray: float
    octaves: tuple[float, ...]

    def numbers(self) -> tuple[float, ...]:
        """Return all of them, in order."""
        return (self.std, self.gray, *self.octaves)

    def __str__(self) -> str:
        octaves = " ".join(f"{octave:.2f}" for octave in self.octaves)
        return f"std {self.std:.2f}, gray {self.gray:.2f}, octaves {octaves}"


@dataclass(frozen=True)
class Match:
    """Holds one comparison of textures.

    Attributes:
        of: what was measured.
        source, dsgan: of the source domain, and what the DSGAN makes.
        one_sided: only too little counts.
        counts: whether noise could be told from content; where not, nothing is said against the DSGAN.
    """

    of: str
    source: Texture
    dsgan: Texture
    one_sided: bool = False
    counts: bool = True

    @property
    def difference(self) -> float:
        """Return the largest difference of two numbers, as a share of the source's."""
        shares = []
        for wanted, made in zip(self.source.numbers(), self.dsgan.numbers(), strict=True):
            share = (made - wanted) / max(wanted, _FLOOR)
            shares.append(max(0.0, -share) if self.one_sided else abs(share))
        return max(shares)

    @property
    def verdict(self) -> str:
        """Say the difference, or that it says nothing."""
        return f"{self.difference:.0%} off" if self.counts else "not judged, as it is content and not noise"

    def __str__(self) -> str:
        wanted = "at least " if self.one_sided else ""
        return f"{self.of}: {self.dsgan} for {wanted}{self.source}"


def texture(tiles: Tensor) -> Texture:
    """Measure tiles (N,3,S,S) in levels, S of 8 or 16; a plane is first taken from each."""
    side = tiles.shape[-1]
    tiles = _flattened(tiles)
    frequency = torch.fft.fftfreq(side, dtype=tiles.dtype)
    radius = (frequency[:, None] ** 2 + frequency[None] ** 2).sqrt()
    window = torch.hann_window(side, dtype=tiles.dtype)
    window = window[:, None] * window[None]
    window /= window.square().mean().sqrt()
    power = torch.fft.fft2(tiles * window).abs().square().mean((0, 1)) / side**4
    octaves, top = [], 1.0
    for bottom in (2.0**-exponent for exponent in range(2, side.bit_length())):
        octaves.append(float(power[(radius >= bottom) & (radius < top)].sum().sqrt()))
        top = bottom
    gray = float(tiles.mean(1).square().mean().sqrt())
    return Texture(float(tiles.square().mean().sqrt()), gray, tuple(octaves))


def compare(
    domain: SourceDomain, degrade: Degrade, context: Context, first: int = FIRST_CHECK
) -> list[Match]:
    """Compare what ``degrade`` makes with the source domain; see the module.

    Args:
        first: index of the first training crop to take.

    Raises:
        BadInput: no places that could be compared.
    """
    numbers = range(first, first + _STEP * _CROPS, _STEP)
    if isinstance(domain, MiniDomain):
        return _compare_pairs(domain, degrade, context, numbers)
    return _compare_smooth(domain, degrade, context, numbers)


def misses(matches: Sequence[Match]) -> float:
    """Return the largest difference of the comparisons that count, as a share; infinite for NaN."""
    shares = [match.difference for match in matches if match.counts]
    return max((float("inf") if isnan(share) else share for share in shares), default=0.0)


def check(matches: Sequence[Match], limit: float) -> None:
    """Refuse a DSGAN that misses its source.

    Args:
        limit: difference that is let pass, as a share; 0 lets everything pass.

    Raises:
        RunFailed: with the numbers of the worst comparison and what to change.
    """
    wrong = [match for match in matches if match.counts and not match.difference <= limit]  # NaN is wrong too
    if limit and wrong:
        worst = max(wrong, key=lambda match: match.difference)
        raise RunFailed(
            f"the DSGAN misses its source by {worst.difference:.0%}, gate {limit:.0%} ({worst}): raise "
            "iterations, texture, noise_channels or high_pass_scale of frequency-separation, or set gate = 0"
        )


def facts(matches: Sequence[Match]) -> dict[str, Any]:
    """Return the comparisons as JSON types, rounded to a thousandth."""

    def rounded(found: Texture) -> dict[str, Any]:
        values = asdict(found) | {"octaves": list(found.octaves)}
        return {
            name: [round(v, 3) for v in value] if isinstance(value, list) else round(value, 3)
            for name, value in values.items()
        }

    return {
        match.of: {
            "source": rounded(match.source),
            "dsgan": rounded(match.dsgan),
            "difference": round(match.difference, 3),
            "counts": match.counts,
        }
        for match in matches
    }


def _compare_pairs(
    domain: MiniDomain, degrade: Degrade, context: Context, numbers: Sequence[int]
) -> list[Match]:
    clean, made, due = [], [], []
    for part in _parts(numbers):
        hr = context.crops(part)
        lr, degraded = _clean_and_degraded(hr, part, degrade, context)
        clean.append(lr)
        made.append(degraded)
        due.append(torch.stack([_levels(image) for image in domain.degrade(hr, part)]))
    side = TILE if min(clean[0].shape[-2:]) >= TILE else SMALL_TILE
    tiles, of_dsgan, of_source = (_tiles(torch.cat(images), side) for images in (clean, made, due))
    chosen = _smooth(tiles, _SMOOTH_OF_PAIRS, domain.spec)
    tiles, of_dsgan, of_source = tiles[chosen], of_dsgan[chosen], of_source[chosen]
    return [
        Match("residual", texture(of_source - tiles), texture(of_dsgan - tiles)),
        Match("degraded image", texture(of_source), texture(of_dsgan)),
    ]


def _compare_smooth(
    domain: SourceDomain, degrade: Degrade, context: Context, numbers: Sequence[int]
) -> list[Match]:
    due, shrunk, made = [], [], []
    for number in np.linspace(0, len(domain) - 1, min(len(domain), _IMAGES)).round().astype(int).tolist():
        image = _levels(domain.image(number))
        due.append(_tiles(image[None], SMALL_TILE))
        height, width = (length // SCALE * SCALE for length in image.shape[-2:])
        if min(height, width) >= SCALE * SMALL_TILE:
            noisy = (image[None, :, :height, :width] / 255).float()
            lr, degraded = _clean_and_degraded(noisy, [numbers[0] + number], degrade, context)
            shrunk.append(_tiles(lr, SMALL_TILE))
            made.append(_tiles(degraded, SMALL_TILE))
    if not shrunk:
        raise BadInput(
            f"no image of {domain.spec} has {SCALE * SMALL_TILE} px a side, from which a DSGAN can be "
            "compared with it: use larger images, or set gate = 0"
        )
    of_source, of_dsgan, inputs = (torch.cat(tiles) for tiles in (due, made, shrunk))
    crops = [_clean_and_degraded(context.crops(part), part, degrade, context) for part in _parts(numbers)]
    clean, changed = (_tiles(torch.cat(images), SMALL_TILE) for images in zip(*crops, strict=True))
    source, made_of, content = (
        texture(tiles[_smooth(tiles, _SMOOTH_OF_FOLDER, domain.spec)])
        for tiles in (of_source, of_dsgan, inputs)
    )
    alike = [_smooth(tiles, _SMOOTH_OF_PAIRS, domain.spec) for tiles in (inputs, clean)]
    return [
        Match("smooth places", source, made_of, counts=source.std >= _ROUGHER * content.std),
        Match(
            "residual on training crops",
            texture((of_dsgan - inputs)[alike[0]]),
            texture((changed - clean)[alike[1]]),
            one_sided=True,
        ),
    ]


def _clean_and_degraded(
    hr: Tensor, numbers: Sequence[int], degrade: Degrade, context: Context
) -> tuple[Tensor, Tensor]:
    """Return clean and degraded LR (N,3,H,W) of HR (N,3,4H,4W) in [0,1], float64 levels on the CPU."""
    clean = bicubic_lr(hr.to(context.device), quantize=True)
    degraded = degrade(clean, [str(number) for number in numbers])
    return clean.cpu().double() * 255, degraded.cpu().double() * 255


def _parts(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[first : first + _TOGETHER] for first in range(0, len(numbers), _TOGETHER))


def _levels(image: Pixels) -> Tensor:
    return torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)


def _tiles(images: Tensor, side: int) -> Tensor:
    """Cut images (N,3,H,W) into all their whole tiles (M,3,side,side), from the top left on."""
    tiles = images.unfold(2, side, side).unfold(3, side, side)
    return tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1], side, side)


def _smooth(tiles: Tensor, share: float, spec: str) -> Tensor:
    """Return the places of the smoothest tiles, that share of those that are neither dark nor bright."""
    means = tiles.mean((2, 3))
    within = ((means.amin(1) >= _DARKEST) & (means.amax(1) <= _BRIGHTEST)).nonzero()[:, 0]
    if len(within) < _FEWEST:
        raise BadInput(
            f"only {len(within)} places of {spec} are neither dark nor bright, too few to compare a DSGAN's "
            "noise with its source's: use more images, or set gate = 0"
        )
    variances = _flattened(tiles[within]).square().mean((1, 2, 3))
    return within[variances.argsort()[: max(_FEWEST, int(share * len(within)))]]


def _flattened(tiles: Tensor) -> Tensor:
    """Take from every channel of every tile (N,C,S,S) the plane that fits it best."""
    place = torch.arange(tiles.shape[-1], dtype=tiles.dtype) - (tiles.shape[-1] - 1) / 2
    flat = tiles - tiles.mean((2, 3), keepdim=True)
    for slope in (place[:, None].expand(tiles.shape[-2:]), place[None].expand(tiles.shape[-2:])):
        flat = flat - (flat * slope).sum((2, 3), keepdim=True) * slope / slope.square().sum()
    return flat
