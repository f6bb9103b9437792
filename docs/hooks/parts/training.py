"""Recipes and degradations."""

from __future__ import annotations

from importlib import resources

from parts.text import code, first_paragraph, table
from srbench.train import degradations as kinds
from srbench.train import recipe


def recipes() -> str:
    """Every recipe in one line, and its file."""
    parts = [table(("Recipe", "What it trains"), [(code(k), v) for k, v in recipe.summaries().items()])]
    for name in recipe.names():
        toml = (resources.files("srbench.train.recipes") / f"{name}.toml").read_text(encoding="utf-8")
        indented = "".join(f"    {line}\n" if line else "\n" for line in toml.splitlines())
        parts.append(f'??? note "{name}.toml"\n\n    ```toml\n{indented}    ```')
    return "\n\n".join(parts)


def degradations() -> str:
    """Every kind of degradation with its settings."""
    parts = []
    for kind, module in kinds.KINDS.items():
        fields = {name: field for name, field in module.Settings.model_fields.items() if name != "kind"}
        rows = [
            (code(name), "has to be given" if field.is_required() else code(field.default))
            for name, field in fields.items()
        ]
        text = f"### {code(kind)}\n\n{first_paragraph(module.__doc__)}"
        parts.append(text + ("\n\n" + table(("Setting", "Default"), rows) if rows else ""))
    return "\n\n".join(parts)
