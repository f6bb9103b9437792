"""The scripts of examples/."""

from __future__ import annotations

import ast
from pathlib import Path


def listing(folder: Path) -> str:
    """Every script: its first line as heading text, and the whole of it."""
    parts = []
    for script in sorted(folder.glob("*.py")):
        source = script.read_text(encoding="utf-8")
        about = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
        parts.append(f"### examples/{script.name}\n\n{about}\n\n```python\n{source.rstrip()}\n```")
    return "\n\n".join(parts)
