"""Check what a module's ``PRESETS`` says of one attack, without loading anything.

An entry is a literal, so that it can be read without running its file:

    PRESETS = {
        "rsr": {
            "kind": "StructuredPGD",
            "about": "A sentence for the card in the documentation.",
            "eps": 14,
            "perceptual": ["vgg19", "lpips-lite"],
            "objective": "0.01*l1+{perceptual}",
            "options": {"alpha": "1/255", "steps": 2, "structure": 1.5, "restarts": 1, "momentum": 0.0},
        },
    }

``kind`` is the attack's class, and ``options`` has every option of it, so that the hash of an attack says
everything. Radius and lengths are in levels of 255. ``{perceptual}`` stands for the first term of that list
whose weights can be had. The ``parts`` of an ensemble are names of presets, or kind, objective and options of
attacks without a name; it has ``measures`` in place of an objective.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from srbench.attacks.objectives_text import NEEDS_NO_DOWNLOAD, canonical
from srbench.attacks.threat import parse_eps
from srbench.errors import BadInput

Options: TypeAlias = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Describes an attack by its class and settings, as far as no model or weights decide them.

    Attributes:
        kind: the name of its class.
        objective: what is made large, with ``{perceptual}`` where a term depends on the weights at hand.
        options: every option of the class.
    """

    kind: str
    objective: str = ""
    options: Options = ()


@dataclass(frozen=True, kw_only=True)
class PresetEntry(Part):
    """Describes an attack that has a name.

    Attributes:
        name: its name on the command line and in records.
        about: a sentence on what it is, for its card.
        eps: radius in units of the range [0,1].
        perceptual: terms that ``{perceptual}`` stands for, the best first.
        parts: of an ensemble, the names of presets, and attacks without one.
        measures: what an ensemble chooses by.
    """

    name: str
    about: str
    eps: float
    perceptual: tuple[str, ...] = ()
    parts: tuple[str | Part, ...] = ()
    measures: tuple[str, ...] = ()


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "kind": ((str,), "text"),
    "about": ((str,), "text"),
    "eps": ((int, float, str), "a number of levels of 255"),
    "perceptual": ((list, tuple), "a list"),
    "objective": ((str,), "text"),
    "options": ((dict,), "a dict"),
    "parts": ((list, tuple), "a list"),
    "measures": ((list, tuple), "a list"),
}
_OF_PART = ("kind", "objective", "options")
_SCALARS = (str, int, float, bool, type(None))
_NAME = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
PARTS = "attacks"
"""A class with this option is an ensemble; the parts of its preset become the attacks."""


def read_entry(file: str, name: object, literal: object, options: Mapping[str, Sequence[str]]) -> PresetEntry:
    """Return one entry of a module's ``PRESETS``.

    Args:
        file: named in complaints.
        name: the entry's key.
        literal: its value.
        options: the names of the options of every attack class.

    Raises:
        BadInput: a key that is missing, unknown or of another type, a class or an option that does not exist,
            an objective that cannot be read; one line that names file, preset and key.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == "none":
        raise BadInput(f"{file}: {name!r} cannot name a preset: take small letters, digits and dashes")
    where = f"{file}: preset {name}"
    entry = _keys(where, literal, tuple(_TYPES), required=("kind", "about", "eps"))
    perceptual, measures = tuple(entry.get("perceptual", ())), tuple(entry.get("measures", ()))
    _check_texts(f"{where}, perceptual", perceptual, ())
    if perceptual and perceptual[-1] not in NEEDS_NO_DOWNLOAD:
        raise BadInput(f"{where}, perceptual: the last has to be one of {', '.join(NEEDS_NO_DOWNLOAD)}")
    _check_texts(f"{where}, measures", measures, perceptual)
    own = _part(where, {key: entry[key] for key in _OF_PART if key in entry}, perceptual, options)
    parts = tuple(
        part if isinstance(part, str) else _part(f"{where}, part {number}", part, perceptual, options)
        for number, part in enumerate(entry.get("parts", ()), 1)
    )
    if len({PARTS in options[own.kind], bool(parts), bool(measures)}) > 1:
        raise BadInput(f"{where}, parts: an ensemble, and nothing else, has parts and measures")
    return PresetEntry(
        name=name,
        about=" ".join(entry["about"].split()),
        eps=_levels(f"{where}, eps", entry["eps"]),
        kind=own.kind,
        objective=own.objective,
        options=own.options,
        perceptual=perceptual,
        parts=parts,
        measures=measures,
    )


def _part(
    where: str, literal: object, perceptual: Sequence[str], options: Mapping[str, Sequence[str]]
) -> Part:
    entry = _keys(where, literal, _OF_PART, required=("kind",))
    kind, chosen = entry["kind"], entry.get("options", {})
    if kind not in options:
        raise BadInput(f"{where}, kind: no file of attacks/ has an attack class {kind}")
    due = [option for option in options[kind] if option != PARTS]
    if unknown := [option for option in chosen if option not in due]:
        raise BadInput(f"{where}, options: {kind} has no option {unknown[0]!r}; it has {', '.join(due)}")
    if missing := [option for option in due if option not in chosen]:
        raise BadInput(f"{where}, options: {missing[0]} of {kind} is missing; a preset fixes every option")
    _check_texts(f"{where}, objective", (entry["objective"],) if "objective" in entry else (), perceptual)
    values = {key: _value(f"{where}, options, {key}", value) for key, value in chosen.items()}
    return Part(kind=kind, objective=entry.get("objective", ""), options=tuple(values.items()))


def _keys(where: str, literal: object, known: Sequence[str], required: Sequence[str]) -> dict[str, Any]:
    """Return a dict whose keys and types are those of an entry."""
    if not isinstance(literal, dict):
        raise BadInput(f"{where} has to be a dict of {', '.join(known)}")
    for key, value in literal.items():
        if key not in known:
            raise BadInput(f"{where}: unknown key {key!r}; the keys are {', '.join(known)}")
        types, named = _TYPES[key]
        if not isinstance(value, types) or isinstance(value, bool):
            raise BadInput(f"{where}, {key}: {value!r} is not {named}")
    for key in required:
        if literal.get(key) in (None, ""):
            raise BadInput(f"{where}, {key}: it is missing")
    return literal


def _check_texts(where: str, texts: Sequence[object], perceptual: Sequence[str]) -> None:
    """Refuse objectives that cannot be read, whatever ``{perceptual}`` stands for."""
    for text in texts:
        if not isinstance(text, str):
            raise BadInput(f"{where}: {text!r} is not text")
        try:
            for filled in {text.replace("{perceptual}", term) for term in perceptual} or {text}:
                canonical(filled)
        except BadInput as error:
            raise BadInput(f"{where}: {error}") from error


def _value(where: str, value: object) -> object:
    """Return an option's value; a length written as ``1/255`` is a number of the range [0,1]."""
    if not isinstance(value, _SCALARS):
        raise BadInput(f"{where}: {value!r} is neither a number, text, True, False nor None")
    return _levels(where, value) if isinstance(value, str) and value.endswith("/255") else value


def _levels(where: str, value: str | float) -> float:
    try:
        return parse_eps(value)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
