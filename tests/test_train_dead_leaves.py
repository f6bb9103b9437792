"""Dead leaves: procedural images with the statistics of photographs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from srbench.train.data.dead_leaves import DeadLeaves, _Fill, _paint, canvas
from srbench.train.data.leaf_shapes import POINTS_PER_PIXEL, Leaves, power_law, scatter
from srbench.train.data.leaf_textures import draw_fields


@pytest.fixture(scope="module")
def canvases() -> list[np.ndarray]:
    return [canvas(7, number) for number in range(16)]


def test_radii_follow_the_power_law() -> None:
    radii = power_law(2, 100, 20_000, np.random.default_rng(0))
    law = lambda r: (2**-2 - r**-2.0) / (2**-2 - 100**-2)  # noqa: E731 - the integral of r^-3
    assert scipy.stats.kstest(radii, law).pvalue > 0.01
    assert scipy.stats.kstest(radii * 1.05, law).pvalue < 1e-6  # the test can tell


def test_painting_averages_all_points_of_a_pixel() -> None:
    leaves = scatter(96, np.random.default_rng(5))
    fill = _Fill(leaves, 96, np.random.default_rng(6))
    y, x = np.divmod(np.arange(96 * 96), 96)
    step, offsets = POINTS_PER_PIXEL, range(POINTS_PER_PIXEL)
    points = [leaves.labels[i::step, j::step].ravel() for i in offsets for j in offsets]
    wanted = np.mean([fill(p.astype(np.intp), x, y) for p in points], axis=0).T.reshape(96, 96, 3)
    np.testing.assert_allclose(_paint(leaves, fill), wanted, atol=1e-5)
    assert sum((p != points[4]).any() for p in points) == 8


def test_a_straight_edge_is_anti_aliased() -> None:
    rows, columns = np.mgrid[: 32 * POINTS_PER_PIXEL, : 32 * POINTS_PER_PIXEL]
    labels = (columns + 0.31 * rows > 55).astype(np.int32)
    two = Leaves(labels, np.full((2, 2), 16.0), np.full(2, 32.0), np.zeros(2, bool))
    fill = _Fill(two, 32, np.random.default_rng(0))
    fill._table[:6] = 0  # the table's rows: colour, texture, then shading 1 + a + …
    fill._table[:3, 1], fill._table[6], fill._table[7:] = 0.9, 1, 0
    image = _paint(two, fill)[..., 0] / 0.9
    covered = labels.reshape(32, POINTS_PER_PIXEL, 32, POINTS_PER_PIXEL).mean((1, 3))
    np.testing.assert_allclose(image, covered, atol=1e-6)
    assert len(np.unique(covered.round(6))) >= 6  # several levels between none and all


def test_every_label_has_its_leaf() -> None:
    for seed in range(6):
        leaves = scatter(128, np.random.default_rng(seed))
        assert leaves.labels.min() >= 0 and leaves.labels.max() < len(leaves.radii)
        assert len(leaves.centres) == len(leaves.radii) == len(leaves.round)


def test_fields_wrap_around_and_are_normalised() -> None:
    fields = draw_fields(np.random.default_rng(2))
    assert np.abs(fields).max() <= 2.5
    for field in fields[:3]:
        assert abs(field.mean()) < 0.1 and 0.8 < field.std() < 1.1
    for field in fields:
        inside = np.abs(np.diff(field, axis=1)).mean()
        assert np.abs(field[:, 0] - field[:, -1]).mean() < 1.5 * inside + 1e-3


def test_canvases_mix_edges_textures_and_smooth_regions(canvases: list[np.ndarray]) -> None:
    luminance = np.stack(canvases).astype(float) @ [0.299, 0.587, 0.114]
    steps = np.hypot(np.diff(luminance, axis=1)[:, :, :-1], np.diff(luminance, axis=2)[:, :-1])
    assert 0.1 < (steps < 2).mean() < 0.7, "smooth"
    assert 0.2 < ((steps >= 2) & (steps < 30)).mean() < 0.8, "texture"
    assert 0.02 < (steps >= 30).mean() < 0.25, "edges"
    spread = luminance.reshape(len(canvases), -1).std(1)
    assert 15 < np.median(spread) < 70 and spread.max() > 1.5 * spread.min()


def test_spectra_fall_as_those_of_photographs_do(canvases: list[np.ndarray]) -> None:
    """Power ~ 1/f^a with a about 2; the middle 80 % of Kodak24 crops have 1.3 to 3.1 by this measure."""
    window = np.outer(np.hanning(128), np.hanning(128))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    low, high = (frequency > 0.02) & (frequency < 0.05), (frequency > 0.2) & (frequency < 0.4)
    slopes = []
    for image, top, left in itertools.product(canvases, (0, 256), (0, 256)):
        crop = image[top : top + 128, left : left + 128].astype(float).mean(2)
        power = np.abs(np.fft.fft2((crop - crop.mean()) * window)) ** 2
        slopes.append(np.log(power[low].mean() / power[high].mean()) / np.log(0.3 / 0.035))
    assert 1.3 < np.median(slopes) < 3.1


def test_dead_leaves_do_not_depend_on_the_order_asked() -> None:
    indices = [0, 1, 16, 40, 700, 10**9]
    one, other = DeadLeaves(), DeadLeaves()
    forwards = [one.crop(i, 96, 5) for i in indices]
    backwards = [other.crop(i, 96, 5) for i in reversed(indices)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert a.shape == (96, 96, 3) and a.dtype == np.uint8 and np.array_equal(a, b)
    assert len({a.tobytes() for a in forwards}) == len(indices)
    assert not np.array_equal(one.crop(0, 96, 6), forwards[0])
    assert one.content_hash == other.content_hash and len(one.content_hash) == 64


def test_dead_leaves_give_patches_larger_than_the_usual_canvas() -> None:
    assert DeadLeaves().crop(3, 300, 0).shape == (300, 300, 3)
