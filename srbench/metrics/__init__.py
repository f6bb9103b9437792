"""Know the image quality metrics: one small file each, found by themselves.

A metric is added as a module of this package with a module-level ``METRIC`` (see :mod:`srbench.metrics.base`)
and a place in a protocol. lpips, pyiqa and scikit-image do the computing.
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
    """Return every metric by name, in table order (full-reference before no-reference).

    >>> from srbench import metrics
    >>> list(metrics.registry())[:3]
    ['psnr', 'ssim', 'lpips']
    """
    from srbench.metrics.base import Metric

    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    declared = [m.METRIC for m in modules if isinstance(getattr(m, "METRIC", None), Metric)]
    return {metric.name: metric for metric in sorted(declared, key=lambda m: (m.kind, m.order, m.name))}


def metric(name: str) -> Metric:
    """Return the metric called ``name``.

    Raises:
        BadInput: no such metric; the nearest names are listed.

    >>> from srbench import metrics
    >>> psnr = metrics.metric("psnr")
    >>> f"{psnr.title} {psnr.arrow}"
    'PSNR ↑'
    """
    known = registry()
    if name not in known:
        raise unknown("metric", name, known, "srbench metrics")
    return known[name]
