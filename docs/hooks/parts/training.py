"""Write the pages' recipes and degradations."""

from __future__ import annotations

import sys
from importlib import resources

from parts.text import code, first_paragraph, table
from srbench.train import recipe
from srbench.train.degradations import KINDS


def recipes() -> str:
    """Show every recipe in one line, and its file."""
    parts = [table(("Recipe", "What it trains"), [(code(k), v) for k, v in recipe.summaries().items()])]
    for name in recipe.names():
        toml = (resources.files("srbench.train.recipes") / f"{name}.toml").read_text(encoding="utf-8")
        indented = "".join(f"    {line}\n" if line else "\n" for line in toml.splitlines())
        parts.append(f'??? note "{name}.toml"\n\n    ```toml\n{indented}    ```')
    return "\n\n".join(parts)


def degradations() -> str:
    """Show every kind of degradation with its settings."""
    parts = []
    for name, kind in KINDS.items():
        rows = [
            (code(key), "has to be given" if field.is_required() else code(field.default))
            for key, field in kind.settings.model_fields.items()
            if key != "kind"
        ]
        module = sys.modules[kind.settings.__module__]
        text = f"### {code(name)}\n\n{first_paragraph(module.__doc__)}"
        parts.append(text + ("\n\n" + table(("Setting", "Default"), rows) if rows else ""))
    return "\n\n".join(parts)
