"""Read TOML from a path or from inside the package."""

from __future__ import annotations

import tomllib
from importlib.resources.abc import Traversable
from typing import Any


def read_toml(file: Traversable) -> dict[str, Any]:
    """The content of a TOML file (a path or a package resource)."""
    return tomllib.loads(file.read_text(encoding="utf-8"))
