"""Every recipe a preset can stand for, whatever is installed on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations

from srbench.attacks.objectives_text import TERMS, canonical, parse_terms
from srbench.attacks.presets import PRESETS, Choose, Recipe

_NEEDS_NO_WEIGHTS = ("l1", "mse", "lpips-lite")


def variants(name: str) -> list[Recipe]:
    """The preset as published, then as it is where weights of its objectives are missing.

    A record says with its hash which of them was run; which one :func:`srbench.attacks.presets.preset`
    gives depends on the weights that are here.

    Args:
        name: one of :data:`srbench.attacks.presets.PRESETS`.

    Returns:
        At least one recipe, each hash once.
    """
    networks = [term for term in TERMS if term not in _NEEDS_NO_WEIGHTS]
    sizes = range(len(networks), -1, -1)
    installed = chain.from_iterable(combinations(networks, size) for size in sizes)
    recipes = (PRESETS[name](_chooser(present)) for present in installed)
    return list({recipe.hash: recipe for recipe in recipes}.values())


def _chooser(present: Iterable[str]) -> Choose:
    """What :func:`srbench.attacks.presets.first_available` does where exactly these networks are."""
    usable = {*present, *_NEEDS_NO_WEIGHTS}

    def choose(wanted: list[str]) -> tuple[str, str]:
        def complete(text: str) -> bool:
            return usable.issuperset(term for _, term in parse_terms(text))

        return canonical(next(filter(complete, wanted))), ""

    return choose
