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

_FUNCTIONS = ("attack", "evaluate", "leaderboard")


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from srbench import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FUNCTIONS])
