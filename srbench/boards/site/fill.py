"""Compose the commands that add to a page what its records lack: pictures, and radii for curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from srbench.attacks import is_noise
from srbench.boards.site.reproduce import Command, attack_parts, command_line
from srbench.boards.table import RowKey, column_of, row_key
from srbench.store.record import Record
from srbench.support.scales import SCALE

RADII = (2, 4, 8)
"""Beside the radius a preset has by itself, in levels of 255."""


def pictures_command(records: Sequence[Record]) -> Command:
    """Return the command that measures a board's cells again and keeps their pictures.

    Args:
        records: of one board; at least one.
    """
    attacks = list(
        dict.fromkeys(r.attack for r in records if not r.attack_hash or attack_parts(r.attack) is None)
    )
    return _command(records, records, attacks, {"keep-images": ""})


def curves_command(records: Sequence[Record]) -> Command:
    """Return the command that measures a board's models under its attacks at several radii, and random noise.

    It is of the presets that were measured at their own radius; where none was, of the usual one. SR images
    that were made elsewhere cannot be attacked and are left out.

    Args:
        records: of one board; at least one.
    """
    able = [record for record in records if not record.made_elsewhere]
    presets = dict.fromkeys(
        r.attack
        for r in records
        if "eps" in (r.attack_settings or {}) and not is_noise(r.attack_settings)
        if "@" not in r.attack and attack_parts(r.attack) is None
    )
    names = ["none"]
    for preset in ("random", *(presets or ["rsr"])):
        names += [*(f"{preset}@{radius}" for radius in RADII), preset]
    return _command(able, records, names, {}) if able else Command("")


def _command(
    of: Sequence[Record], records: Sequence[Record], attacks: Sequence[str], more: dict[str, str]
) -> Command:
    remarks: list[str] = []
    rows: dict[RowKey, Record] = {row_key(record): record for record in of}
    sets = {record.dataset_hash: record for record in records}
    models = [_model(record, remarks) for record in rows.values()]
    datasets = [_dataset(record, remarks) for record in sets.values()]
    options = {"models": ",".join(dict.fromkeys(models)), "datasets": ",".join(datasets)}
    if attacks != ["none"]:
        options["attacks"] = ",".join(attacks)
    return Command(command_line("evaluate", [], options | _shared(of) | more), remarks)


def _model(record: Record, remarks: list[str]) -> str:
    """Return a model as the zoo names it, or its name before what the reader has to put in."""
    from srbench.zoo import catalog

    if record.model in catalog.shipped():
        return record.model
    place = f"{'DIR' if record.made_elsewhere else 'FILE'}_{len(remarks) + 1}"
    remarks.append(f"{place}: {record.model}, with sha256 {record.weights_sha256}")
    return f"{record.model}={'outputs:' if record.made_elsewhere else ''}{place}"


def _dataset(record: Record, remarks: list[str]) -> str:
    """Return a data set as srbench names it, or the folders that the reader has to put in."""
    from srbench.datasets.manifests import names

    if record.dataset in names():
        return record.dataset
    number = len(remarks) + 1
    places = [f"LR_{number}", f"HR_{number}"] if record.dataset_kind == "paired" else [f"LR_{number}"]
    remarks.append(f"{', '.join(places)}: {record.dataset}, with content hash {record.dataset_hash}")
    return ":".join(["pairs" if record.dataset_kind == "paired" else "folder", *places])


def _shared(records: Sequence[Record]) -> dict[str, str]:
    """Return the options that all records were made with, where they are not the defaults."""
    first = records[0]
    found: dict[str, str] = {"protocol": first.protocol} if first.protocol != "rsr" else {}
    if first.scale != SCALE:
        found["scale"] = str(first.scale)
    if first.precision != "fp32" and all(r.precision == first.precision for r in records):
        found["precision"] = first.precision
    cells: dict[Any, int] = Counter((row_key(r), column_of(r)) for r in records)
    if len(counts := set(cells.values())) == 1 and max(counts) < min(r.dataset_images for r in records):
        found["limit"] = str(max(counts))
    return found
