"""List every recipe a preset can stand for, whatever is installed on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations

from srbench.attacks.objectives_text import NEEDS_NO_DOWNLOAD, TERMS, canonical, parse_terms
from srbench.attacks.presets import Choose, make_recipe
from srbench.attacks.recipe import AttackRecipe
from srbench.attacks.registry import presets


def variants(name: str) -> list[AttackRecipe]:
    """Return the preset as published, then as it is where weights of its objectives are missing.

    A record says with its hash which of them was run; which one :func:`srbench.attacks.presets.preset`
    gives depends on the weights that are here.

    Args:
        name: a preset's name.

    Returns:
        At least one recipe, each hash once.

    >>> from srbench.attacks.variants import variants
    >>> [recipe.objective for recipe in variants("rsr")][:2]
    ['0.01*l1+vgg19', '0.01*l1+lpips-alex']
    """
    networks = [term for term in TERMS if term not in NEEDS_NO_DOWNLOAD]
    sizes = range(len(networks), -1, -1)
    installed = chain.from_iterable(combinations(networks, size) for size in sizes)
    entry = presets()[name]
    recipes = (make_recipe(entry, _chooser(present)) for present in installed)
    return list({recipe.hash: recipe for recipe in recipes}.values())


def _chooser(present: Iterable[str]) -> Choose:
    """Return what :func:`~srbench.attacks.presets.first_available` is where exactly these networks are."""
    usable = {*present, *NEEDS_NO_DOWNLOAD}

    def choose(wanted: list[str]) -> tuple[str, str]:
        def complete(text: str) -> bool:
            return usable.issuperset(term for _, term in parse_terms(text))

        return canonical(next(filter(complete, wanted))), ""

    return choose
