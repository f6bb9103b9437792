"""Know the factors by which super-resolution enlarges."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from srbench.errors import BadInput

Scale = Literal[2, 3, 4, 8]
SCALE: Final = 4
"""The factor where nobody names another."""
SCALES: tuple[int, ...] = get_args(Scale)
"""These are measured: what is published, and what data sets are reduced by."""
LISTED = "x2, x3, x4 and x8"


def checked_scale(value: Any) -> int:
    """Return a factor by which images are enlarged.

    Raises:
        BadInput: another number, or none.

    >>> checked_scale("x2"), checked_scale(3)
    (2, 3)
    """
    text = str(value).strip().lower().removeprefix("x").removeprefix("×")
    found = next((scale for scale in SCALES if text in (str(scale), f"{scale}.0")), None)
    if found is None or isinstance(value, bool):
        raise BadInput(f"--scale {str(value)[:20]}: SR is measured at {LISTED}")
    return found


def other_scale(name: str, kind: str, scale: int, wanted: int) -> BadInput:
    """Return the error of a model or data set that is of another scale than what is measured.

    >>> str(other_scale("net.pth", "model", 2, wanted=4))
    'net.pth is an x2 model, and x4 is measured: --scale 2 takes it'
    """
    return BadInput(f"{name} is an x{scale} {kind}, and x{wanted} is measured: --scale {scale} takes it")


def at_scale(number: int, scale: int) -> int:
    """Return what HR pixels take, for an LR pixel, of what they take at x4.

    >>> at_scale(1024, 2), at_scale(1024, 8)
    (256, 4096)
    """
    return number * scale**2 // SCALE**2


def scale_between(small: tuple[int, ...], large: tuple[int, ...]) -> int | None:
    """Return how many times larger one size (…, H, W) is than another, if by one of :data:`SCALES`.

    >>> scale_between((1, 3, 8, 10), (1, 3, 24, 30)), scale_between((8, 10), (8, 10))
    (3, None)
    """
    height, width = small[-2:]
    return next((s for s in SCALES if tuple(large[-2:]) == (s * height, s * width)), None)
