"""What identifies an attack in a record: a name and a hash of every setting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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


def settings_hash(settings: Mapping[str, Any]) -> str:
    """The hash of an attack: sha256 (64 hex digits) over the canonical JSON of its settings."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
