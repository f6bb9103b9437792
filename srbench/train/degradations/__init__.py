"""Make the LR input of training: one kind of degradation, one module.

A module of this package that has a ``KIND``, a :class:`~srbench.train.degradations.base.DegradationKind`, is
a degradation; nothing else has to know of it.

    settings = parse({"kind": "adversarial", "eps": "14", "steps": 2})
    degrade = make_degradation(settings, context)
    degrade.prepare()
    lr = degrade(batch)
"""

from __future__ import annotations

import importlib
import pkgutil

from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.registry import KINDS, make_degradation, parse

__all__ = [
    "KINDS",
    "Batch",
    "Context",
    "Degradation",
    "DegradationKind",
    "Table",
    "make_degradation",
    "parse",
]

for _name in sorted(_module.name for _module in pkgutil.iter_modules(__path__)):
    _kind = getattr(importlib.import_module(f"{__name__}.{_name}"), "KIND", None)
    if isinstance(_kind, DegradationKind):
        KINDS[_kind.name] = _kind
