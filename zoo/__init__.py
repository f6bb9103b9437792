"""Put one interface before every super-resolution network srbench can measure.

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
    from srbench.install.source import Source as Source
    from srbench.zoo.catalog import names as names
    from srbench.zoo.catalog import register as register
    from srbench.zoo.model import SRModel as SRModel
    from srbench.zoo.published import download as download
    from srbench.zoo.published import download_all as download_all
    from srbench.zoo.published import family as family
    from srbench.zoo.published import install as install
    from srbench.zoo.refs import ModelRef as ModelRef
    from srbench.zoo.refs import resolve as resolve
    from srbench.zoo.schema import Card as Card
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
    "download_all": "published",
    "family": "published",
    "install": "published",
    "missing": "weights",
    "names": "catalog",
    "register": "catalog",
    "resolve": "refs",
    "status": "weights",
    "tiled": "tiling",
}


def card(name: str) -> Card:
    """Return the card of a model.

    Raises:
        BadInput: no model has this name; the message gives the nearest names.

    >>> from srbench import zoo
    >>> zoo.card("rsr-mini").domain
    'adversarial'
    """
    from srbench.zoo.catalog import find_card

    return find_card(name)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
