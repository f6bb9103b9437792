"""Lay the leaves out: random shapes and text, and which of them is seen at each point."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

POINTS_PER_PIXEL = 3
"""Shapes are drawn at so many points per pixel and direction."""

MOST_LEAVES = 3500

Floats = NDArray[np.float64]

_KINDS = ("disk", "ellipse", "blob", "rectangle", "polygon", "band")
_GLYPHS = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789&%?!+-=/@")


@dataclass(frozen=True)
class Leaves:
    """Holds the leaves in the order in which they fall, each upon those before; 0 is the background.

    Attributes:
        labels: (3 * side, 3 * side) int32, the leaf seen at each point.
        centres: (n, 2) float64, x and y in pixels.
        radii: (n,) float64 in pixels.
        round: (n,) bool, shaded as a ball rather than as a plane.
    """

    labels: NDArray[np.int32]
    centres: Floats
    radii: Floats
    round: NDArray[np.bool_]


def scatter(side: int, rng: np.random.Generator) -> Leaves:
    """Scatter leaves on a canvas of ``side`` pixels, of one of endlessly many mixtures of shape and size.

    Positions are uniform and radii follow p(r) ~ r^-3, the one law under which the picture looks the
    same at every scale, as natural images about do (Lee, Mumford & Huang 2001).
    """
    smallest = np.exp(rng.uniform(np.log(1.5), np.log(14)))
    largest = side * rng.uniform(0.12, 0.5)
    mean_area = np.pi * 2 * np.log(largest / smallest) / (smallest**-2 - largest**-2)
    depth = np.exp(rng.uniform(np.log(0.5), np.log(4)))
    count = int(np.clip(depth * (side + largest) ** 2 / mean_area, 12, MOST_LEAVES))
    radii = power_law(smallest, largest, count, rng)
    centres = rng.uniform(-largest / 2, side + largest / 2, (count, 2))
    kinds = rng.choice(len(_KINDS), count, p=rng.dirichlet((0.5, 0.7, 0.9, 1.0, 0.6, 0.5)))
    # Built scenes are upright or share one direction; grown ones have none.
    spread = rng.choice((0.0, 0.05, np.pi))
    angles = rng.uniform(-np.pi, np.pi) * (rng.random() < 0.5) + rng.normal(0, 1, count) * spread
    outlines = _outlines(kinds, centres, radii, angles, rng)
    labels, text_centres, text_radii = _draw(side, outlines, rng)
    everything = np.concatenate(([[side / 2, side / 2]], centres, text_centres))
    ball = (kinds == _KINDS.index("disk")) & (rng.random(count) < rng.random())
    return Leaves(
        labels,
        everything,
        np.concatenate(([side], radii, text_radii)),
        np.concatenate(([False], ball, np.zeros(len(text_radii), bool))),
    )


def power_law(smallest: float, largest: float, count: int, rng: np.random.Generator) -> Floats:
    """Return (count,) radii with density proportional to r^-3 between two bounds."""
    low, high = smallest**-2, largest**-2
    return np.asarray((low - rng.random(count) * (low - high)) ** -0.5)


def _outlines(
    kinds: NDArray[np.int64], centres: Floats, radii: Floats, angles: Floats, rng: np.random.Generator
) -> list[list[float]]:
    """Return each leaf's corners x0, y0, x1, y1 … in points."""
    outlines: list[list[float]] = [[]] * len(kinds)
    for kind, name in enumerate(_KINDS):
        # A circle of few corners is faster to draw and, where it is small, not to be told from one of many.
        for large in (False, True):
            members = np.flatnonzero((kinds == kind) & ((radii > 40) == large))
            if not len(members):
                continue
            x, y = _unit_shapes(name, len(members), 72 if large else 20, rng)
            cos, sin = np.cos(angles[members])[:, None], np.sin(angles[members])[:, None]
            size = radii[members, None]
            corners = np.stack((cos * x - sin * y, sin * x + cos * y), axis=-1) * size[..., None]
            points = (corners + centres[members, None]) * POINTS_PER_PIXEL
            for member, outline in zip(members, points.reshape(len(members), -1).tolist(), strict=True):
                outlines[member] = outline
    return outlines


