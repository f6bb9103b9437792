"""Let torch read numpy's scalars, such as an epoch beside the weights, and nothing else of numpy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
_one_at_a_time = threading.Lock()
"""torch keeps one list for the whole process."""


@contextmanager
def numpy_scalars() -> Iterator[None]:
    """Allow ``torch.load(weights_only=True)`` to make numpy's numbers, for as long as the context lasts.

    What a pickle hands to them is not looked at here; :func:`srbench.zoo.pickles.check_pickle` does that.
    """
    scalar: Any = np.float64(0).__reduce__()[0]  # its module is another one since numpy 2
    allowed: list[Any] = [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        (np.dtype, "numpy.dtype"),
        *{type(np.dtype(number)) for number in _NUMBERS},
    ]
    with _one_at_a_time, torch.serialization.safe_globals(allowed):
        yield
