"""Average the SR images of the eight flips and rotations of an LR image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srbench.zoo.defences.base import Defence, Model, Values

if TYPE_CHECKING:
    from torch import Tensor


def defend(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Return the mean over the eight ways to lay the image down; it has its own gradient."""
    total = None
    for turns in range(4):
        for flipped in (False, True):
            laid = lr.rot90(turns, (2, 3))
            sr = model(laid.flip(3)).flip(3) if flipped else model(laid)
            back = sr.rot90(-turns, (2, 3))
            total = back if total is None else total + back
    assert total is not None
    return total / 8


DEFENCE = Defence(
    name="selfensemble",
    about="The mean of the SR images of the eight flips and rotations.",
    source="Timofte et al. 2016; Lim et al. 2017 (EDSR+)",
    options={},
    defend=defend,
    forwards=lambda values: 8,
)
