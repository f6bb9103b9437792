"""Say what identifies an attack in a record: a name, and a hash of every setting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AttackSpec:
    """Says what is done to the LR image before the model sees it, as far as a record's identity goes.

    Attributes:
        name: as written on the command line and in tables.
        hash: identity of every setting that can move a number; empty for the clean input.

    >>> from srbench import attacks
    >>> attacks.NONE
    AttackSpec(name='none', hash='')
    """

    name: str
    hash: str = ""

    @property
    def needs_gradient(self) -> bool:
        """Return whether making the perturbed image takes gradients of a model."""
        return False

    @property
    def is_noise(self) -> bool:
        """Return whether this is noise that no model decides, which attacks are read against."""
        return False


NONE = AttackSpec("none")
"""This spec is the clean input."""


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Return the hash of an attack: sha256 (64 hex digits) over the canonical JSON of its settings.

    >>> from srbench.attacks.spec import settings_hash
    >>> settings_hash({"kind": "FGSM", "eps": 0.5}) == settings_hash({"eps": 0.5, "kind": "FGSM"})
    True
    """
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
