"""Training images: every crop follows from its index alone, and looks like what it is to stand in for."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from srbench.datasets import degrade
from srbench.errors import BadInput, RunFailed
from srbench.train.data.base import HRSource, sample_rng
from srbench.train.data.crops import Crops, symmetry
from srbench.train.data.dead_leaves import DeadLeaves, _Fill, _paint, canvas
from srbench.train.data.leaf_shapes import POINTS_PER_PIXEL, Leaves, power_law, scatter
from srbench.train.data.leaf_textures import draw_fields
from srbench.train.data.photographs import Photographs
from srbench.train.data.resize import bicubic_down, weight_matrix
from srbench.train.data.sharing import SLOTS, ImageCache, visit
from srbench.train.data.sources import MixedSource, open_sources

RNG = np.random.default_rng(3)
SIZES = st.integers(1, 12).map(lambda n: 4 * n)


class Coded(HRSource):
    """Crops whose every pixel tells the index; remembers who asked for what."""

    name, content_hash = "coded", "c" * 64

    def __init__(self, fails_at: int | None = None) -> None:
        self.asked: list[int] = []
        self.threads: set[threading.Thread] = set()
        self._fails_at = fails_at

    def crop(self, index: int, patch: int, seed: int) -> np.ndarray:
        self.asked.append(index)
        self.threads.add(threading.current_thread())
        if index == self._fails_at:
            raise RunFailed(f"sample {index} cannot be read")
        return sample_rng(seed, index, "coded").integers(0, 256, (patch, patch, 3), dtype=np.uint8)

    def describe(self) -> str:
        return "coded"


@pytest.fixture(scope="module")
def canvases() -> list[np.ndarray]:
    return [canvas(7, number) for number in range(16)]


# ---------------------------------------------------------------- bicubic x1/4 on tensors


def numpy_bicubic(hr: np.ndarray) -> np.ndarray:
    """MATLAB's definition, tap by tap, without rounding. (4h, 4w) to (h, w)."""
    taps = np.abs(np.arange(16) - 7.5) / 4
    weights = np.where(
        taps <= 1, 1.5 * taps**3 - 2.5 * taps**2 + 1, -0.5 * taps**3 + 2.5 * taps**2 - 4 * taps + 2
    )
    for axis in (0, 1):
        padded = np.pad(hr, [(6, 6) if a == axis else (0, 0) for a in (0, 1)], mode="symmetric")
        hr = sliding_window_view(padded, 16, axis=axis)[(slice(None),) * axis + (slice(None, None, 4),)]
        hr = hr @ weights / 4
    return hr


@settings(max_examples=12, deadline=None)
@given(SIZES, SIZES, st.integers(0, 2**32 - 1))
def test_bicubic_is_matlabs(height: int, width: int, seed: int) -> None:
    hr = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tensor = torch.from_numpy(hr).permute(2, 0, 1)[None].double() / 255
    lr = bicubic_down(tensor)[0].permute(1, 2, 0).numpy()
    wanted = np.stack([numpy_bicubic(hr[..., c] / 255.0) for c in range(3)], axis=-1).clip(0, 1)
    np.testing.assert_allclose(lr, wanted, atol=1e-12)
    to_the_bit = degrade.bicubic(hr)
    assert np.abs(lr - to_the_bit / 255.0).max() <= 1 / 255
    rounded = bicubic_down(tensor.float(), quantize=True)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(rounded, to_the_bit.astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-7), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)]
)
def test_bicubic_keeps_type_and_is_untouched_by_autocast(dtype: torch.dtype, tolerance: float) -> None:
    hr = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        lr = bicubic_down(hr)
    assert lr.shape == (2, 3, 8, 12) and lr.dtype == dtype
    assert (lr.double() - bicubic_down(hr.double())).abs().max() <= tolerance


def test_bicubic_has_the_right_gradient() -> None:
    # Away from 0 and 1 nothing is clipped, and the gradient is the transposed filter.
    hr = torch.rand(1, 2, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(bicubic_down, (0.3 + 0.4 * hr).requires_grad_())


def test_bicubic_weights_sum_to_one_and_sizes_are_checked() -> None:
    assert np.array_equal(weight_matrix(20).sum(1), np.ones(5))
    with pytest.raises(ValueError, match="multiples of 4"):
        bicubic_down(torch.zeros(1, 3, 16, 18))


# ---------------------------------------------------------------- sharing of images


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 64), st.integers(0, 10**8).map(lambda n: n * SLOTS))
def test_each_image_serves_its_share_and_batches_mix_images(crops: int, start: int) -> None:
    length = SLOTS * crops * 3
    visits = [visit(index, crops) for index in range(start, start + length)]
    counts = Counter(visits)
    assert max(counts.values()) == crops
    inner = [n for n in counts if min(counts) + 2 * SLOTS <= n <= max(counts) - 2 * SLOTS]
    assert all(counts[n] == crops for n in inner)
    assert len(set(visits[:SLOTS])) == SLOTS
    # Slots change their images one after the other, so that no batch waits for all of them.
    turns = [set(visits[i : i + SLOTS]) for i in range(0, length, SLOTS)]
    changes = [len(after - before) for before, after in itertools.pairwise(turns)]
    assert max(changes) <= -(-SLOTS // crops)


def test_visits_are_counted_from_zero_without_a_gap() -> None:
    assert {visit(index, 5) for index in range(SLOTS * 5 * 4)} >= set(range(SLOTS * 4))


def test_cache_makes_an_image_once_for_many_threads() -> None:
    cache, made = ImageCache(10**6), []

    def make() -> np.ndarray:
        made.append(1)
        time.sleep(0.05)
        return np.zeros(10, np.uint8)

    threads = [threading.Thread(target=cache.get, args=("a", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60)), min_size=1, max_size=30))
