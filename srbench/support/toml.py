"""Read TOML from a path or from inside the package, and write it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any

import tomli_w

from srbench.errors import BadInput

# The largest settings file of srbench has 3 kB.
_MOST_BYTES = 4 << 20


def read_toml(file: Traversable) -> dict[str, Any]:
    """Return the content of a TOML file (a path or a package resource).

    Raises:
        BadInput: it cannot be read, or is no TOML.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MiB")
        return tomllib.loads(content.decode())
    # tomllib leaves nesting to the interpreter, and long numbers.
    except (ValueError, OSError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadInput(f"{file} is no TOML file that can be read: {reason}") from error


def to_toml(table: Mapping[str, Any]) -> str:
    """Return the TOML text of a table of plain values; None is left out, which reads back as the default.

    >>> to_toml({"name": "mine", "kernels": None, "data": {"patch": 64}})
    'name = "mine"\\n\\n[data]\\npatch = 64\\n'
    """
    return tomli_w.dumps(_without_none(table))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_none(inner) for inner in value if inner is not None]
    return value
