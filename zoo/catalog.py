"""Know every model by name: the cards in ``zoo/cards/`` and what the user registered."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from pydantic import ValidationError

from srbench.errors import BadInput, unknown
from srbench.support.toml import read_toml
from srbench.zoo.schema import DOMAINS, NAME, Card, user_card

if TYPE_CHECKING:
    from torch import nn

# The rows of a leaderboard: the reference, then what clean data teaches, then the specialists of one
# degradation side by side, then the models that aim at every degradation.
_RANK = {"none": 0, "clean": 1, "ntire": 2, "aim": 2, "dped": 2, "jpeg": 2}
_RANK |= {"adversarial": 3, "blind": 4, "unknown": 5}

_registered: dict[str, tuple[Card, Callable[[], nn.Module]]] = {}


@lru_cache(maxsize=1)
def shipped() -> dict[str, Card]:
    """Return the cards that come with srbench, by name.

    Raises:
        ValueError: a card is malformed; the message names the file.
    """
    cards = {}
    for file in resources.files("srbench.zoo.cards").iterdir():
        if not file.name.endswith(".toml"):
            continue
        try:
            card = Card.model_validate(read_toml(file))
        except ValidationError as error:
            raise ValueError(f"zoo/cards/{file.name}: {error}") from error
        if f"{card.name}.toml" != file.name:
            raise ValueError(f"zoo/cards/{file.name} holds the card of '{card.name}': rename one")
        cards[card.name] = card
    return cards


def names() -> list[str]:
    """Return every known model in the order of a leaderboard: bicubic first, registered models last.

    >>> from srbench import zoo
    >>> zoo.names()[0], zoo.names().index("esrgan") < zoo.names().index("rsr")
    ('bicubic', True)
    """
    return [card.name for card in sorted(shipped().values(), key=_order)] + list(_registered)


def _order(card: Card) -> tuple[int, str, int, str]:
    family = card.name.removesuffix(f"-{card.domain}")
    return _RANK[card.domain], family, DOMAINS.index(card.domain), card.name


def find_card(name: str) -> Card:
    """Return the card of ``name``.

    Raises:
        BadInput: no model has this name.
    """
    if name in _registered:
        return _registered[name][0]
    if name in shipped():
        return shipped()[name]
    raise unknown("model", name, names(), "srbench models")


def registered(name: str) -> Callable[[], nn.Module] | None:
    """Return the factory registered under ``name``, if any."""
    return _registered[name][1] if name in _registered else None


def register(
    name: str,
    factory: Callable[[], nn.Module],
    *,
    domain: str = "unknown",
    title: str = "",
    licence: str = "",
    citation: str = "",
    value_range: float = 1,
) -> None:
    """Make a network of your own known under ``name`` for as long as this process lives.

    Args:
        name: letters, digits and ``. _ + -``; registering the same name again replaces the first.
        factory: called without arguments, returns an nn.Module that maps LR (N, 3, H, W), RGB in
            [0, ``value_range``], to SR (N, 3, sH, sW) in the same range, s being 2, 3, 4 or 8. It is
            called, and the network tried on a small input, when the model is resolved.
        domain: what it was trained for, one of :data:`srbench.zoo.schema.DOMAINS`.
        title, licence, citation: shown beside its results.
        value_range: 1, or 255 for a network that takes and gives values up to 255.

    Raises:
        BadInput: a bad name, domain or range, a name that a card has already, or a factory that is not
            callable.
    """
    if value_range not in (1, 255):
        raise BadInput(f"'{name}': value_range is 1 or 255, not {value_range}; scale others in the factory")
    card = own_card(name, domain=domain, title=title, licence=licence, citation=citation)
    card = card.model_copy(update={"value_range": float(value_range)})
    if not callable(factory):
        raise BadInput(f"the factory of '{name}' is not callable: give a function that returns an nn.Module")
    _registered[name] = (card, factory)


def own_card(
    name: str, *, domain: str = "unknown", title: str = "", licence: str = "", citation: str = ""
) -> Card:
    """Return the card of a network that the user's own Python code makes.

    Raises:
        BadInput: a bad name or domain, or a name that a card of the zoo has already.
    """
    if not NAME.fullmatch(name) or name == "all":
        raise BadInput(f"'{name}' cannot name a model: use letters, digits and . _ + - (and not 'all')")
    if name in shipped():
        raise BadInput(f"'{name}' is a model of the zoo already: register yours under another name")
    if domain not in DOMAINS:
        raise BadInput(f"'{domain}' is not a training domain: choose one of {', '.join(DOMAINS)}")
    facts = {"title": title or name, "domain": domain, "licence": licence, "citation": citation}
    return user_card(name, {"family": "registered"}, **facts)
