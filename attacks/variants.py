"""List every recipe a preset can stand for, whatever is installed on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, combinations
from typing import Any

from srbench.attacks.objectives_text import NEEDS_NO_DOWNLOAD, TERMS, canonical, parse_terms
from srbench.attacks.presets import Choose, make_recipe
from srbench.attacks.recipe import AttackRecipe
from srbench.attacks.registry import presets
from srbench.attacks.spec import settings_hash


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


def is_former(name: str, settings: Mapping[str, Any], digest: str) -> bool:
    """Return whether an attack is a preset with earlier editions of its classes, which cannot be run.

    Args:
        name: a preset's name.
        settings: of an attack, as records have them, with notes beside.
        digest: the attack's hash, which notes are no part of.

    >>> from srbench.attacks.variants import is_former, variants
    >>> strong = variants("strong")[0]
    >>> is_former("strong", strong.settings(), strong.hash)
    False
    """
    recipes = {recipe.hash: recipe for recipe in variants(name)}
    if digest in recipes:
        return False
    for recipe in recipes.values():
        due = recipe.settings()
        hashed = {key: value for key, value in settings.items() if key in due or key == "edition"}
        if settings_hash(hashed) == digest and _but_for_editions(hashed, due):
            return True
    return False


def _but_for_editions(settings: Mapping[str, Any], due: Mapping[str, Any]) -> bool:
    """Return whether settings are those that are due, but that no edition is later."""
    apart = ("edition", "parts")
    same = all(settings.get(key) == due.get(key) for key in {*settings, *due}.difference(apart))
    parts, parts_due = settings.get("parts", ()), due.get("parts", ())
    earlier = settings.get("edition", 1) <= due.get("edition", 1)
    alike = len(parts) == len(parts_due) and all(map(_but_for_editions, parts, parts_due))
    return same and earlier and alike


def _chooser(present: Iterable[str]) -> Choose:
    """Return what :func:`~srbench.attacks.presets.first_available` is where exactly these networks are."""
    usable = {*present, *NEEDS_NO_DOWNLOAD}

    def choose(wanted: list[str]) -> tuple[str, str]:
        def complete(text: str) -> bool:
            return usable.issuperset(term for _, term in parse_terms(text))

        return canonical(next(filter(complete, wanted))), ""

    return choose
