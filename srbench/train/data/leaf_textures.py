"""Fill the leaves with random fields of brightness, from grain to gratings."""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft
from numpy.typing import NDArray

SIDE = 512
"""Fields wrap around at this width and height, so that a leaf can use any part of one."""

SHARES = (0.22, 0.22, 0.16, 0.1, 0.1, 0.1, 0.1)
"""A leaf uses each field so often."""

Field = NDArray[np.float32]


def draw_fields(rng: np.random.Generator) -> Field:
    """Return (7, SIDE, SIDE) float32: fields of mean 0 and about unit variance, within [-2.5, 2.5].

    Four have a power-law spectrum, as natural textures have (amplitude ~ 1/f^a, two of them stretched in
    one direction as hair, grass and wood are, one of those thresholded into spots), three are gratings.
    """
    spectrum = scipy.fft.rfft2(rng.standard_normal((SIDE, SIDE), dtype=np.float32), workers=1)
    fields = np.empty((len(SHARES), SIDE, SIDE), np.float32)
    # One spectrum serves all: filters and offsets differ, which is enough for no two leaves to look alike.
    for number, (low, high) in enumerate(((0.3, 1.0), (1.0, 1.6), (0.6, 1.3), (0.8, 1.6))):
        stretch = 1.0 if number < 2 else float(np.exp(rng.uniform(1.0, 2.5)))
        fields[number] = _power_law(spectrum, rng.uniform(low, high), stretch, rng.uniform(0, np.pi))
    fields[3] = np.clip(fields[3] * rng.uniform(4, 10) + rng.normal(0, 1.5), -1, 1)
    for number in range(4, len(SHARES)):
        fields[number] = _grating(rng, bend=fields[1] if rng.random() < 0.4 else None)
    return np.clip(fields, -2.5, 2.5, out=fields)


def _power_law(spectrum: NDArray[np.complex64], exponent: float, stretch: float, angle: float) -> Field:
    """Return white noise with its amplitudes multiplied by 1 / f^exponent, f stretched across ``angle``."""
    fx, fy = _frequencies()
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    squared = (cos * fx + sin * fy) ** 2 + np.float32(stretch**2) * (cos * fy - sin * fx) ** 2
    squared[0, 0] = np.inf
    # Nothing coarser than a sixth of the canvas: that is for shapes and shading.
    gain = np.exp(np.float32(-exponent / 2) * np.log(squared + np.float32(36)))
    gain[0, 0] = 0
    field = scipy.fft.irfft2(spectrum * gain, s=(SIDE, SIDE), workers=1)
    return np.asarray(field / field.std(), np.float32)


@functools.lru_cache(maxsize=1)
def _frequencies() -> tuple[Field, Field]:
    """Return horizontal (1, SIDE/2+1) and vertical (SIDE, 1) frequency in cycles per SIDE."""
    horizontal = np.arange(SIDE // 2 + 1, dtype=np.float32)[None]
    vertical = np.fft.fftfreq(SIDE, 1 / SIDE).astype(np.float32)[:, None]
    return horizontal, vertical


def _grating(rng: np.random.Generator, bend: Field | None) -> Field:
    """Return waves of 3 to 60 pixels from sinusoidal to nearly square; half of them crossed into a grid."""
    one = _wave(rng, bend)
    if rng.random() < 0.35:
        one = one * _wave(rng, bend)
    hardness = np.float32(np.exp(rng.uniform(0, 2)))
    return np.asarray(np.clip(one * hardness, -1, 1), np.float32)


def _wave(rng: np.random.Generator, bend: Field | None) -> Field:
    """Return a (SIDE, SIDE) sinusoid of whole periods in both directions, its phase moved by ``bend``."""
    cycles = SIDE / np.exp(rng.uniform(np.log(3.0), np.log(60.0)))
    angle = rng.choice((0, np.pi / 2, rng.uniform(0, np.pi)))
    kx, ky = np.rint(cycles * np.cos(angle)), np.rint(cycles * np.sin(angle))
    steps = np.arange(SIDE) * (2 * np.pi / SIDE)
    phase = (kx * steps[None] + ky * steps[:, None]).astype(np.float32)
    if bend is not None:
        phase += np.float32(rng.uniform(0.2, 1.0)) * bend
    return np.asarray(np.cos(phase))
