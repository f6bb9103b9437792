"""Turn tables back into records: a ``records.csv``, or what :func:`srbench.boards.frame.frame` made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from srbench.errors import BadInput
from srbench.metrics import registry
from srbench.store.record import Record, refusal

_EFFECTS = ("lr_psnr", "sr_psnr", "lr_max")
_AS_8BIT = "_as_8bit"
_VERSION = "version_"
_COST = "cost_"
_SPREAD = "spread_"
_LATER = ("source", "stochastic", "samples", "threads", "channels_last", "made_elsewhere", "scale")
"""These columns may be missing, or empty in some rows."""
# OverflowError: "inf" for a size. RecursionError: brackets ten thousand deep for the settings of an attack.
_NO_RECORD = (ValidationError, ValueError, KeyError, OverflowError, RecursionError)
_SIZES = ("lr_height", "lr_width", "sr_height", "sr_width")


def read_csv(file: Path) -> list[Record]:
    """Read the records of a file that :func:`srbench.boards.files.write_all` wrote.

    Raises:
        BadInput: no such file, or not one of those.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadInput(
            f"{file} cannot be read as records.csv ({reason}): name one that --out wrote"
        ) from error
    records = []
    for number, row in enumerate(table.to_dict("records"), start=2):
        try:
            records.append(_record({str(key): str(value) for key, value in row.items()}))
        except _NO_RECORD as error:
            raise BadInput(
                f"{file} line {number} is not a record ({_reason(error)}): name a file that --out wrote"
            ) from error
    return records


def from_frame(table: pd.DataFrame) -> list[Record]:
    """Return the records of a :func:`srbench.boards.frame.frame`; columns added since are ignored.

    Raises:
        BadInput: a row is not a record, because a column was dropped or a value changed its kind.
    """
    columns = [column for column in table.columns if _is_ours(str(column))]
    records = []
    for number, row in enumerate(table[columns].to_dict("records")):
        try:
            records.append(_record({str(key): _text(value) for key, value in row.items()}))
        except _NO_RECORD as error:
            raise BadInput(
                f"row {number} is not a record ({_reason(error)}): give a frame that srbench.evaluate "
                "returned, whole or some of its rows"
            ) from error
    return records


def _reason(error: Exception) -> str:
    """Say in a few words why a row is not a record."""
    if isinstance(error, ValidationError):
        return refusal(error)
    return f"no column {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:160]


def _is_ours(column: str) -> bool:
    fields = {*Record.model_fields, *registry(), *_EFFECTS, *_SIZES}
    return column in fields or column.endswith(_AS_8BIT) or column.startswith((_VERSION, _COST, _SPREAD))


def _text(value: Any) -> str:
    """Return a cell as it stands in a CSV file; floats to their last digit."""
    return "" if pd.isna(value) else str(value)


def _record(row: dict[str, str]) -> Record:
    saved = _saved(row)
    notes = _pairs(row.pop("notes"))
    flags = _pairs(row.pop("flags", ""))
    settings = row.pop("attack_settings", "")
    measured_by = row.pop("metric_settings", "")
    fields: dict[str, Any] = {
        "metrics": {
            name: float(row[name]) if row[name] else None
            for name in registry()
            if row.get(name) or name in notes
        },
        "saved": saved,
        "effect": {name: float(row[name]) for name in _EFFECTS if row.get(name)},
        "versions": {k.removeprefix(_VERSION): v for k, v in row.items() if k.startswith(_VERSION) and v},
        "cost": {k.removeprefix(_COST): float(v) for k, v in row.items() if k.startswith(_COST) and v},
        "spread": {k.removeprefix(_SPREAD): float(v) for k, v in row.items() if k.startswith(_SPREAD) and v},
        "metric_settings": json.loads(measured_by) if measured_by else {},
        "lr_size": (int(row.pop("lr_height")), int(row.pop("lr_width"))),
        "sr_size": (int(row.pop("sr_height")), int(row.pop("sr_width"))),
        "notes": notes,
        "flags": flags,
        "attack_settings": json.loads(settings) if settings else None,
        "tile": int(float(row.pop("tile"))) if row["tile"] else None,
        "halo": int(float(halo)) if (halo := row.pop("halo", "")) else None,
        "commit": row.pop("commit") or None,
    }
    for name in ("samples", "threads", "scale"):  # whole numbers become floats beside rows that have none
        if row.get(name):
            fields[name] = int(float(row.pop(name)))
    taken = {*registry(), *_EFFECTS, "tile", *(name for name in _LATER if not row.get(name))}
    rest = {
        key: value
        for key, value in row.items()
        if key not in taken and not key.endswith(_AS_8BIT) and not key.startswith((_VERSION, _COST, _SPREAD))
    }
    return Record.model_validate(rest | fields)


def _saved(row: dict[str, str]) -> dict[str, float | None]:
    """Return what was measured of the attacked LR as a file: the record's metrics once more, or nothing."""
    cells = {key.removesuffix(_AS_8BIT): value for key, value in row.items() if key.endswith(_AS_8BIT)}
    if not any(cells.values()):
        return {}
    notes = _pairs(row["notes"])
    return {
        name: float(cells[name]) if cells[name] else None
        for name in cells
        if cells[name] or row.get(name) or name in notes
    }


def _pairs(text: str) -> dict[str, str]:
    """Read ``name: why; name: why``; a name has no colon, and a reason may hold semicolons."""
    parts = re.split(r"; (?=[^;:]+: )", text) if text else []
    return dict(part.split(": ", 1) for part in parts)
