"""Find out whether a model draws random numbers, and decide the numbers it draws."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from srbench.zoo import SRModel

Chance = Literal["", "seeded", "unseeded"]
"""A model's output is the same every time; or follows the seed; or not even that."""

_SIDE = 24
_SAME = 1e-5
"""Outputs that differ by less, in units of [0, 1], do so by the order in which a device adds numbers up."""


def chance(model: SRModel, device: str) -> Chance:
    """Tell whether a model draws random numbers: a small image goes through it three times.

    The model is run with one seed of torch, NumPy and Python twice, and with another once. One that fails on
    the small image is taken for one that draws none: what it fails of is said where it is measured.

    Args:
        model: loaded, on ``device``.

    Returns:
        "" for equal outputs; "seeded" where only the other seed changes them; "unseeded" for a model that
        draws from a source of its own.
    """
    import torch

    lr = torch.linspace(0, 1, 3 * _SIDE * _SIDE, device=device).reshape(1, 3, _SIDE, _SIDE)

    def output(seed: str) -> torch.Tensor:
        with seeded(seed), torch.inference_mode():
            sr: torch.Tensor = model(lr)
            return sr

    try:
        first, other = output("one"), output("two")
        if _alike(first, other):
            return ""
        return "seeded" if _alike(first, output("one")) else "unseeded"
    except Exception:  # whatever a user's network cannot do
        return ""


def _alike(one: object, other: object) -> bool:
    import torch

    assert isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)
    return bool(torch.allclose(one, other, rtol=0, atol=_SAME, equal_nan=True))


@contextmanager
def seeded(*parts: str) -> Iterator[None]:
    """Seed the random numbers that models draw, of torch, NumPy and Python, and put them back afterwards.

    They are the process's own: while one thread is inside, no other may draw.

    Args:
        parts: decide the numbers, together and in this order.

    >>> import torch
    >>> with seeded("image", "0"):
    ...     first = torch.rand(1)
    >>> with seeded("image", "0"):
    ...     print(bool(first == torch.rand(1)))
    True
    """
    import numpy as np
    import torch

    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int.from_bytes(digest[:8], "big", signed=True))
        np.random.seed(int.from_bytes(digest[8:12], "big"))
        random.seed(digest)
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)