def _unit_shapes(name: str, count: int, corners: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return x and y, (count, corners) each, of shapes with about the area of the unit disk."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)[None]
    if name == "disk":
        return np.cos(turn).repeat(count, 0), np.sin(turn).repeat(count, 0)
    stretch = np.exp(rng.uniform(0, 0.9, (count, 1)))
    if name == "ellipse":
        return np.cos(turn) * stretch, np.sin(turn) / stretch
    if name == "rectangle":
        half = np.sqrt(np.pi) / 2
        return half * stretch * np.array([[-1, 1, 1, -1]]), half / stretch * np.array([[-1, -1, 1, 1]])
    if name == "polygon":
        number = int(rng.integers(3, 8))
        turn = np.sort(rng.random((count, number)) + np.arange(number)) * 2 * np.pi / number
        reach = rng.uniform(0.7, 1.4, (count, number))
        return reach * np.cos(turn), reach * np.sin(turn)
    if name == "blob":
        waves = np.arange(2, 6)[None, :, None]
        phases = rng.uniform(0, 2 * np.pi, (count, 4, 1))
        sizes = rng.normal(0, 0.3, (count, 4, 1)) / (waves - 0.5)
        reach = 1 + (sizes * np.cos(waves * turn[:, None] + phases)).sum(1)
        reach = np.maximum(reach, 0.2)
        return reach * stretch**0.5 * np.cos(turn), reach / stretch**0.5 * np.sin(turn)
    return _bands(count, corners // 2, rng)


def _bands(count: int, steps: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return bent stripes, thin against their length, such as wires, twigs and blades of grass."""
    t = np.linspace(0, 1, steps)[None]
    width = np.exp(rng.uniform(np.log(0.05), np.log(0.35), (count, 1)))
    length = np.minimum(np.pi / (4 * width), 4.0)
    bend = rng.normal(0, 0.5, (count, 1)) * length
    x, y = (2 * t - 1) * length, 4 * t * (1 - t) * bend
    dx, dy = 2 * length, 4 * (1 - 2 * t) * bend
    norm = np.hypot(dx, dy)
    taper = width * (1 - rng.random((count, 1)) * t)
    nx, ny = -dy / norm * taper, dx / norm * taper
    return (
        np.concatenate((x + nx, (x - nx)[:, ::-1]), axis=1),
        np.concatenate((y + ny, (y - ny)[:, ::-1]), axis=1),
    )


def _draw(
    side: int, outlines: list[list[float]], rng: np.random.Generator
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Return the leaf seen at each point, then centres and radii of the texts, labelled after the shapes."""
    image = Image.new("I", (side * POINTS_PER_PIXEL, side * POINTS_PER_PIXEL), 0)
    draw = ImageDraw.Draw(image)
    texts = int(rng.integers(1, 7)) if rng.random() < 0.5 else 0
    # Text falls among the upper leaves, so that some of it is covered and most can be read.
    depths = (len(outlines) * (1 - rng.random(texts) ** 2 * 0.4)).astype(int).tolist()
    centres, radii = np.zeros((texts, 2)), np.zeros(texts)
    for leaf in range(len(outlines) + 1):
        for text in [t for t, depth in enumerate(depths) if depth == leaf] if leaf in depths else ():
            centres[text], radii[text] = _write(draw, side, len(outlines) + 1 + text, rng)
        if leaf < len(outlines):
            draw.polygon(outlines[leaf], fill=leaf + 1)
    return np.asarray(image), centres, radii


def _write(
    draw: ImageDraw.ImageDraw, side: int, label: int, rng: np.random.Generator
) -> tuple[tuple[float, float], float]:
    """Write a few lines of random words; return their centre and half their width in pixels."""
    size = int(np.exp(rng.uniform(np.log(9), np.log(90))))
    words = ["".join(rng.choice(_GLYPHS, rng.integers(1, 9))) for _ in range(int(rng.integers(1, 13)))]
    breaks = rng.random(len(words)) < 0.35
    text = "".join(word + ("\n" if end else " ") for word, end in zip(words, breaks, strict=True)).strip()
    x, y = rng.uniform(-0.1 * side, 0.8 * side, 2)
    draw.multiline_text(
        (x * POINTS_PER_PIXEL, y * POINTS_PER_PIXEL), text, fill=label, font=_font(size * POINTS_PER_PIXEL)
    )
    wide, high = 0.5 * size * max(map(len, text.split("\n"))), 1.2 * size * (text.count("\n") + 1)
    return (x + wide / 2, y + high / 2), max(wide, high) / 2


@functools.lru_cache(maxsize=128)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that ships inside Pillow."""
    font = ImageFont.load_default(size)
    if isinstance(font, ImageFont.FreeTypeFont):
        # The other engine is there on some machines only and sets letters differently.
        return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
    return font
