"""Image quality metrics: one small file each, found by themselves.

Adding a metric is adding a module here with a module-level ``METRIC`` (see :mod:`srbench.metrics.base`)
and naming it in a protocol. lpips, pyiqa and scikit-image do the computing.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

from srbench.errors import unknown

if TYPE_CHECKING:
    from srbench.metrics.base import Metric


@functools.cache
def registry() -> dict[str, Metric]:
    """Every metric by name, in table order (full-reference before no-reference)."""
    from srbench.metrics.base import Metric

    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    found = [m.METRIC for m in modules if isinstance(getattr(m, "METRIC", None), Metric)]
    return {metric.name: metric for metric in sorted(found, key=lambda m: (m.kind, m.order, m.name))}


def metric(name: str) -> Metric:
    """The metric called ``name``.

    Raises:
        BadInput: no such metric; the nearest names are listed.
    """
    known = registry()
    if name not in known:
        raise unknown("metric", name, known, "srbench metrics")
    return known[name]
