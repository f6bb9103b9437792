"""Defences around models."""

from __future__ import annotations

from parts.text import code, table
from srbench.zoo import defences


def listing() -> str:
    """Every defence: how it is written, what it does and takes, and how attacks are adapted to it."""
    rows = []
    for name, defence in sorted(defences.registry().items()):
        usual = {key: option.usual for key, option in defence.options.items()}
        samples = defence.samples(usual)
        adapted = ["straight through"] * defence.straight_through + [f"{samples} outputs"] * (samples > 1)
        rows.append(
            (
                code(defence.usage()),
                defence.about,
                str(defence.forwards(usual)),
                "yes" if defence.random else "no",
                ", ".join(adapted) or "its own gradient",
                defence.source,
            )
        )
        assert defence.name == name
    return table(("Defence", "What it does", "Forwards", "Random", "Gradients of attacks", "Source"), rows)
