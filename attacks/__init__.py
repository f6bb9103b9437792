"""Attacks on the LR input. An attack is one axis of the evaluation plan; ``none`` is the clean input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srbench.errors import unknown


@dataclass(frozen=True)
class AttackSpec:
    """What is done to the LR image before the model sees it, as far as a record's identity goes.

    Attributes:
        name: as written on the command line and in tables.
        hash: identity of every setting that can move a number; empty for the clean input.
    """

    name: str
    hash: str = ""


NONE = AttackSpec("none")


def names() -> list[str]:
    """The names of all attack presets."""
    return [NONE.name]


def resolve(specs: Sequence[str]) -> list[AttackSpec]:
    """Attack specs by name, in order, without duplicates.

    Raises:
        BadInput: no such attack; the nearest names are listed.
    """
    known = {NONE.name: NONE}
    for spec in specs:
        if spec not in known:
            raise unknown("attack", spec, known, "srbench evaluate --help")
    return [known[spec] for spec in dict.fromkeys(specs)]
