"""Know the kinds of degradations by name: settings from their TOML tables, degradations from settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from srbench.errors import BadInput
from srbench.train.degradations.base import Context, Degradation, DegradationKind, Table

KINDS: dict[str, DegradationKind] = {}
"""Every kind of degradation is here by its name; the package's modules are entered when it is imported."""


def parse(table: Mapping[str, Any]) -> Table:
    """Return the settings in a TOML table such as ``{kind = "adversarial", eps = "14"}``.

    ``parse(settings.model_dump())`` gives the settings back.

    Raises:
        BadInput: no kind or an unknown one, an unknown key, or a value that does not fit; the key is named.

    >>> from srbench.train import degradations
    >>> settings = degradations.parse({"kind": "adversarial", "eps": "14"})
    >>> settings.eps, settings.steps, settings.needs_perceptual()
    ('14/255', 2, True)
    """
    kind = table.get("kind")
    if kind is None:
        raise BadInput(f"a degradation needs a kind: choose one of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadInput(f"unknown degradation {str(kind)[:60]!r}: choose one of {', '.join(KINDS)}")
    model = KINDS[kind].settings
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        raise BadInput(_line(kind, model, error)) from error


def make_degradation(settings: Table, context: Context) -> Degradation:
    """Return the degradation with these settings, serving the run of ``context``.

    Raises:
        BadInput: the settings cannot be had, such as a perceptual term whose weights are not installed.

    >>> import torch
    >>> from srbench.train import degradations
    >>> context = degradations.Context(
    ...     torch.nn.Identity(), 0, None, lambda indices: torch.rand(len(indices), 3, 64, 64),
    ...     torch.device("cpu"), print)
    >>> degrade = degradations.make_degradation(degradations.parse({"kind": "clean"}), context)
    >>> degrade(degradations.Batch(torch.rand(2, 3, 64, 64), ids=("0", "1"))).shape
    torch.Size([2, 3, 16, 16])
    """
    return KINDS[settings.kind].degradation(settings, context)


def _line(kind: str, model: type[Table], error: ValidationError) -> str:
    """Say the first thing that is wrong, as one line."""
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
    value = "" if first["type"] == "value_error" else f" (it is {first['input']!r})"
    return f"degradation '{kind}', setting '{key}': {reason[0].lower()}{reason[1:]}{value}"
