"""Turn a source of images into training batches: augment, make tensors, prepare the next ones ahead."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from srbench.datasets.base import Pixels
from srbench.train.data.base import HRSource, sample_rng


class Crops:
    """Gives HR training crops by index; everything about a crop follows from the seed and its index.

    Args:
        source: where the images come from.
        patch: side of a crop in pixels.
        seed: of the crops and their augmentation.
        augment: one of the eight flips and 90-degree rotations, each equally likely.

    >>> from srbench.train.data.sources import open_sources
    >>> crops = Crops(open_sources(["dead-leaves"], patch=64), patch=64, seed=0)
    >>> crops.batch([0, 1]).shape
    torch.Size([2, 3, 64, 64])
    """

    def __init__(self, source: HRSource, patch: int, seed: int, augment: bool = True) -> None:
        self.source, self.patch, self.seed, self.augment = source, patch, seed, augment

    def pixels(self, index: int) -> Pixels:
        """Return one crop as the training sees it: (P, P, 3) uint8."""
        crop = self.source.crop(index, self.patch, self.seed)
        if not self.augment:
            return crop
        return symmetry(crop, int(sample_rng(self.seed, index, "symmetry").integers(8)))

    def batch(self, indices: Sequence[int]) -> Tensor:
        """Return several crops: (N, 3, P, P) float32 in [0, 1], N = len(indices), on the CPU.

        Raises:
            RunFailed: an image file is gone or has changed since the source was opened.
        """
        stacked = np.empty((len(indices), self.patch, self.patch, 3), np.uint8)
        for place, index in zip(stacked, indices, strict=True):
            place[...] = self.pixels(index)
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous().float().div_(255)

    def batches(
        self,
        first: int,
        last: int,
        per_process: Callable[[int], Sequence[int]],
        *,
        ahead: int = 4,
        workers: int | None = None,
    ) -> Iterator[Tensor]:
        """Yield the batches of iterations ``first`` to ``last`` (excluded), prepared in background threads.

        What goes wrong in a thread is raised where its batch would have been yielded. The threads end
        when the last batch is out, or when the iterator is closed or dropped.

        Args:
            per_process: from an iteration to the sample indices of this process's share.
            ahead: batches prepared or under way beside the one being waited for, at most.
            workers: threads (default: a quarter of the cores, one at least and four at most; the work
                is done in NumPy and Pillow, which mostly let other threads run meanwhile).

        Yields:
            See :meth:`batch`; in pinned memory where there is a CUDA device.
        """
        threads = workers or max(1, min(4, (os.cpu_count() or 1) // 4))
        pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="srbench-crops")
        waiting: deque[Future[Tensor]] = deque()
        coming = iter(range(first, last))
        try:
            while True:
                for iteration in coming:
                    waiting.append(pool.submit(self._prepare, per_process(iteration)))
                    if len(waiting) > ahead:
                        break
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, indices: Sequence[int]) -> Tensor:
        batch = self.batch(indices)
        return batch.pin_memory() if torch.cuda.is_available() else batch


def symmetry(image: Pixels, which: int) -> Pixels:
    """Apply a symmetry of the square, one of eight: ``which % 4`` quarter turns, from 4 on mirrored first."""
    return np.rot90(image[:, ::-1] if which >= 4 else image, which % 4)
