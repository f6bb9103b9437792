"""What identifies an attack in a record: a name and a hash of every setting."""

from __future__ import annotations

from dataclasses import dataclass


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
