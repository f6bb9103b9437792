"""Attack cards, from the presets."""

from __future__ import annotations

import importlib

from parts.text import code, facts, first_paragraph, table
from srbench import attacks as library
from srbench.attacks import corruptions as natural
from srbench.attacks.presets import PRESETS, Recipe
from srbench.attacks.threat import eps_text
from srbench.attacks.variants import variants

NORMS = {
    "linf": "no value of the LR image moves by more than eps",
    "l2": "the root mean square of the change is at most eps",
}
CONSTANTS = {
    "gaussian-noise": ("standard deviation, of the range", natural.GAUSSIAN_SIGMA),
    "poisson-noise": ("photons at full white", natural.POISSON_PHOTONS),
    "speckle-noise": ("standard deviation, of the value itself", natural.SPECKLE_SIGMA),
    "jpeg": ("quality", natural.JPEG_QUALITY),
    "gaussian-blur": ("standard deviation, LR pixels", natural.BLUR_SIGMA),
    "defocus-blur": ("radius of the disk, its own blur, LR pixels", natural.DEFOCUS),
    "motion-blur": ("length, standard deviation along it, LR pixels", natural.MOTION),
}


def cards() -> str:
    """One card per preset."""
    return "\n\n".join(_card(name) for name in PRESETS)


def _card(name: str) -> str:
    published, *fallbacks = variants(name)
    about = {
        "Threat model": f"{published.norm}, eps = {eps_text(published.eps)}: {NORMS[published.norm]}; "
        + (
            "the result is 8 bit"
            if published.rounded
            else "the result is float, and measured as an 8-bit file too"
        ),
        **_settings(published),
        "Seed": f"{code(published.seed)}, with each image's id",
        "Precision": published.precision,
        "Hash": code(published.hash),
    }
    text = [f"### {code(name)}", _what(published), facts(about)]
    if published.parts:
        header = ("Part", "Settings")
        rows = [(code(part.kind), _inline(_settings(part))) for part in published.parts]
        text.append(table(header, rows))
    if fallbacks:
        rows = [(", ".join(map(code, _objectives(recipe))), code(recipe.hash[:12])) for recipe in fallbacks]
        text.append(
            "Where weights of its objective are not installed, another takes its place. Records then have "
            "another hash, and say so, as tables do:"
        )
        text.append(table(("Objectives", "Hash"), rows))
    return "\n\n".join(text)


def _what(recipe: Recipe) -> str:
    """What the attack is, from the preset's own words or its class, and where it comes from."""
    made = PRESETS[recipe.preset]
    module = importlib.import_module(getattr(library, recipe.kind).__module__)
    own = first_paragraph(made.__doc__) if made.__doc__ else ""
    return " ".join(filter(None, [own, first_paragraph(module.__doc__)]))


def _objectives(recipe: Recipe) -> list[str]:
    """What the recipe and its parts make large, each once."""
    found = [recipe.objective, *(part.objective for part in recipe.parts)]
    return list(dict.fromkeys(filter(None, found)))


def _settings(recipe: Recipe) -> dict[str, str]:
    found = {"Class": f"[{code(recipe.kind)}][{getattr(library, recipe.kind).__module__}.{recipe.kind}]"}
    if recipe.objective:
        found["Maximised"] = code(recipe.objective)
    if recipe.measures:
        found["Chosen by"] = ", ".join(map(code, recipe.measures))
    for key, value in recipe.options:
        shown = eps_text(value) if key == "alpha" and value is not None else str(value)
        found[key.replace("_", " ").capitalize()] = "as the class sets it" if value is None else shown
    if recipe.samples > 1:
        found["Samples"] = str(recipe.samples)
    return found


def _inline(named: dict[str, str]) -> str:
    return ", ".join(f"{key.lower()} {value}" for key, value in named.items() if key != "Class")


def corruptions() -> str:
    """The natural corruptions with the constant of each severity."""
    rows = []
    for name in natural.CORRUPTIONS:
        unit, values = CONSTANTS[name]
        shown = [" and ".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in values]
        rows.append((code(name), unit, *shown))
    return table(("Corruption", "Constant", *map(str, natural.SEVERITIES)), rows)


def classes() -> str:
    """Every attack of the library, from its docstring."""
    found = [getattr(library, name) for name in library.__all__]
    named = {cls for cls in found if isinstance(cls, type) and issubclass(cls, library.SRAttack)}
    directives = [
        f"::: {cls.__module__}.{cls.__name__}" for cls in sorted(named, key=lambda cls: cls.__name__)
    ]
    return "\n\n".join(directives)
