"""Degradation sources: where the LR input of training comes from. One kind, one module.

A module of this package that has a ``KIND`` is a degradation: it defines ``Settings`` (a
:class:`~srbench.train.degradations.base.Table`) and ``build(settings, context)``. Nothing else has to be
told of it.

    settings = parse({"kind": "adversarial", "eps": "14", "steps": 2})
    degrade = build(settings, context)
    degrade.prepare()
    lr = degrade(batch)
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

from pydantic import ValidationError

from srbench.errors import BadInput
from srbench.train.degradations.base import Batch, Context, Degradation, Table

__all__ = ["KINDS", "Batch", "Context", "Degradation", "Table", "build", "parse"]


def _found() -> dict[str, ModuleType]:
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {module.KIND: module for module in modules if hasattr(module, "KIND")}


def parse(table: Mapping[str, Any]) -> Table:
    """Settings from a TOML table such as ``{kind = "adversarial", eps = "14"}``.

    ``parse(settings.model_dump())`` gives the settings back.

    Raises:
        BadInput: no kind or an unknown one, an unknown key, or a value that does not fit; the key is named.
    """
    kind = table.get("kind")
    if kind is None:
        raise BadInput(f"a degradation needs a kind: choose one of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadInput(f"unknown degradation {str(kind)[:60]!r}: choose one of {', '.join(KINDS)}")
    model: type[Table] = KINDS[kind].Settings
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        raise BadInput(_line(kind, model, error)) from error


def build(settings: Table, context: Context) -> Degradation:
    """The degradation with these settings, serving the run of ``context``.

    Raises:
        BadInput: the settings cannot be had, such as a perceptual term whose weights are not installed.
    """
    return cast(Degradation, KINDS[settings.kind].build(settings, context))


def _line(kind: str, model: type[Table], error: ValidationError) -> str:
    """The first thing wrong, as one line."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, model.model_fields, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return (
            f"degradation '{kind}' has no setting '{key}': {hint}it has "
            f"{', '.join(name for name in model.model_fields if name != 'kind')}"
        )
    if first["type"] == "missing":
        return f"degradation '{kind}' needs a value for '{key}'"
    reason = first["msg"].removeprefix("Value error, ").removeprefix("eps ")
    given = "" if first["type"] == "value_error" else f" (it is {first['input']!r})"
    return f"degradation '{kind}', setting '{key}': {reason[0].lower()}{reason[1:]}{given}"


KINDS: dict[str, ModuleType] = _found()
"""Module of every kind of degradation."""
