"""Say whether weights are proved to be those of a card: by a sha256 that is published, or by nothing."""

from __future__ import annotations

from srbench.zoo import catalog
from srbench.zoo.installed import read_record, record_path
from srbench.zoo.schema import Card


def publishes(card: Card, sha256: str) -> bool:
    """Return whether a card names this sha256, or as many of its first digits as are published."""
    published = [digest for digest in (card.packaged, *(s.sha256 for s in card.sources)) if digest]
    return any(sha256.startswith(digest) for digest in published)


def not_verified(name: str, sha256: str) -> str:
    """Return what has to be said of weights that go by the name of a card and by nothing else, or "".

    It depends on the name and the sha256 alone, so that it can be said of every record there is. Weights that
    come with srbench and models of a user's own claim to be nobody else's.

    >>> not_verified("rsr", "0123456789abcdef" * 4)
    'identity not verified: sha256 0123456789ab…'
    """
    card = catalog.shipped().get(name)
    if card is None or not card.sources or not sha256 or publishes(card, sha256):
        return ""
    return f"identity not verified: sha256 {sha256[:12]}…"


def other_name(name: str, sha256: str) -> str:
    """Return as which other model of the zoo a file is published or installed, a few words; or "".

    What the card of ``name`` publishes may be published by another card, too.
    """
    own = publishes(catalog.find_card(name), sha256)
    for card in catalog.shipped().values():
        if card.name == name:
            continue
        if not own and publishes(card, sha256):
            return f"the published file of {card.name}, to be installed under that name"
        if own and publishes(card, sha256):
            continue
        record = read_record(card.name)
        if record and sha256 in (record.source_sha256, record.file_sha256):
            return (
                f"installed as {card.name} already, and one file is not two models; if it is {name}, remove "
                f"{record_path(card.name)}"
            )
    return ""
