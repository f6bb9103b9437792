"""Know the degradations LR images can be made by, each with its settings and a generator for each image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from srbench.datasets import blind, degrade, shuffled
from srbench.datasets.base import Pixels, SetDomain
from srbench.datasets.suffixes import composed
from srbench.errors import BadInput


@dataclass(frozen=True)
class Degradation:
    """Describe how LR is made of HR.

    Attributes:
        name: what users write.
        title: what tables say, and what users may write as well.
        domain: what models that are trained for it name.
        make: (sH, sW, 3) uint8, a generator and s to (H, W, 3) uint8.
        settings: its numbers, as JSON types.
    """

    name: str
    title: str
    domain: SetDomain
    make: Callable[[Pixels, np.random.Generator, int], Pixels]
    settings: Mapping[str, Any] = field(hash=False)

    def lr(self, hr: Pixels, image_id: str, scale: int) -> Pixels:
        """Return LR (H, W, 3) of HR (sH, sW, 3): the same for the same image, id and scale, always."""
        return self.make(hr, self.generator(image_id, scale), scale)

    def generator(self, image_id: str, scale: int) -> np.random.Generator:
        """Return the generator of an image: its id decides, not its place among others."""
        text = f"{self.title} x{scale}/{composed(image_id)}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return np.random.Generator(np.random.PCG64(seed))


_NTIRE = {
    "mean": degrade.NTIRE_MEAN,
    "std": degrade.NTIRE_STD,
    "correlation_of_neighbours": [degrade.NTIRE_NEIGHBOUR_H, degrade.NTIRE_NEIGHBOUR_V],
    "correlation_of_channels": degrade.NTIRE_CHANNEL,
}
_AIM = {
    "blur_at_x4": degrade.AIM_BLUR,
    "read_noise_std": degrade.AIM_READ_STD,
    "shot_noise_per_level": degrade.AIM_SHOT,
    "jpeg_quality": degrade.AIM_JPEG_QUALITY,
}
DEGRADATIONS = {
    degradation.name: degradation
    for degradation in (
        Degradation("clean", "clean", "clean", degrade.clean, {}),
        Degradation("ntire", "ntire-like", "ntire", degrade.ntire, _NTIRE),
        Degradation("aim", "aim-like", "aim", degrade.aim, _AIM),
        Degradation("blind", "blind", "blind", blind.blind, blind.PUBLISHED.model_dump(mode="json")),
        Degradation(
            "blind-bsrgan",
            "blind-bsrgan",
            "blind",
            shuffled.shuffled,
            shuffled.PUBLISHED.model_dump(mode="json"),
        ),
    )
}
"""Every degradation is here by its name."""


def titles() -> list[str]:
    """Return what tables call the degradations."""
    return [degradation.title for degradation in DEGRADATIONS.values()]


def degradation(text: str) -> Degradation:
    """Return a degradation by its name or title.

    Raises:
        BadInput: there is none.

    >>> degradation("ntire-like") is degradation("ntire")
    True
    """
    for known in DEGRADATIONS.values():
        if text in (known.name, known.title):
            return known
    raise BadInput(f"unknown degradation '{text[:60]}': choose one of {', '.join(titles())}")
