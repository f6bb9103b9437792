"""Make training images without a download, by the dead-leaves model.

Opaque shapes with power-law sizes fall upon each other like leaves. The edges, the occlusions and the
spectrum of the result resemble those of photographs: Lee, Mumford & Huang, "Occlusion models for natural
images", IJCV 2001. Restoration networks trained on such images come close to those trained on
photographs: Achddou, Gousseau & Ladjal, "Synthetic images as a regularity prior for image restoration
neural networks" (SSVM 2021) and "Fully synthetic training for image restoration tasks" (CVIU 2023).
Here the leaves have textures, gratings and shading, and text is written among them.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from srbench.datasets.base import Pixels
from srbench.train.data.base import HRSource, sample_rng
from srbench.train.data.leaf_colours import draw_colours
from srbench.train.data.leaf_shapes import POINTS_PER_PIXEL, Leaves, scatter
from srbench.train.data.leaf_textures import SHARES, SIDE, draw_fields
from srbench.train.data.sharing import SLOTS, ImageCache, visit

VERSION = 1
"""This is to be raised with whatever changes a pixel, so that no run is resumed on other images."""

CANVAS = 512

_CROPS = 32
_CHUNK = 1 << 15
"""So many points are coloured at a time: their parameters stay in the processor's cache."""

Floats = NDArray[np.float32]


class DeadLeaves(HRSource):
    """Cuts crops from procedural canvases; see the module. Thread-safe.

    A canvas has 512 pixels a side (or twice the patch, where that is more) and gives 32 crops.
    """

    name = "dead-leaves"

    def __init__(self) -> None:
        self.content_hash = hashlib.sha256(f"dead-leaves {VERSION}".encode()).hexdigest()
        # Twice what the slots hold, so that a batch in preparation never evicts what another one uses.
        self._canvases = ImageCache(2 * SLOTS * CANVAS * CANVAS * 3)

    def crop(self, index: int, patch: int, seed: int) -> Pixels:
        side = max(CANVAS, 2 * patch)
        number = visit(index, _CROPS)
        pixels = self._canvases.get((seed, side, number), lambda: canvas(seed, number, side))
        top, left = sample_rng(seed, index, "dead-leaves crop").integers(side - patch + 1, size=2)
        return pixels[top : top + patch, left : left + patch]

    def describe(self) -> str:
        return "dead-leaves: procedural images, no two alike"


def canvas(seed: int, number: int, side: int = CANVAS) -> Pixels:
    """Draw one image, decided by its seed and number: (side, side, 3) uint8."""
    rng = sample_rng(seed, number, f"dead-leaves canvas {VERSION}")
    leaves = scatter(side, rng)
    image = _paint(leaves, _Fill(leaves, side, rng)) * _illumination(side, rng)
    return _defocus(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), rng)


class _Fill:
    """Colours every leaf at every pixel: a mean, a texture, and a gradient or the shading of a ball."""

    def __init__(self, leaves: Leaves, side: int, rng: np.random.Generator) -> None:
        count = len(leaves.radii)
        mean, texture = draw_colours(leaves.centres, side, rng)
        # Shading 1 + a + b x + c y + q (x² + y²), about the leaf's centre.
        x, y = leaves.centres.T
        slope, angle = rng.normal(0, 0.16, count) / leaves.radii, rng.uniform(0, 2 * np.pi, count)
        bend = leaves.round * rng.uniform(-0.4, -0.1, count) / leaves.radii**2
        b, c = slope * np.cos(angle) - 2 * bend * x, slope * np.sin(angle) - 2 * bend * y
        a = -(slope * np.cos(angle) * x + slope * np.sin(angle) * y) + bend * (x**2 + y**2)
        table = np.column_stack((mean, texture, 1 + a, b, c, bend)).T
        self._table = np.ascontiguousarray(table, np.float32)
        self._fields = draw_fields(rng).reshape(-1)
        self._field = rng.choice(len(SHARES), count, p=SHARES) * (SIDE * SIDE)
        self._offset = rng.integers(SIDE * SIDE, size=count)

    def __call__(self, leaf: NDArray[np.intp], x: NDArray[np.intp], y: NDArray[np.intp]) -> Floats:
        """Return (3, n): the colours of leaves ``leaf`` at pixels ``x``, ``y``; (n,) each."""
        red, green, blue, dr, dg, db, a, b, c, bend = (np.take(column, leaf) for column in self._table)
        place = (y * SIDE + x + np.take(self._offset, leaf)) & (SIDE * SIDE - 1)
        texture = np.take(self._fields, place + np.take(self._field, leaf))
        fx, fy = x.astype(np.float32), y.astype(np.float32)
        shade = a + b * fx + c * fy + bend * (fx * fx + fy * fy)
        out = np.empty((3, len(leaf)), np.float32)
        for plane, mean, swing in zip(out, (red, green, blue), (dr, dg, db), strict=True):
            np.clip(mean * shade + swing * texture, 0, 1, out=plane)
        return out


def _paint(leaves: Leaves, fill: _Fill) -> Floats:
    """Return (side, side, 3) in [0, 1]: each pixel the mean over its points, hence anti-aliased.

    Where all points of a pixel show one leaf, as most do, one of them is enough.
    """
    labels = leaves.labels.astype(np.intp)
    side = len(labels) // POINTS_PER_PIXEL
    step, offsets = POINTS_PER_PIXEL, range(POINTS_PER_PIXEL)
    points = [labels[i::step, j::step].reshape(-1) for i in offsets for j in offsets]
    middle = points[len(points) // 2]
    edge = np.zeros(middle.shape, bool)
    for point in points:
        edge |= point != middle
    y, x = _coordinates(side)
    image = np.empty((3, side * side), np.float32)
    for start in range(0, side * side, _CHUNK):
        part = slice(start, start + _CHUNK)
        image[:, part] = fill(middle[part], x[part], y[part])
    edges = np.flatnonzero(edge)
    for start in range(0, len(edges), _CHUNK):
        some = edges[start : start + _CHUNK]
        total = image[:, some]
        for point in points:
            if point is not middle:
                total += fill(point[some], x[some], y[some])
        image[:, some] = total / len(points)
    return image.T.reshape(side, side, 3)


@lru_cache(maxsize=2)
def _coordinates(side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return y and x of every pixel, row by row, (side * side,) each."""
    y, x = np.divmod(np.arange(side * side), side)
    return y, x


def _illumination(side: int, rng: np.random.Generator) -> Floats:
    """Return (side, side, 1): light that changes slowly over the canvas, by a fifth where strongest."""
    coarse = rng.normal(1, rng.uniform(0, 0.12), (4, 4)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(smooth)[..., None]


def _defocus(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Put every fourth canvas partly out of focus, as photographs are; the focus changes slowly."""
    spread, coarse = float(np.exp(rng.uniform(np.log(0.6), np.log(2.5)))), rng.integers(0, 256, (3, 3))
    if rng.random() > 1 / 4:
        return image
    sharp = Image.fromarray(image)
    weight = Image.fromarray((255 * (coarse > 127)).astype(np.uint8)).resize(
        sharp.size, Image.Resampling.BICUBIC
    )
    blurred = sharp.filter(ImageFilter.GaussianBlur(spread))
    return np.array(Image.composite(blurred, sharp, weight))
