"""Write leaderboards as files: Markdown, CSV, JSON, and the records they were computed from."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from srbench.boards import text
from srbench.boards.frame import frame
from srbench.boards.markdown import escaped, markdown_table
from srbench.boards.stats import Mean
from srbench.boards.table import Area, Table, row_key
from srbench.store.record import Record
from srbench.support.home import cannot_write, write_atomic
from srbench.support.scales import SCALE


def write_all(folder: Path, tables: Sequence[Table], records: Sequence[Record], extra: Sequence[str]) -> None:
    """Write leaderboard.md, leaderboard.csv, leaderboard.json and records.csv, each whole or not at all.

    Args:
        extra: lines for the end of the Markdown file, such as models that are not installed.

    Raises:
        RunFailed: the folder cannot be written.
    """
    contents = {
        "leaderboard.md": markdown(tables, extra),
        "leaderboard.csv": means_frame(tables).to_csv(index=False, lineterminator="\n"),
        "leaderboard.json": as_json(tables),
        "records.csv": frame(records).to_csv(index=False, lineterminator="\n"),
    }
    with cannot_write(folder, "name another --out"):
        for name, content in contents.items():
            write_atomic(folder / name, content)


def markdown(tables: Sequence[Table], extra: Sequence[str] = ()) -> str:
    """Return all tables as GitHub Markdown."""
    parts = []
    for table in tables:
        for attack in table.attacks:
            rows = _rows(*text.grid(table, attack, lambda shown: f"**{shown}**"))
            parts.append(f"### {escaped(text.title(table, attack))}\n\n{rows}")
        if summary := text.robustness(table):
            rows = _rows(*summary)
            parts.append(f"### Under attack, averaged over the data sets\n\n{rows}")
        if curves := text.areas(table):
            header, *lines = ([escaped(cell) for cell in row] for row in (curves[0], *curves[1]))
            shown = markdown_table(header, lines, left=(0, 1))
            parts.append(f"### Over the radii of an attack\n\n{shown}\n\n{escaped(text.AREA)}.")
        parts.append("\n".join(f"- {escaped(line)}" for line in text.notes(table)))
    if extra:
        parts.append("\n".join(f"- {line}" for line in extra))
    return "\n\n".join(parts) + "\n"


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose names are shown as they are; the numbers' cells hold Markdown already."""
    cells = [
        [escaped(cell) if place in text.WORDS else cell for place, cell in enumerate(row)] for row in rows
    ]
    return markdown_table([header[0], *map(escaped, header[1:])], cells, left=text.WORDS)


def means_frame(tables: Sequence[Table]) -> pd.DataFrame:
    """Return a row per model, data set, attack and metric; data set ``average`` is the mean over the sets.

    ``value`` is the mean over ``n`` images; where these are fewer than ``of`` it does not stand beside the
    others'.
    """
    rows = []
    for table in tables:
        for row in table.rows:
            shared = {
                "protocol": table.protocol,
                "protocol_hash": table.protocol_hash,
                "kind": table.kind,
                "rank_by": table.rank_by,
                "rank": row.rank,
                "rank_last": row.rank_interval[1] if row.rank_interval else None,
                "model": row.model,
                "training_domain": row.training_domain,
                "weights_sha256": row.weights_sha256,
                "precision": row.precision,
                "tile": row.tile,
                "halo": row.halo,
            }
            if table.scale != SCALE:
                shared["scale"] = table.scale
            if row.identity:
                shared["identity"] = row.identity
            for (name, column), mean in row.means.items():
                place = {
                    "dataset": column.dataset,
                    "dataset_hash": column.dataset_hash,
                    "attack": column.attack,
                    "attack_hash": column.attack_hash,
                    "domain": row.marks[column],
                }
                rows.append(shared | place | {"metric": name} | dataclasses.asdict(mean))
            for (name, attack), mean in row.average.items():
                hashes = {c.attack_hash for c in table.columns_of(attack)}
                place = {
                    "dataset": "average",
                    "dataset_hash": "",
                    "attack": attack,
                    "attack_hash": ",".join(sorted(hashes)),
                    "domain": "",
                }
                rows.append(shared | place | {"metric": name} | dataclasses.asdict(mean))
    means = pd.DataFrame(rows)
    if not means.empty:
        for name in ("rank", "rank_last", "tile", "halo"):
            means[name] = means[name].astype("Int64")
    return means


def as_json(tables: Sequence[Table]) -> str:
    """Return all tables as JSON, every number a number (null where undefined)."""
    return json.dumps([_nested(table) for table in tables], indent=1, ensure_ascii=False) + "\n"


def _nested(table: Table) -> dict[str, Any]:
    return {
        "protocol": table.protocol,
        "protocol_hash": table.protocol_hash,
        "kind": table.kind,
        **({"scale": table.scale} if table.scale != SCALE else {}),
        "rank_by": table.rank_by,
        "metrics": table.metrics,
        "columns": [c.named() | {"images": table.images[c], "of": table.complete[c]} for c in table.columns],
        "flags": table.flags,
        "notes": text.notes(table),
        **({"areas": [_area(table, area) for area in table.areas]} if table.areas else {}),
        "rows": [
            {
                "rank": row.rank,
                "rank_interval": row.rank_interval,
                "model": row.model,
                "title": row.title,
                "training_domain": row.training_domain,
                "weights_sha256": row.weights_sha256,
                **({"identity": row.identity} if row.identity else {}),
                "precision": row.precision,
                "tile": row.tile,
                "halo": row.halo,
                "partial": row.partial,
                "worst": {attack: _number(value) for attack, value in row.worst.items()},
                "cells": [
                    {
                        "dataset": column.dataset,
                        "attack": column.attack,
                        "domain": row.marks[column],
                        "metrics": {
                            name: _mean(row.means[name, column])
                            for name in table.metrics
                            if (name, column) in row.means
                        },
                    }
                    for column in table.columns
                ],
                "average": {
                    attack: {
                        name: _mean(row.average[name, attack])
                        for name in table.metrics
                        if (name, attack) in row.average
                    }
                    for attack in table.attacks
                },
            }
            for row in table.rows
        ],
    }


def _area(table: Table, area: Area) -> dict[str, Any]:
    row = next(row for row in table.rows if row_key(row) == area.row)
    names = {digest: name for name, digest in table.datasets}
    ratios = {"over_bicubic": area.over_bicubic, "over_noise": area.over_noise}
    return {
        "model": row.label,
        "attack": area.attack,
        "norm": area.norm,
        "radii": area.radii,
        "datasets": [names[digest] for digest in area.datasets],
        "metric": table.rank_by,
        "area": _bounded(area.value),
        **{name: _bounded(ratio) if ratio else None for name, ratio in ratios.items()},
    }


def _bounded(mean: Mean) -> dict[str, float | None]:
    return {"value": _number(mean.value), "low": _number(mean.low), "high": _number(mean.high)}


def _mean(mean: Mean) -> dict[str, float | int | None]:
    low, high = _number(mean.low), _number(mean.high)
    return {"mean": _number(mean.value), "low": low, "high": high, "n": mean.n, "of": mean.of}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
