"""Put means and differences into words, with as many digits as a metric has."""

from __future__ import annotations

import math
from collections.abc import Collection

from srbench.boards.trainings import Estimate
from srbench.metrics import metric


def shown(name: str, value: float) -> str:
    """Return a value of a metric.

    >>> from srbench.boards.estimates import shown
    >>> shown("psnr", 23.456), shown("lpips", 0.25)
    ('23.46', '0.2500')
    """
    return f"{value:.{metric(name).decimals}f}"


def difference(name: str, found: Estimate) -> str:
    """Return a difference with its 95 % interval, in bold where it is certain.

    A single photograph has no interval.
    """
    digits = metric(name).decimals
    if math.isnan(found.low):
        return f"{found.value:+.{digits}f}"
    text = f"{found.value:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"
    return f"**{text}**" if found.certain else text


def count(images: Collection[str]) -> str:
    """Return how many images there are.

    >>> from srbench.boards.estimates import count
    >>> count(["a"]), count(["a", "b"])
    ('1 image', '2 images')
    """
    return f"{len(images)} image{'s' * (len(images) != 1)}"
