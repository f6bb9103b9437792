"""An entry of few records, and how to change it."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from srbench.boards.csv_records import read_csv
from srbench.entries.build import make_entry, means
from srbench.entries.schema import Entry, digest, unpack_records
from srbench.entries.standard import lacking
from srbench.entries.statement import Statement, Trial
from srbench.entries.submission import from_records
from srbench.entries.validate import Validation, validate
from srbench.store.record import Record

BOARDS = Path(__file__).parents[1] / "leaderboards"
FOLDER = BOARDS / "entries"
MINI = BOARDS / "attacked-mini2" / "records.csv"
MODELS = sorted(file.stem for file in FOLDER.glob("*.json"))
# One test writes, reads and checks a file again and again; the fixtures are only per test.
FAST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@cache
def mini_records() -> tuple[Record, ...]:
    return tuple(read_csv(MINI))


@cache
def small() -> Entry:
    """bicubic on two images of each mini set, clean and under two attacks."""
    trial = Trial(2, ("none", "random", "rsr"))
    mine = trial.of(mini_records())
    return make_entry(from_records("bicubic", Statement(), mine), mine, "srbench submit bicubic")


def raw() -> dict[str, Any]:
    return copy.deepcopy(small().model_dump(mode="json"))


def check(entry: dict[str, Any], folder: Path, **options: Any) -> Validation:
    file = folder / "entry.json"
    file.write_text(json.dumps(entry), encoding="utf-8")
    return validate(file, **({"again": 0} | options))


def resealed(entry: dict[str, Any], *, aggregates: bool = True) -> dict[str, Any]:
    """What a tamperer who knows the format does afterwards: new means, new list of gaps, new digest."""
    if aggregates:
        records = unpack_records(Entry.model_validate(entry))
        entry["means"], entry["partial"] = means(records), lacking(records)
    entry["digest"] = digest(entry)
    return entry


def rows(entry: dict[str, Any], attack: str) -> list[dict[str, Any]]:
    return [row for cell in cells(entry, attack) for row in cell["images"]]


def cells(entry: dict[str, Any], attack: str) -> list[dict[str, Any]]:
    return [cell for cell in entry["cells"] if cell["shared"]["attack"] == attack]


def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, (*path, key))]
    if isinstance(node, list):
        return [leaf for place, value in enumerate(node) for leaf in leaves(value, (*path, place))]
    return [path]


def put(node: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def look(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


SHA = "ab" * 32
