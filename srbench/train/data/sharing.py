"""Take several crops out of each expensive image without batches that look all alike.

Drawing a procedural canvas or decoding a photograph costs far more than cutting a crop, so that each is
used for several. Were these consecutive, a batch would show one image only. Instead sample ``i``
belongs to slot ``i % SLOTS``; each slot keeps its image for ``crops`` of its own samples, and the slots
change theirs one after the other. So a batch shows up to SLOTS images, the cost is spread evenly, and
which image a sample is cut from still follows from its index alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from srbench.datasets.base import Pixels

SLOTS = 16


def visit(index: int, crops: int) -> int:
    """Return which image sample ``index`` is cut from, counted 0, 1, 2 … where each serves ``crops`` samples.

    (The first of each slot serve fewer, which sets the slots off against each other.)
    """
    turn, slot = divmod(index, SLOTS)
    return (turn + slot * crops // SLOTS) // crops * SLOTS + slot


class ImageCache:
    """Keeps the images used last, up to a number of bytes; each is made once however many threads ask.

    Args:
        limit: bytes; the image asked for last is kept even where it alone exceeds them.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._lock = threading.Lock()
        self._images: OrderedDict[Hashable, Future[Pixels]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Pixels]) -> Pixels:
        """Return the image of ``key``; what ``make`` raises is raised here, and the next call tries again."""
        with self._lock:
            image = self._images.get(key)
            if image is not None:
                self._images.move_to_end(key)
            else:
                mine = self._images[key] = Future()
        if image is not None:
            return image.result()
        try:
            pixels = make()
        except BaseException as error:
            with self._lock:
                del self._images[key]
            mine.set_exception(error)
            raise
        pixels.flags.writeable = False
        with self._lock:
            mine.set_result(pixels)
            self._images.move_to_end(key)
            self._bytes += pixels.nbytes
            self._evict()
        return pixels

    def _evict(self) -> None:
        made = [key for key, image in self._images.items() if image.done()]
        for key in made[:-1]:
            if self._bytes <= self._limit:
                break
            self._bytes -= self._images.pop(key).result().nbytes

    def __len__(self) -> int:
        return len(self._images)