def test_cache_keeps_to_its_limit_and_never_mixes_images_up(requests: list[tuple[int, int]]) -> None:
    cache = ImageCache(100)
    for key, size in requests:
        image = cache.get((key, size), lambda k=key, s=size: np.full(s, k, np.uint8))
        assert image.tolist() == [key] * size
        assert cache._bytes == sum(f.result().nbytes for f in cache._images.values()) <= 100
        assert (key, size) in cache._images


def test_cache_hands_on_a_failure_and_tries_again() -> None:
    cache = ImageCache(100)
    with pytest.raises(RunFailed):
        cache.get("a", lambda: (_ for _ in ()).throw(RunFailed("gone")))
    assert cache.get("a", lambda: np.ones(3, np.uint8)).sum() == 3
    with pytest.raises(ValueError, match="read-only"):
        cache.get("a", lambda: np.ones(3, np.uint8))[0] = 2


# ---------------------------------------------------------------- dead leaves


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


# ---------------------------------------------------------------- photographs


def coded_image(number: int, height: int, width: int) -> Image.Image:
    """Each pixel tells its image, row and column."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return Image.fromarray(np.stack([np.full_like(rows, number), rows, columns], axis=-1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "deep" / "er").mkdir(parents=True)
    (root / ".hidden").mkdir()
    coded_image(1, 40, 60).save(root / "one.png")
    coded_image(2, 33, 32).save(root / "deep" / "two.png")
    coded_image(3, 200, 250).save(root / "deep" / "er" / "three.bmp")
    coded_image(4, 31, 200).save(root / "flat.png")
    coded_image(5, 50, 50).save(root / ".hidden" / "five.png")
    coded_image(6, 50, 50).save(root / ".six.png")
    (root / "notes.txt").write_text("no image")
    return root


def test_photographs_are_cut_from_every_image_large_enough(folder: Path) -> None:
    source = Photographs(folder, patch=32)
    assert source.describe() == "photos: 3 images, 1 smaller than 32 px left out"
    sizes = {1: (40, 60), 2: (33, 32), 3: (200, 250)}
    places: dict[int, set[tuple[int, int]]] = {1: set(), 2: set(), 3: set()}
    for index in range(900):
        crop = source.crop(index, 32, 9)
        number, top, left = (int(v) for v in crop[0, 0])
        whole = np.asarray(coded_image(number, *sizes[number]))
        assert np.array_equal(crop, whole[top : top + 32, left : left + 32])
        places[number].add((top, left))
    assert places[2] == {(0, 0), (1, 0)}
    assert {p[0] for p in places[1]} == set(range(9)) and {p[1] for p in places[1]} == set(range(29))
    assert len(places[3]) > 150


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"a\nb.png", b"\xff/a.png"])
def test_photographs_of_names_that_no_report_can_show(name: bytes, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(name)
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(file)
    with pytest.raises(BadInput, match="rename it") as raised:
        Photographs(tmp_path, patch=32)
    assert str(raised.value).isprintable()


def test_photographs_are_drawn_by_area_and_without_replacement(tmp_path: Path) -> None:
    coded_image(0, 480, 480).save(tmp_path / "small.png")
    coded_image(1, 960, 1440).save(tmp_path / "large.png")
    source = Photographs(tmp_path, patch=16)
    numbers = Counter(int(source.crop(index, 16, 0)[0, 0, 0]) for index in range(SLOTS * 16 * 7))
    assert numbers[1] / numbers[0] == pytest.approx(6, rel=0.25)


def test_photographs_do_not_depend_on_order_cache_or_place(folder: Path, tmp_path: Path) -> None:
    roomy = Photographs(folder, patch=32)
    crops = {i: roomy.crop(i, 32, 4).copy() for i in range(80)}
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "other-name")
    tight = Photographs(moved, patch=32, cache_bytes=1)
    for index in np.random.default_rng(0).permutation(80).tolist():
        assert np.array_equal(tight.crop(index, 32, 4), crops[index])
    assert tight.content_hash == roomy.content_hash


def test_content_hash_sees_content_names_and_shrinking(folder: Path) -> None:
    hashes = [
        Photographs(folder, patch=16).content_hash,
        Photographs(folder, patch=16, shrink=0.5).content_hash,
    ]
    (folder / "one.png").rename(folder / "uno.png")
    hashes.append(Photographs(folder, patch=16).content_hash)
    coded_image(9, 40, 60).save(folder / "uno.png")
    hashes.append(Photographs(folder, patch=16).content_hash)
    assert len(set(hashes)) == 4


def test_shrinking_is_antialiased_and_counts_for_the_size(tmp_path: Path) -> None:
    noise = RNG.integers(0, 256, (64, 81, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    coded_image(0, 60, 64).save(tmp_path / "b.png")
    source = Photographs(tmp_path, patch=32, shrink=0.5)
    assert source.describe().endswith("1 image, shrunk by 0.5, 1 smaller than 32 px left out")
    wanted = np.asarray(Image.fromarray(noise).resize((40, 32), Image.Resampling.BICUBIC))
    crop = source.crop(0, 32, 0)
    windows = [wanted[:, left : left + 32] for left in range(9)]
    assert any(np.array_equal(crop, window) for window in windows)
    assert wanted.std() < 0.75 * noise.std()  # the mean of independent pixels, hence antialiased
    with pytest.raises(BadInput, match="at least 33 px high and wide after shrinking by"):
        Photographs(tmp_path, patch=33, shrink=0.5)


def test_bad_folders_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: Photographs(empty, patch=32), r"empty holds no images"),
        (lambda: Photographs(tmp_path / "absent", patch=32), "absent is not a folder"),
        (lambda: Photographs(folder, patch=201), "no image in .*photos is at least 201 px"),
        (lambda: Photographs(folder, patch=32, shrink=0.0), "shrink 0 is not above 0"),
        (lambda: Photographs(folder, patch=32, shrink=2), "shrink 2 is not above 0"),
    ]
    for attempt, message in cases:
        with pytest.raises(BadInput, match=message) as refusal:
            attempt()
        assert "\n" not in str(refusal.value)
    whole = (folder / "deep" / "two.png").read_bytes()
    (folder / "deep" / "two.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"two\.png is damaged"):
        Photographs(folder, patch=32)


def test_a_file_that_changes_under_way_stops_the_run(folder: Path) -> None:
    for name in ("one.png", "deep/two.png", "flat.png"):
        (folder / name).unlink()
    source = Photographs(folder, patch=32)
    coded_image(8, 200, 250).save(folder / "deep" / "er" / "three.bmp")
    with pytest.raises(RunFailed, match=r"three\.bmp changed"):
        source.crop(0, 32, 0)
    with pytest.raises(ValueError, match="opened for crops of 32 px"):
        source.crop(0, 33, 0)


# ---------------------------------------------------------------- mixtures


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 20).map(lambda n: Fraction(n, 10)), min_size=1, max_size=4),
    st.integers(0, 10**9),
    st.integers(1, 200),
)
def test_every_stretch_of_samples_has_its_proportions(
    weights: list[Fraction], start: int, length: int
) -> None:
    mixed = MixedSource([(Coded(), weight) for weight in weights])
    chosen = [mixed.choose(index) for index in range(start, start + length)]
    for number, weight in enumerate(weights):
        own = [index for source, index in chosen if source == number]
        assert own == list(range(own[0], own[0] + len(own))) if own else True
        assert abs(len(own) - length * weight / sum(weights)) < len(weights)


def test_mixture_takes_each_sources_own_sequence(folder: Path) -> None:
    mixed = open_sources([f"{folder}*3", "dead-leaves"], patch=32)
    photos, leaves = Photographs(folder, patch=32), DeadLeaves()
    own = Counter[int]()
    for index in range(12):
        number, own_index = mixed.choose(index)
        assert own_index == own[number]
        own[number] += 1
        wanted = (photos, leaves)[number].crop(own_index, 32, 2)
        assert np.array_equal(mixed.crop(index, 32, 2), wanted)
    assert own == {0: 9, 1: 3}
    assert mixed.name == "photos,dead-leaves"
    assert mixed.describe().startswith(
        "75 % photos: 3 images, 1 smaller than 32 px left out; 25 % dead-leaves"
    )


def test_specs_with_the_same_proportions_are_the_same_data(folder: Path) -> None:
    def content(*specs: str) -> str:
        return open_sources(specs, patch=32).content_hash

    assert content("dead-leaves*0.1", f"{folder}*0.3") == content("dead-leaves", f"{folder}*3")
    assert content("dead-leaves", str(folder)) != content("dead-leaves", f"{folder}*3")


def test_a_folder_with_a_star_in_its_name_is_a_folder(folder: Path) -> None:
    starred = folder.rename(folder.parent / "a*2")
    assert open_sources([str(starred)], patch=32).name == "a*2"


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "no training images were named"),
        (["dead_leaves"], "'dead_leaves' is neither dead-leaves nor a folder"),
        (["dead-leaves*half"], "'half' in .* is not a weight"),
        (["dead-leaves*0"], "not a positive number"),
        (["dead-leaves*nan"], "not a positive number"),
        (["dead-leaves", "dead-leaves*2"], "named twice"),
    ],
)
def test_bad_specs_are_refused(specs: Sequence[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        open_sources(specs, patch=32)


# ---------------------------------------------------------------- batches


def test_all_eight_symmetries_occur_equally_and_are_the_right_ones() -> None:
    crops = Crops(Coded(), 6, seed=1)
    counts: Counter[int] = Counter()
    for index in range(800):
        plain = crops.source.crop(index, 6, 1)
        wanted = [np.rot90(image, k) for image in (plain, plain[::-1]) for k in range(4)]
        matches = [n for n, image in enumerate(wanted) if np.array_equal(image, crops.pixels(index))]
        assert len(matches) == 1
        counts[matches[0]] += 1
    assert scipy.stats.chisquare([counts[n] for n in range(8)]).pvalue > 1e-3
    square = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    assert len({symmetry(square, which).tobytes() for which in range(8)}) == 8


def test_batch_is_the_crops_as_exact_fractions() -> None:
    source = Coded()
    batch = Crops(source, 8, seed=2, augment=False).batch([5, 3])
    assert batch.shape == (2, 3, 8, 8) and batch.dtype == torch.float32 and batch.is_contiguous()
    for tensor, index in zip(batch, (5, 3), strict=True):
        wanted = source.crop(index, 8, 2).astype(np.float32) / np.float32(255)
        assert np.array_equal(tensor.permute(1, 2, 0).numpy(), wanted)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6), st.booleans())
def test_the_shares_of_processes_make_up_the_whole_batch(
    processes: int, share: int, iteration: int, augment: bool
) -> None:
    size = processes * share
    first = iteration * size
    whole = Crops(Coded(), 5, seed=3, augment=augment).batch(range(first, first + size))
    parts = [
        Crops(Coded(), 5, seed=3, augment=augment).batch(range(first + r * share, first + (r + 1) * share))
        for r in range(processes)
    ]
    assert torch.equal(whole, torch.cat(parts))


@pytest.mark.parametrize(("ahead", "workers"), [(0, 1), (2, 1), (4, 3)])
def test_prefetched_batches_come_in_order_and_go_on_anywhere(ahead: int, workers: int) -> None:
    def indices(iteration: int) -> range:
        return range(iteration * 4, iteration * 4 + 4)

    crops = Crops(Coded(), 8, seed=1)
    wanted = [crops.batch(indices(i)) for i in range(7)]
    batches = list(Crops(Coded(), 8, seed=1).batches(0, 7, indices, ahead=ahead, workers=workers))
    resumed = list(Crops(Coded(), 8, seed=1).batches(3, 7, indices, ahead=ahead, workers=workers))
    assert len(batches) == 7 and all(map(torch.equal, batches, wanted))
    assert len(resumed) == 4 and all(map(torch.equal, resumed, wanted[3:]))
    assert list(crops.batches(5, 5, indices)) == []


def test_threads_prepare_no_further_ahead_than_asked_and_end_with_the_consumer() -> None:
    source = Coded()
    iterator = Crops(source, 8, seed=1).batches(0, 1000, lambda i: [i], ahead=3, workers=2)
    next(iterator)
    deadline = time.monotonic() + 5
    while len(source.asked) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert sorted(source.asked) == [0, 1, 2, 3]
    assert all(thread.is_alive() and thread is not threading.main_thread() for thread in source.threads)
    iterator.close()  # type: ignore[attr-defined]
    assert not any(thread.is_alive() for thread in source.threads)
    assert len(source.asked) == 4


def test_threads_end_with_the_last_batch() -> None:
    source = Coded()
    for _ in Crops(source, 8, seed=1).batches(0, 3, lambda i: [i]):
        pass
    assert source.threads and not any(thread.is_alive() for thread in source.threads)


def test_a_failure_reaches_the_consumer_in_its_turn() -> None:
    source = Coded(fails_at=2)
    iterator = Crops(source, 8, seed=1).batches(0, 9, lambda i: [i], ahead=5)
    assert next(iterator).shape == next(iterator).shape
    with pytest.raises(RunFailed, match="sample 2 cannot be read"):
        next(iterator)
    assert not any(thread.is_alive() for thread in source.threads)
