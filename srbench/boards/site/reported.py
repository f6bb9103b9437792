"""Read numbers that somebody published, as in ``leaderboards/paper.json``, to stand beside measured ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError, model_validator

from srbench.errors import BadInput
from srbench.metrics import registry
from srbench.zoo.schema import HttpUrl


class Number(BaseModel):
    """Says what was published of a method on a data set.

    Attributes:
        trained: the training domain, where the method has several.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    trained: str | None
    dataset: str
    metric: str
    value: FiniteFloat


class Reported(BaseModel):
    """Published numbers and where they are from.

    Attributes:
        paper: as one cites it.
        url: where it is to be had; http(s), since the page makes a link of it.
    """

    model_config = ConfigDict(frozen=True)

    paper: str = ""
    url: HttpUrl = None
    numbers: tuple[Number, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_tables(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            raise ValueError("no JSON object")
        tables = [table for table in content.values() if isinstance(table, Mapping)]
        numbers = [number for table in tables for number in _numbers(table)]
        return {key: content[key] for key in ("paper", "url") if key in content} | {"numbers": numbers}


def _numbers(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the numbers of a table that has methods: a row each, with a list over ``columns`` a metric."""
    columns, rows = table.get("columns"), table.get("rows", [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError("rows is no list of objects")
    for row in rows:
        if "method" not in row:
            continue
        for metric in (name for name in registry() if name in row):
            values = row[metric]
            if not isinstance(columns, list) or not isinstance(values, list) or len(columns) != len(values):
                raise ValueError(f"{metric} of {row['method']} is no list with a number for each of columns")
            for dataset, value in zip(columns, values, strict=True):
                if dataset != "average":
                    about = {"method": row["method"], "trained": row.get("trained_for")}
                    yield about | {"dataset": dataset, "metric": metric, "value": value}


def read_reported(file: Path) -> Reported:
    """Read a file of published numbers.

    Raises:
        BadInput: there is none, or it is something else.
    """
    try:
        return Reported.model_validate_json(file.read_bytes())
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        reason = f"{where}: {found['msg']}" if where else found["msg"]
        raise BadInput(f"{file} is not a file of reported numbers ({reason}): see paper.json") from error
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror or error})") from error
