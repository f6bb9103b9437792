"""Write GitHub Markdown: tables, and text that is no Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def escaped(words: str) -> str:
    """Return any text, such as a name from a file, as one line of Markdown that shows it as it is."""
    shown = " ".join(words.split())
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>|!#&~" else letter for letter in shown)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int]) -> str:
    """Return a table whose columns are aligned right but for those at the places ``left``."""
    rule = ["---" if place in left else "---:" for place in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
