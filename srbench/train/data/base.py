"""Define what every source of training images offers, and the random numbers that decide each of them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod

import numpy as np

from srbench.datasets.base import Pixels


class HRSource(ABC):
    """Gives HR training crops by index: an endless, random-access sequence.

    Attributes:
        name: what logs and manifests call it; no path of this machine.
        content_hash: sha256 (64 hex digits): equal hashes mean equal crops for equal arguments.
    """

    name: str
    content_hash: str

    @abstractmethod
    def crop(self, index: int, patch: int, seed: int) -> Pixels:
        """Return one crop, the same whatever was asked for before, by whichever thread or process.

        Indices that follow one another are the cheap order: neighbours share what a crop is cut from.

        Args:
            index: 0 or more.
            patch: side of the crop in pixels.

        Returns:
            (patch, patch, 3) uint8 RGB, before augmentation; not to be written to.
        """

    @abstractmethod
    def describe(self) -> str:
        """Say in one line for the log what it is, how much of it, what was left out."""


def sample_rng(seed: int, index: int, stream: str) -> np.random.Generator:
    """Return the random numbers of one sample for one use, apart from all others."""
    digest = hashlib.sha256(f"{seed}\0{index}\0{stream}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
