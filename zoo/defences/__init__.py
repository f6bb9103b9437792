"""Put a defence around any model: ``jpeg(esrgan-mini,quality=75)``.

A new defence is one module here with a ``DEFENCE``. Importing this package costs nothing: torch is loaded by
the first forward.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from srbench.zoo.defences.base import Defence

__all__ = ["Defence", "registry"]


@functools.cache
def registry() -> Mapping[str, Defence]:
    """Return every defence by name.

    >>> from srbench.zoo import defences
    >>> sorted(defences.registry())
    ['bits', 'jpeg', 'median', 'mrs', 'selfensemble', 'tta-noise']
    """
    modules = [name for _, name, _ in pkgutil.iter_modules(__path__) if name != "base"]
    found = [importlib.import_module(f"{__name__}.{name}").DEFENCE for name in sorted(modules)]
    return {defence.name: defence for defence in found}
