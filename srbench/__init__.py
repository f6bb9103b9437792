"""srbench: robustness benchmarks for real-world super-resolution.

>>> import srbench
>>> records = srbench.evaluate("bicubic", datasets="ntire-mini", metrics=["psnr"], limit=2)
>>> board = srbench.leaderboard(records)

Importing this package costs nothing: torch and pandas load with the first call that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from srbench.version import __version__ as __version__

if TYPE_CHECKING:
    from srbench.api import attack as attack
    from srbench.api import evaluate as evaluate
    from srbench.api import leaderboard as leaderboard
    from srbench.catalogue import list_attacks as list_attacks
    from srbench.catalogue import list_datasets as list_datasets
    from srbench.catalogue import list_metrics as list_metrics
    from srbench.catalogue import list_models as list_models
    from srbench.catalogue import show_versions as show_versions

_HOMES = {
    "api": ("attack", "evaluate", "leaderboard"),
    "catalogue": ("list_attacks", "list_datasets", "list_metrics", "list_models", "show_versions"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for home, functions in _HOMES.items():
        if name in functions:
            return getattr(import_module(f"srbench.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(["__version__", *(name for functions in _HOMES.values() for name in functions)])
