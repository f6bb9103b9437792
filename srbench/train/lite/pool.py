"""Make pairs and the teacher's answers once: most of a distillation's time would go into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from srbench.metrics.lpips_lite_net import maps
from srbench.train.lite.pairs import Pairs
from srbench.train.lite.teacher import Teacher

_FIT = 80


@dataclass(frozen=True)
class PairPool:
    """Holds pairs of images and their targets, on disk.

    Attributes:
        images: uint8 (N,2,3,P,P): HR and distorted.
        targets: for each layer, fp16 (N,2,K,h,w): the teacher's embeddings of both.
        distances: float32 (N,layers): the teacher's distance, layer by layer.
    """

    images: npt.NDArray[np.uint8]
    targets: Sequence[npt.NDArray[np.float16]]
    distances: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, chosen: npt.NDArray[np.int64]) -> tuple[Tensor, list[Tensor], Tensor]:
        """Return images (2n,3,P,P) in [0,1], HR before distorted; their targets; distances (n,layers)."""
        images = _joined(self.images[chosen]).float().div_(255)
        return (
            images,
            [_joined(layer[chosen]).float() for layer in self.targets],
            torch.from_numpy(self.distances[chosen]),
        )


def _joined(pairs: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.concatenate([pairs[:, 0], pairs[:, 1]]))


def make_pool(
    pairs: Pairs,
    teacher: Teacher,
    batches: int,
    folder: Path,
    on_batch: Callable[[int], None] = lambda done: None,
) -> PairPool:
    """Make a pool of ``batches`` times ``pairs.batch`` pairs in a folder; the teacher is fitted to the first.

    A quarter of the pairs is perturbed along LPIPS's gradient.

    Args:
        on_batch: called with the number of finished batches.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = teacher.network
    pixels: list[npt.NDArray[np.uint8]] = []

    def pair(index: int) -> tuple[Tensor, Tensor]:
        batch = pairs(index, [lambda sr, hr: network(sr, hr, normalize=True).flatten()])
        first, second = ((images * 255).round() for images in batch)
        pixels.append(torch.stack([first, second], 1).to(torch.uint8).numpy())
        return first / 255, second / 255

    head = [pair(index) for index in range(min(_FIT, batches))]
    teacher.fit(head)
    targets: list[Any] = []
    distances = []
    for index in range(batches):
        first, second = head[index] if index < len(head) else pair(index)
        whole = [teacher.features(images) for images in (first, second)]
        distances.append(torch.stack([layer.mean((1, 2)) for layer in maps(*whole)], 1))
        both = [torch.stack(layer, 1) for layer in zip(*map(teacher.embeddings, whole), strict=True)]
        if not targets:
            targets = [
                np.lib.format.open_memmap(
                    folder / f"targets-{number}.npy",
                    mode="w+",
                    dtype=np.float16,
                    shape=(batches * pairs.batch, *layer.shape[1:]),
                )
                for number, layer in enumerate(both)
            ]
        place = slice(index * pairs.batch, (index + 1) * pairs.batch)
        for file, layer in zip(targets, both, strict=True):
            file[place] = layer.numpy()
        on_batch(index + 1)
    return PairPool(np.concatenate(pixels), targets, torch.cat(distances).numpy())
