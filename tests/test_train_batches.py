"""Batches: shares, order, threads, and what many threads make once."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from train_images import Coded

from srbench.errors import RunFailed
from srbench.train.data.crops import Crops, symmetry
from srbench.train.data.sharing import SLOTS, ImageCache, visit

SIZES = st.integers(1, 12).map(lambda n: 4 * n)


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
