"""Read TOML from a path or from inside the package."""

from __future__ import annotations

import tomllib
from importlib.resources.abc import Traversable
from typing import Any

from srbench.errors import BadInput

# The largest file of settings here has 3 kB.
_MOST_BYTES = 4 << 20


def read_toml(file: Traversable) -> dict[str, Any]:
    """The content of a TOML file (a path or a package resource).

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
