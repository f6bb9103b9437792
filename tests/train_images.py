"""Training images that tell where they are from."""

from __future__ import annotations

import threading

import numpy as np
from PIL import Image

from srbench.errors import RunFailed
from srbench.train.data.base import HRSource, sample_rng


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


def coded_image(number: int, height: int, width: int) -> Image.Image:
    """Each pixel tells its image, row and column."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return Image.fromarray(np.stack([np.full_like(rows, number), rows, columns], axis=-1))
