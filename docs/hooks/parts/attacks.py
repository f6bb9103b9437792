"""Write the cards of attacks, from what each one's file says."""

from __future__ import annotations

from parts.text import code, facts, first_paragraph, table
from srbench.attacks import AttackRecipe, registry
from srbench.attacks import corruptions as natural
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
    """Return one card for each preset."""
    return "\n\n".join(_card(name) for name in registry.presets())


def _card(name: str) -> str:
    published, *fallbacks = variants(name)
    passes = published.passes()
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
        "Passes of an image": f"{passes.forwards} forward, {passes.gradients} with a gradient to the input",
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


def _what(recipe: AttackRecipe) -> str:
    """What the preset is, in its own words, and what its class does, in those of its docstring."""
    does = first_paragraph(registry.attack_class(recipe.kind).load().__doc__)
    return f"{registry.presets()[recipe.preset].about} {code(recipe.kind)} {does[0].lower()}{does[1:]}"


def _objectives(recipe: AttackRecipe) -> list[str]:
    """What the recipe and its parts make large, each once."""
    objectives = [recipe.objective, *(part.objective for part in recipe.parts)]
    return list(dict.fromkeys(filter(None, objectives)))


def _settings(recipe: AttackRecipe) -> dict[str, str]:
    module = registry.attack_class(recipe.kind).module
    settings = {"Class": f"[{code(recipe.kind)}][{module}.{recipe.kind}]"}
    if recipe.objective:
        settings["Maximised"] = code(recipe.objective)
    if recipe.measures:
        settings["Chosen by"] = ", ".join(map(code, recipe.measures))
    for key, value in recipe.options:
        shown = eps_text(value) if key == "alpha" and value is not None else str(value)
        settings[key.replace("_", " ").capitalize()] = "as the class sets it" if value is None else shown
    if recipe.samples > 1:
        settings["Samples"] = str(recipe.samples)
    return settings


def _inline(named: dict[str, str]) -> str:
    return ", ".join(f"{key.lower()} {value}" for key, value in named.items() if key != "Class")


def corruptions() -> str:
    """Return the natural corruptions with the constant of each severity."""
    rows = []
    for name in natural.CORRUPTIONS:
        unit, values = CONSTANTS[name]
        shown = [" and ".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in values]
        rows.append((code(name), unit, *shown))
    return table(("Corruption", "Constant", *map(str, natural.SEVERITIES)), rows)


def classes() -> str:
    """Return every attack class of the library, from its docstring."""
    return "\n\n".join(f"::: {each.module}.{each.name}" for each in registry.classes().values())
