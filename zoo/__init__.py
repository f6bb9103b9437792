"""The model zoo: one interface to every super-resolution network srbench can measure.

>>> from srbench import zoo
>>> zoo.names()[0]
'bicubic'
>>> model = zoo.resolve(["bicubic"])[0].load(device="cpu")  # (N, 3, H, W) in [0, 1] -> (N, 3, 4H, 4W)

A new model with published weights is one TOML file in ``zoo/cards/``. Importing this package costs
nothing: torch, pydantic and spandrel are loaded by the first call that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srbench.zoo.catalog import names as names
    from srbench.zoo.catalog import register as register
    from srbench.zoo.installed import install as install
    from srbench.zoo.model import SRModel as SRModel
    from srbench.zoo.published import download as download
    from srbench.zoo.published import family as family
    from srbench.zoo.refs import ModelRef as ModelRef
    from srbench.zoo.refs import resolve as resolve
    from srbench.zoo.schema import Card as Card
    from srbench.zoo.schema import Source as Source
    from srbench.zoo.tiling import tiled as tiled
    from srbench.zoo.weights import Status as Status
    from srbench.zoo.weights import missing as missing
    from srbench.zoo.weights import status as status

_HOME = {
    "Card": "schema",
    "ModelRef": "refs",
    "SRModel": "model",
    "Source": "schema",
    "Status": "weights",
    "download": "published",
    "family": "published",
    "install": "installed",
    "missing": "weights",
    "names": "catalog",
    "register": "catalog",
    "resolve": "refs",
    "status": "weights",
    "tiled": "tiling",
}

# Python binds a submodule to its package when it is first imported, which would put the module
# ``card`` in the place of the function below. Importing it before the function is defined settles it.
import_module("srbench.zoo.card")


def card(name: str) -> Card:
    """The card of a model.

    Raises:
        BadInput: no model has this name; the message gives the nearest names.
    """
    from srbench.zoo.catalog import find

    return find(name)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
