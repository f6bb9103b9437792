"""What the page says about metrics, models, attacks and published numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from srbench.attacks import is_noise
from srbench.boards.areas import without_radius
from srbench.boards.site.reported import Reported
from srbench.boards.table import Table
from srbench.metrics import metric
from srbench.store.record import Record
from srbench.support.scales import SCALE

COSTS = ("parameters", "macs_per_lr_pixel", "peak_mib")


def metric_facts(name: str) -> dict[str, Any]:
    """Heading, direction and digits."""
    known = metric(name)
    return {
        "title": known.title,
        "kind": known.kind,
        "higher": known.higher_is_better,
        "decimals": known.decimals,
        "source": known.source,
    }


class Told(Protocol):
    """What somebody says of a model beside its numbers: a card of the zoo, or an entry."""

    @property
    def licence(self) -> str: ...
    @property
    def citation(self) -> str: ...
    @property
    def paper(self) -> str | None: ...
    @property
    def homepage(self) -> str | None: ...
    @property
    def notes(self) -> str: ...


def model_facts(name: str, told: Told | None) -> dict[str, Any]:
    """What the zoo's card says, where a card has that name, else what is told; empty where nothing is."""
    from srbench.zoo import catalog

    card = catalog.shipped().get(name)
    source = card or told
    if source is None:
        return {}
    return {
        "licence": source.licence,
        "architecture": str(card.architecture.get("family", "")) if card else "",
        "citation": source.citation,
        "paper": source.paper or "",
        "homepage": source.homepage or "",
        "notes": " ".join(source.notes.split()),
    }


def card_cost(name: str) -> dict[str, float]:
    """What the card of that name says of :func:`srbench.zoo.cost.cost`'s numbers."""
    from srbench.zoo import catalog

    card = catalog.shipped().get(name)
    stated = card.architecture if card else {}
    return {key: value for key in COSTS if isinstance(value := stated.get(key), int | float)}


def attack_facts(record: Record) -> dict[str, Any]:
    """What a curve needs to know of a record's attack.

    Returns:
        name; group ("clean", "random", "attack", "transfer" or "corruption"); line, the name without the
        radius or severity; at, the radius in levels of 255 or the severity.
    """
    name, settings = record.attack, record.attack_settings or {}
    if not record.attack_hash:
        return {"name": name, "group": "clean", "line": "", "at": 0}
    if settings.get("kind") == "Corruption":
        line, at = settings["corruption"], settings["severity"]
        return {"name": name, "group": "corruption", "line": line, "at": at}
    line = without_radius(name)
    group = "transfer" if "source" in settings else "random" if is_noise(settings) else "attack"
    at = round(float(settings["eps"]) * 255, 6) if "eps" in settings else None
    return {"name": name, "group": group, "line": line, "at": at, "norm": settings.get("norm", "linf")}


def compare(tables: Sequence[Table], reported: Reported) -> dict[str, Any]:
    """Published numbers beside measured ones, for the same method on the same set.

    A published row is the model whose name is its method (``RSR``), or its method and training domain
    (``Impressionism`` for ``ntire``: impressionism-ntire). A mini set is not the set it stands in for.
    """
    paired = [
        table for table in tables if (table.kind, table.protocol, table.scale) == ("paired", "rsr", SCALE)
    ]
    rows = []
    for found in reported.numbers:
        slug, trained = re.sub(r"[^a-z0-9]+", "-", found.method.lower()).strip("-"), found.trained
        for board, table in enumerate(tables):
            if table not in paired or found.metric not in table.metrics:
                continue
            for index, row in enumerate(table.rows):
                same = row.model in (slug, f"{slug}-{trained}") and row.training_domain in (trained, "none")
                for place, column in enumerate(table.columns):
                    mean = row.means.get((found.metric, column))
                    clean = column.dataset == found.dataset and not column.attack_hash
                    if same and mean and mean.whole and clean:
                        place_of = {"board": board, "row": index, "column": place, "metric": found.metric}
                        numbers = {"reported": found.value, "measured": mean.value}
                        rows.append(place_of | {"method": found.method} | numbers)
    return {
        "source": reported.paper,
        "url": reported.url or "",
        "published": len(reported.numbers),
        "datasets": sorted({found.dataset for found in reported.numbers}),
        "rows": rows,
    }
