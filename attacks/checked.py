"""Refuse settings and images that no attack can use, one line each; take numbers of any type."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return a setting that counts something, as an int: 2.0 is 2, and 2.5 is none.

    Raises:
        BadInput: it is not a whole number, or too small.

    >>> from srbench.attacks.checked import whole
    >>> whole("steps", 2.0)
    2
    """
    if not is_whole(value):
        raise BadInput(f"{name} is {value!r}: it has to be a whole number, {least} or more")
    at_least(name, value, least)
    return int(value)


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, of any type.

    >>> from srbench.attacks.checked import is_whole
    >>> is_whole(2.0), is_whole(2.5), is_whole("2")
    (True, False, False)
    """
    return _is_number(value) and float(value).is_integer()


def at_least(name: str, value: Any, least: float) -> None:
    """Refuse a setting that is too small or not a number.

    Raises:
        BadInput: it is.

    >>> from srbench.attacks.checked import at_least
    >>> at_least("steps", 0, 1)
    Traceback (most recent call last):
    srbench.errors.BadInput: steps is 0: it has to be 1 or more
    """
    if not _is_number(value):
        raise BadInput(f"{name} is {value!r}: it has to be a number, {least:g} or more")
    if not least <= value < math.inf:
        raise BadInput(f"{name} is {float(value):g}: it has to be {least:g} or more")


def share(name: str, value: Any, unit: str = "") -> float:
    """Return a setting that is above 0 and at most 1, such as a step's length in units of the range.

    Raises:
        BadInput: it is not; a longer step than the whole range was meant in levels.

    >>> from srbench.attacks.checked import share
    >>> share("alpha", 2, unit=": write 2 levels of 255 as 2/255")
    Traceback (most recent call last):
    srbench.errors.BadInput: alpha is 2: it has to be above 0 and at most 1: write 2 levels of 255 as 2/255
    """
    number = _is_number(value)
    if not (number and 0 < value <= 1):
        shown = f"{float(value):g}" if number else repr(value)
        raise BadInput(f"{name} is {shown}: it has to be above 0 and at most 1{unit}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def step_length(value: Any, usual: float) -> float:
    """Return a step's length in units of the range, above 0 and at most 1; the usual one for None.

    Raises:
        BadInput: another value.
    """
    return usual if value is None else share("alpha", value, ": write 2 levels of 255 as 2/255")


def one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse a setting that is none of some words.

    Raises:
        BadInput: it is none; they are listed.

    >>> from srbench.attacks.checked import one_of
    >>> one_of("start", "bogus", ("auto", "zero", "random"))
    Traceback (most recent call last):
    srbench.errors.BadInput: start is 'bogus': choose auto, zero or random
    """
    if not isinstance(value, str) or value not in choices:
        raise BadInput(f"{name} is {value!r}: choose {', '.join(choices[:-1])} or {choices[-1]}")


def flag(name: str, value: Any) -> bool:
    """Return a setting that is True or False.

    Raises:
        BadInput: it is neither.
    """
    if not isinstance(value, bool):
        raise BadInput(f"{name} is {value!r}: it has to be True or False")
    return value


def image_batch(image: Any, what: str) -> Tensor:
    """Return a batch of images (N,3,H,W) in [0,1], detached.

    Raises:
        BadInput: not a tensor, another shape, whole numbers, or values outside [0,1].
    """
    import torch

    if not isinstance(image, torch.Tensor):
        raise BadInput(
            f"{what} has to be a torch.Tensor of shape (N, 3, H, W), not {type(image).__name__}: "
            "torch.as_tensor makes one"
        )
    if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape:
        raise BadInput(f"{what} has to be of shape (N, 3, H, W), not {tuple(image.shape)}")
    if not image.is_floating_point():
        raise BadInput(f"{what} has to be float in [0, 1], not {image.dtype}: divide 8-bit images by 255")
    low, high = image.min().item(), image.max().item()
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise BadInput(f"{what} has to be in [0, 1]; its values go from {low:g} to {high:g}")
    return image.detach()


def image_ids(ids: Any, count: int) -> list[str]:
    """Return the ids of images: those given, or "0", "1", ….

    Raises:
        BadInput: one text in place of several, or another number of them.
    """
    if isinstance(ids, str):
        raise BadInput(f"image ids are {ids!r}: they have to be a list with one text for each image")
    names = [str(i) for i in range(count)] if ids is None else list(ids)
    if len(names) != count:
        raise BadInput(f"{len(names)} image ids for {count} images")
    return names
