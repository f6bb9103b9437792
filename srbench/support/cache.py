"""A cache of what was computed, bounded in bytes and shared by the threads of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

T = TypeVar("T")


class Cache(Generic[T]):
    """A cache holds values by key; the longest unused leaves first.

    Args:
        limit: bytes held at most; a value that is larger is made anew each time.
        size: gives the bytes of a value.
    """

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._values: LRUCache[Hashable, T] = LRUCache(limit, getsizeof=size)
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, made now if it is not held. Two threads may make the same one."""
        with self._lock:
            if key in self._values:
                return self._values[key]
        value = make()
        with self._lock:
            try:
                return self._values.setdefault(key, value)
            except ValueError:  # larger than the whole cache
                return value
