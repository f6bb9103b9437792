"""``Card`` and ``Source`` under the name the rest of srbench imports them by.

Their definition is in :mod:`srbench.zoo.schema`: this module is imported with the package and must
not pull in pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srbench.zoo.schema import DOMAINS, Card, Source

__all__ = ["DOMAINS", "Card", "Source"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from srbench.zoo import schema

    return getattr(schema, name)
