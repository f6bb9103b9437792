"""In which order the images of a cell are begun, where their records have to be in the cell's order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

HELD_BYTES = 512 << 20
"""That finished images may hold while they wait."""
SR_BYTES = 2 * 16 * 3 * 4
"""Of an LR pixel in SR and HR as floats, which a finished image holds until its record is written."""
AHEAD = 4
"""Images begun for each worker, at most, while the record of an earlier one is not yet written."""


class Lookahead:
    """Images are begun as they are listed, and the last ones the largest first.

    Records are written as listed, so an image may wait for an earlier one to end; workers go on meanwhile.
    With the small ones last no worker is left alone with a large one.

    Args:
        images: as they are to be recorded.
        size: (H, W) of an image's LR.
    """

    def __init__(self, images: Iterable[str], size: Callable[[str], tuple[int, int]], workers: int) -> None:
        self._waiting = list(images)
        self._pixels = {image: math.prod(size(image)) for image in self._waiting}
        largest = SR_BYTES * max(self._pixels.values(), default=1)
        self._window = max(workers + 1, min(AHEAD * workers, HELD_BYTES // largest))
        self._sorted = False

    def ahead(self, due: str, begun: int) -> Iterator[str]:
        """Images to begin now, that whose record is due among them if it has not begun.

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
