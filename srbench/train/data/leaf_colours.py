"""Colour the leaves: a small palette per canvas, its luminances spread by a power law."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
"""This matrix leads from full-range Y, Cb, Cr (BT.601, the colour differences about 0) to RGB."""

_NATURAL_HUES = np.radians([130, 130, 225, 315])
"""These are angles in the plane of Cb and Cr: skin, wood and earth; foliage; sky and shade."""

_REGIONS = 4
"""A canvas has so many regions in each direction, and one colour of the palette prevails in each."""


def draw_colours(centres: Floats, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw colours for the leaves of one canvas.

    Args:
        centres: (n, 2), x and y in pixels; neighbours are likely to have colours alike.
        side: of the canvas, in pixels.

    Returns:
        The mean colour of each leaf, and the colour that its texture adds and takes away at unit
        contrast; (n, 3) RGB each, the former in [0, 1].
    """
    count = len(centres)
    palette = _palette(rng)
    prevailing = rng.integers(len(palette), size=(_REGIONS, _REGIONS))
    column, row = np.clip(
        ((centres / side + rng.normal(0, 0.08, (count, 2))) * _REGIONS).astype(int), 0, _REGIONS - 1
    ).T
    follows = rng.random(count) < rng.uniform(0.2, 0.9)
    leaf = palette[np.where(follows, prevailing[row, column], rng.integers(len(palette), size=count))]
    leaf = leaf + rng.normal(0, (rng.uniform(0.02, 0.1), 0.015, 0.015), (count, 3))
    # Textures mostly vary in luminance; some, such as fabric, go over to a second colour.
    second = palette[rng.integers(len(palette), size=count)] - leaf
    vivid = (rng.random(count) < 0.2)[:, None]
    contrast = np.exp(rng.uniform(np.log(0.012), np.log(0.2), (count, 1)))
    texture = np.where(vivid, rng.uniform(0.1, 0.4, (count, 1)) * second, contrast * [1.0, 0.0, 0.0])
    texture *= rng.random((count, 1)) < rng.uniform(0.5, 1.0)  # the others are smooth
    return np.clip(leaf @ _TO_RGB.T, 0, 1), texture @ _TO_RGB.T


def _palette(rng: np.random.Generator) -> Floats:
    """Return (m, 3) Y, Cb, Cr: few hues, mostly pale, from nearly black to nearly white, in any light."""
    colours = int(rng.integers(3, 9))
    luminance = 0.03 + 0.94 * rng.random(colours) ** np.exp(rng.uniform(-0.5, 0.8))
    luminance = luminance.mean() + rng.uniform(0.25, 1) * (luminance - luminance.mean())
    hues = rng.choice(_NATURAL_HUES, int(rng.integers(1, 4)))
    hues = np.where(rng.random(len(hues)) < 0.3, rng.uniform(0, 2 * np.pi, len(hues)), hues)
    hue = rng.choice(hues, colours) + rng.normal(0, 0.35, colours)
    chroma = np.minimum(rng.exponential(rng.choice((0.02, 0.06, 0.09, 0.13)), colours), 0.35)
    # Little colour fits between black or white and the edge of the RGB cube.
    chroma *= np.clip(4 * luminance * (1 - luminance), 0.2, 1)
    return np.stack((luminance, chroma * np.cos(hue), chroma * np.sin(hue)), axis=1)
