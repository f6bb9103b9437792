"""Take what a submitter says: about the model, and how much of the protocol is to be run."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.entries import standard
from srbench.errors import BadInput

if TYPE_CHECKING:
    from srbench.store.record import Record
    from srbench.zoo import Card


@dataclass(frozen=True)
class Statement:
    """Hold what the submitter says of a model of their own; empty where nothing was said.

    Attributes:
        name, title, domain, licence, citation, paper, homepage: as on a card of the zoo.
        source: where the weights are to be had.
    """

    name: str = ""
    title: str = ""
    domain: str = ""
    licence: str = ""
    citation: str = ""
    paper: str = ""
    homepage: str = ""
    source: str = ""

    def card(self, card: Card) -> Card:
        """Return the card with what the submitter said.

        Raises:
            BadInput: the card is the zoo's, the name is taken or none, or the domain is unknown.
        """
        from pydantic import ValidationError

        from srbench.zoo import Card
        from srbench.zoo.catalog import shipped
        from srbench.zoo.schema import DOMAINS, NAME

        changes = {key: value for key, value in vars(self).items() if value and key != "source"}
        if card.name in shipped():
            if changes or self.source:
                raise BadInput(f"{card.name} has a card in the zoo: leave out what it says already")
            return card
        if self.name and (not NAME.fullmatch(self.name) or self.name in shipped()):
            raise BadInput(f"--name {self.name}: use letters, digits and . _ + -, and no name of the zoo")
        if self.domain and self.domain not in DOMAINS:
            raise BadInput(f"--domain {self.domain}: choose one of {', '.join(DOMAINS)}")
        if self.name and not self.title:
            changes["title"] = self.name
        try:
            return Card.model_validate(card.model_dump() | changes)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(f"--{first['loc'][0]}: {first['msg']}") from error


@dataclass(frozen=True)
class Trial:
    """Take less than the whole protocol, to try it; what is left out makes the entry a partial one."""

    limit: int | None = None
    attacks: tuple[str, ...] = standard.ATTACKS

    def __post_init__(self) -> None:
        if other := [name for name in self.attacks if name not in standard.ATTACKS]:
            raise BadInput(
                f"--attacks {','.join(other)}: an entry has {', '.join(standard.ATTACKS)}; for others use "
                "srbench evaluate"
            )
        if "none" not in self.attacks:
            raise BadInput("--attacks without none: an entry starts from the clean input")

    def of(self, records: Sequence[Record]) -> list[Record]:
        """Return those of the records that the trial would have measured."""
        images: dict[tuple[str, str], set[str]] = defaultdict(set)
        for record in records:
            images[record.model, record.dataset].add(record.image)
        first_ids = {key: set(sorted(ids)[: self.limit]) for key, ids in images.items()}
        return [r for r in records if r.attack in self.attacks and r.image in first_ids[r.model, r.dataset]]


def submit_command(model: str, options: dict[str, str]) -> str:
    """Return the command line of a submission, without the folders of the submitter's machine."""
    words = ["srbench", "submit", public(model)]
    for name, value in options.items():
        words += [f"--{name}", value]
    return shlex.join(words)


def public(text: str) -> str:
    """Return a path's file name where it is absolute or leads out of the current folder, else the text."""
    path = Path(text)
    return path.name if path.is_absolute() or text.startswith(("~", "..")) else text


def default_file(name: str) -> Path:
    """Return the file an entry goes to unless ``--out`` says otherwise."""
    return Path(re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-.") + ".json")
