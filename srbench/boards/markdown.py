"""GitHub Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int]) -> str:
    """A table whose columns are aligned right but for those at the places ``left``."""
    rule = ["---" if place in left else "---:" for place in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
