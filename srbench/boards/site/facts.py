"""What the page says about metrics, models, attacks and published numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from srbench.attacks import is_noise
from srbench.boards.table import Table
from srbench.metrics import metric, registry
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


def model_facts(name: str) -> dict[str, Any]:
    """What the zoo's card says, as far as a card has that name; empty for a user's own model."""
    from srbench.zoo import catalog

    card = catalog.shipped().get(name)
    if card is None:
        return {}
    return {
        "licence": card.licence,
        "architecture": str(card.architecture.get("family", "")),
        "citation": card.citation,
        "homepage": card.homepage or "",
        "notes": " ".join(card.notes.split()),
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
    line = re.sub(r"@[^( ]+", "", name)
    group = "transfer" if "source" in settings else "random" if is_noise(settings) else "attack"
    at = round(float(settings["eps"]) * 255, 6) if "eps" in settings else None
    return {"name": name, "group": group, "line": line, "at": at, "norm": settings.get("norm", "linf")}


def compare(tables: Sequence[Table], reported: Mapping[str, Any]) -> dict[str, Any]:
    """Published numbers beside measured ones, for the same method on the same set.

    A published row is the model whose name is its method (``RSR``), or its method and training domain
    (``Impressionism`` for ``ntire``: impressionism-ntire). A mini set is not the set it stands in for.
    """
    paired = [
        table for table in tables if (table.kind, table.protocol, table.scale) == ("paired", "rsr", SCALE)
    ]
    rows = []
    published = [row for part in reported.values() if isinstance(part, dict) for row in _method_rows(part)]
    for method, trained, dataset, name, value in published:
        slug = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-")
        for board, table in enumerate(tables):
            if table not in paired or name not in table.metrics:
                continue
            for index, row in enumerate(table.rows):
                same = row.model in (slug, f"{slug}-{trained}") and row.training_domain in (trained, "none")
                for place, column in enumerate(table.columns):
                    mean = row.means.get((name, column))
                    if same and mean and mean.whole and not column.attack_hash and column.dataset == dataset:
                        place_of = {"board": board, "row": index, "column": place, "metric": name}
                        rows.append(place_of | {"method": method, "reported": value, "measured": mean.value})
    return {
        "source": str(reported.get("paper", "")),
        "url": str(reported.get("url", "")),
        "published": len(published),
        "datasets": sorted({dataset for _, _, dataset, _, _ in published}),
        "rows": rows,
    }


def _method_rows(part: Mapping[str, Any]) -> list[tuple[str, str | None, str, str, float]]:
    """Method, training domain, data set, metric and value of a published table that has methods."""
    found = []
    for row in part.get("rows", []):
        if "method" not in row:
            continue
        for name, values in row.items():
            if name in registry() and isinstance(values, list):
                for dataset, value in zip(part["columns"], values, strict=True):
                    if dataset != "average":
                        found.append((row["method"], row.get("trained_for"), dataset, name, float(value)))
    return found
