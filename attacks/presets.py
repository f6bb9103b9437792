"""Turn the presets that attacks declare into recipes, with the objectives whose weights are at hand."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TypeAlias

from srbench.attacks.objectives_text import NEEDS_NO_DOWNLOAD, canonical, parse_terms
from srbench.attacks.preset_entry import Part, PresetEntry
from srbench.attacks.recipe import AttackRecipe
from srbench.attacks.registry import attack_class, presets
from srbench.attacks.threat import parse_eps
from srbench.errors import BadInput, Unavailable

Choose: TypeAlias = Callable[[list[str]], tuple[str, str]]
"""It maps objectives, the best first, to the one that is used and a note; see :func:`first_available`."""


def preset(text: str) -> AttackRecipe:
    """Return a preset by name, at its own radius or another: ``rsr``, ``rsr@8``, ``rsr@8/255(steps=10)``.

    A preset whose perceptual term needs weights that are not installed, and cannot be fetched now, uses
    the first of its other terms that can be had; ``objective``, ``hash`` and ``note`` say so.

    Raises:
        BadInput: no such preset, a radius that is none, or settings that it does not have.

    >>> from srbench import attacks
    >>> recipe = attacks.preset("random@8")
    >>> recipe.name, recipe.kind, round(recipe.eps * 255, 6)
    ('random@8', 'RandomNoise', 8.0)
    """
    if not isinstance(text, str) or not text:
        raise BadInput(f"{text!r} names no attack: name a preset such as rsr")
    before, opened, inside = text.partition("(")
    name, at, radius = before.partition("@")
    if opened and not inside.endswith(")"):
        raise BadInput(f"{text}: settings stand in parentheses, as in rsr(steps=10)")
    if name not in presets():
        from srbench.attacks.corruptions import CORRUPTIONS

        close = difflib.get_close_matches(name, [*presets(), *CORRUPTIONS], n=2)
        meant = f"did you mean {' or '.join(close)}? " if close else ""
        raise BadInput(
            f"unknown attack '{name[:60]}': {meant}There are none, {', '.join(presets())}, "
            "and natural corruptions such as jpeg:3, or corruptions for all of them"
        )
    recipe = make_recipe(presets()[name], first_available)
    settings = dict(_setting(text, part) for part in inside.removesuffix(")").split(",") if part.strip())
    if at:
        settings["eps"] = parse_eps(radius)
    return recipe.with_(**settings) if settings else recipe


def _setting(text: str, part: str) -> tuple[str, str | int | float | bool | None]:
    """Return name and value of a setting as it was written."""
    name, equals, value = (each.strip() for each in part.partition("="))
    if not (equals and name and value):
        raise BadInput(f"{text}: '{part.strip()}' is no setting: write name=value, as in rsr(steps=10)")
    if name in ("eps", "alpha"):
        return name, parse_eps(value)
    if value.lower() in ("true", "false", "none"):
        return name, {"true": True, "false": False, "none": None}[value.lower()]
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def make_recipe(entry: PresetEntry, choose: Choose) -> AttackRecipe:
    """Return the recipe of a preset.

    Args:
        entry: what the preset's module says.
        choose: chooses among objectives that differ in their perceptual term.

    >>> from srbench.attacks import registry
    >>> from srbench.attacks.presets import make_recipe
    >>> make_recipe(registry.presets()["rsr"], lambda texts: (texts[-1], "")).objective
    '0.01*l1+lpips-lite'
    """
    term, note = _perceptual(entry, choose)
    parts = tuple(_part(part, entry, term, choose) for part in entry.parts)
    return AttackRecipe(
        name=entry.name,
        preset=entry.name,
        kind=entry.kind,
        eps=entry.eps,
        objective=_objective(entry.objective, term),
        options=entry.options,
        parts=parts,
        measures=tuple(_objective(measure, term) for measure in entry.measures),
        norm=attack_class(entry.kind).norms[0],
        note="; ".join(filter(None, [*(part.note for part in parts), note])),
    )


def _perceptual(entry: PresetEntry, choose: Choose) -> tuple[str, str]:
    """Return the perceptual term of a preset, chosen by the whole objective if there is one, and a note."""
    if not entry.perceptual:
        return "", ""
    template = entry.objective or "{perceptual}"
    terms = {_objective(template, term): term for term in entry.perceptual}
    chosen, note = choose(list(terms))
    return terms[chosen], note


def _part(part: str | Part, whole: PresetEntry, term: str, choose: Choose) -> AttackRecipe:
    if isinstance(part, str):
        return make_recipe(presets()[part], choose).with_(eps=whole.eps)
    return AttackRecipe(
        name=part.kind.lower(),
        preset=whole.name,
        kind=part.kind,
        eps=whole.eps,
        objective=_objective(part.objective, term),
        options=part.options,
        norm=attack_class(part.kind).norms[0],
    )


def _objective(text: str, term: str) -> str:
    return canonical(text.replace("{perceptual}", term)) if text else ""


def first_available(wanted: list[str]) -> tuple[str, str]:
    """Return the first objective whose weights are here or can be fetched, and a note if others were better.

    Args:
        wanted: objectives; the last needs nothing that can be missing.

    >>> from srbench.attacks.presets import first_available
    >>> first_available(["l1 + mse", "l1"])
    ('l1+mse', '')
    """
    from srbench.attacks.perceptual import locate

    missing: dict[str, str] = {}
    for text in wanted:
        terms = [term for _, term in parse_terms(text)]
        for term in terms:
            if term not in (*missing, *NEEDS_NO_DOWNLOAD):
                try:
                    locate(term)
                except Unavailable as error:
                    missing[term] = str(error)
        if missing.keys().isdisjoint(terms):
            break
    if text == wanted[0]:
        return canonical(text), ""
    lacking = next(iter(missing))
    used = f"objective {canonical(text)} in place of {canonical(wanted[0])}"
    return canonical(text), f"{lacking} is not installed, {used}: {missing[lacking]}"
