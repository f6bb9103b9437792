"""Measure a model under the fixed protocol, or take records that are there, and make its entry."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.entries import fixed
from srbench.entries.build import facts
from srbench.entries.schema import NAME as ENTRY_NAME
from srbench.errors import BadInput

if TYPE_CHECKING:
    from srbench.entries.schema import ModelFacts
    from srbench.evaluation import Prepared, Track
    from srbench.records import Record
    from srbench.zoo import Card, ModelRef


@dataclass(frozen=True)
class Told:
    """What the submitter says of a model of their own; empty where nothing was said.

    Attributes:
        name, title, domain, licence, citation: as on a card of the zoo.
        source: where the weights are to be had.
    """

    name: str = ""
    title: str = ""
    domain: str = ""
    licence: str = ""
    citation: str = ""
    source: str = ""

    def card(self, card: Card) -> Card:
        """The card with what was told.

        Raises:
            BadInput: the card is the zoo's, the name is taken or none, or the domain is unknown.
        """
        from pydantic import ValidationError

        from srbench.zoo import Card
        from srbench.zoo.catalog import shipped
        from srbench.zoo.schema import DOMAINS, NAME

        told = {key: value for key, value in vars(self).items() if value and key != "source"}
        if card.name in shipped():
            if told or self.source:
                raise BadInput(f"{card.name} has a card in the zoo: leave out what it says already")
            return card
        if self.name and (not NAME.fullmatch(self.name) or self.name in shipped()):
            raise BadInput(f"--name {self.name}: use letters, digits and . _ + -, and no name of the zoo")
        if self.domain and self.domain not in DOMAINS:
            raise BadInput(f"--domain {self.domain}: choose one of {', '.join(DOMAINS)}")
        if self.name and not self.title:
            told["title"] = self.name
        try:
            return Card.model_validate(card.model_dump() | told)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(f"--{first['loc'][0]}: {first['msg']}") from error


@dataclass(frozen=True)
class Trial:
    """Less than the whole protocol, to try it; what is left out makes the entry a partial one."""

    limit: int | None = None
    attacks: tuple[str, ...] = fixed.ATTACKS

    def __post_init__(self) -> None:
        if other := [name for name in self.attacks if name not in fixed.ATTACKS]:
            raise BadInput(
                f"--attacks {','.join(other)}: an entry has {', '.join(fixed.ATTACKS)}; for others use "
                "srbench evaluate"
            )
        if "none" not in self.attacks:
            raise BadInput("--attacks without none: an entry starts from the clean input")

    def of(self, records: Sequence[Record]) -> list[Record]:
        """Those of the records that the trial would have measured."""
        images: dict[tuple[str, str], set[str]] = defaultdict(set)
        for record in records:
            images[record.model, record.dataset].add(record.image)
        kept = {key: set(sorted(ids)[: self.limit]) for key, ids in images.items()}
        return [r for r in records if r.attack in self.attacks and r.image in kept[r.model, r.dataset]]


@dataclass
class Submission:
    """A checked submission; nothing has run yet."""

    model: ModelFacts
    prepared: Prepared
    notices: list[str] = field(default_factory=list)


def prepare(
    model: str,
    told: Told,
    trial: Trial,
    *,
    track: Track = "auto",
    device: str = "auto",
    workers: int = 0,
    store: Path | None = None,
) -> Submission:
    """Check model, data and metrics.

    Raises:
        BadInput: as :func:`srbench.evaluation.prepare`; or the model is several.
    """
    from srbench import evaluation
    from srbench.metrics import metric

    request = evaluation.Request(
        models=(model,),
        datasets=fixed.DATASETS,
        attacks=trial.attacks,
        protocol=fixed.PROTOCOL,
        track=track,
        limit=trial.limit,
        device=device,
        precision=fixed.PRECISION,
        workers=workers,
        store=store,
    )
    prepared = evaluation.prepare(request)
    refs = list(dict.fromkeys(cell.model for cell in prepared.plan))
    if len(refs) != 1:
        raise BadInput(f"{model} names {len(refs)} models: an entry is about one")
    ref = _titled(refs[0], told)
    prepared.plan = [replace(cell, model=ref) for cell in prepared.plan]
    notices = prepared.notices + [cell.attack.note for cell in prepared.plan if hasattr(cell.attack, "note")]
    notices += [
        f"the entry will be partial, {metric(m.name).title} cannot be measured ({m.reason}): "
        f"srbench metrics install {m.name}"
        for m in prepared.missing_metrics
    ]
    parameters = sum(p.numel() for p in ref.load().parameters())
    model_facts = facts(ref.card, ref.weights_sha256, parameters=parameters, source=told.source)
    return Submission(model_facts, prepared, list(dict.fromkeys(filter(None, notices))))


def _titled(ref: ModelRef, told: Told) -> ModelRef:
    card = told.card(ref.card)
    if not ENTRY_NAME.fullmatch(card.name):
        raise BadInput(f"'{card.name}' cannot name an entry: give --name, of letters, digits and . _ + -")
    return replace(ref, name=card.name, card=card)


def from_records(model: str, told: Told, records: Sequence[Record]) -> ModelFacts:
    """The model of records that are there already: nothing is opened.

    Raises:
        BadInput: there are none of that model.
    """
    from srbench.zoo import Card
    from srbench.zoo.catalog import shipped

    mine = [record for record in records if record.model == model]
    if not mine:
        names = ", ".join(sorted({record.model for record in records})) or "none"
        raise BadInput(f"no records of {model}: the models with records here are {names}")
    if told.name:
        raise BadInput("--name with --records: records keep the name they were measured under")
    card = shipped().get(model) or Card(
        name=model,
        title=mine[0].model_title,
        domain=mine[0].training_domain,
        architecture={},
        licence="",
        citation="",
        redistributable=False,
    )
    return facts(told.card(card), mine[0].weights_sha256, source=told.source)


def command(model: str, options: dict[str, str]) -> str:
    """The command line of a submission, without the folders of the submitter's machine."""
    words = ["srbench", "submit", public(model)]
    for name, value in options.items():
        words += [f"--{name}", value]
    return shlex.join(words)


def public(text: str) -> str:
    """A path's file name where it is absolute or leads out of the current folder; other text as it is."""
    path = Path(text)
    return path.name if path.is_absolute() or text.startswith(("~", "..")) else text


def default_file(name: str) -> Path:
    """Where an entry goes unless ``--out`` says otherwise."""
    return Path(re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-.") + ".json")
