"""Know the attacks of this package: their classes, their presets and where each name is defined.

An attack is one file of the package: a class below :class:`~srbench.attacks.base.SRAttack`, and a literal
``PRESETS`` with what the command line should know of it (:mod:`srbench.attacks.preset_entry`). It is found by
itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srbench.attacks.index import AttackClass, Index, read
from srbench.attacks.preset_entry import PresetEntry
from srbench.errors import unknown


@functools.cache
def _index() -> Index:
    return read(Path(__file__).parent)


def classes() -> Mapping[str, AttackClass]:
    """Return every attack class by name.

    >>> from srbench.attacks import registry
    >>> [name for name, attack in registry.classes().items() if attack.is_noise]
    ['RandomNoise']
    """
    return _index().classes


def attack_class(kind: str) -> AttackClass:
    """Return what is known of one attack class.

    Raises:
        BadInput: there is no such class; the nearest names are listed.

    >>> from srbench.attacks import registry
    >>> registry.attack_class("PGDL2").norms
    ('l2',)
    """
    if kind not in classes():
        raise unknown("attack class", kind, classes(), "the documentation of srbench.attacks")
    return classes()[kind]


def presets() -> Mapping[str, PresetEntry]:
    """Return every preset by name, noise first.

    >>> from srbench.attacks import registry
    >>> registry.presets()["rsr"].kind
    'StructuredPGD'
    """
    return _index().presets


def homes() -> Mapping[str, str]:
    """Return the module of every public class and function whose name is in one module only.

    >>> from srbench.attacks import registry
    >>> registry.homes()["parse_eps"]
    'srbench.attacks.threat'
    """
    return _index().homes


def is_noise(settings: Mapping[str, Any] | None) -> bool:
    """Return whether a record's attack is random noise, by the class its settings name.

    Args:
        settings: of the attack, as records have them; None for the clean input. A class that is not here, of
            a newer version or somebody's own, is taken for an attack.

    >>> from srbench import attacks
    >>> attacks.is_noise(attacks.preset("random@8").settings()), attacks.is_noise({"kind": "Theirs"})
    (True, False)
    """
    known = classes().get(str(settings.get("kind"))) if settings else None
    return known is not None and known.is_noise
