"""The order in which images of a cell are begun, where their records have to be in the cell's order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from srbench.support.scales import SCALE, at_scale

HELD_BYTES = 512 << 20
"""Finished images may hold these bytes while they wait for their record to be written."""
SR_BYTES = 2 * SCALE**2 * 3 * 4
"""An LR pixel of a finished image holds these bytes at x4, in SR and HR as floats."""
AHEAD = 4
"""A worker has at most so many images begun while the record of an earlier one is not yet written."""


class Lookahead:
    """A lookahead begins images as they are listed, and the last ones the largest first.

    Records are written as listed, so an image may wait for an earlier one to end; workers go on meanwhile.
    With the small ones last no worker is left alone with a large one.

    Args:
        images: as they are to be recorded.
        size: (H, W) of an image's LR.
        scale: how many times larger SR is.
    """

    def __init__(
        self, images: Iterable[str], size: Callable[[str], tuple[int, int]], workers: int, scale: int = SCALE
    ) -> None:
        self._waiting = list(images)
        self._pixels = {image: math.prod(size(image)) for image in self._waiting}
        largest = at_scale(SR_BYTES, scale) * max(self._pixels.values(), default=1)
        self._window = max(workers + 1, min(AHEAD * workers, HELD_BYTES // largest))
        self._sorted = False

    def ahead(self, due: str, begun: int) -> Iterator[str]:
        """Yield the images to begin now, that whose record is due among them if it has not begun.

        Args:
            begun: how many have begun and have no record.
        """
        if len(self._waiting) <= self._window and not self._sorted:
            self._waiting.sort(key=lambda image: -self._pixels[image])
            self._sorted = True
        if due in self._waiting and begun + self._waiting.index(due) >= self._window:
            self._waiting.remove(due)
            yield due
            begun += 1
        while self._waiting and begun < self._window:
            yield self._waiting.pop(0)
            begun += 1
