"""Cells and tables of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from srbench.boards.markdown import markdown_table


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of words."""
    lines = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return markdown_table(header, lines, left=range(len(header)))


def facts(named: Mapping[str, str]) -> str:
    """A list of facts with their names; what is empty is left out."""
    return "\n".join(f"- **{name}:** {value}" for name, value in named.items() if value)


def code(text: object) -> str:
    return f"`{text}`"


def link(url: str, text: str | None = None) -> str:
    """A link where the address is http(s); hf:// and what else no browser takes is code."""
    if not re.match("https?://", url):
        return code(url)
    return f"[{text or re.sub('^https?://', '', url)}]({url})"


def first_paragraph(docstring: str | None) -> str:
    """The first paragraph of a docstring on one line, its reST roles as code."""
    paragraph = " ".join((docstring or "").strip().split("\n\n")[0].split())
    return roles(paragraph)


def roles(text: str) -> str:
    """reST roles (``:class:`~a.b.C```) as code of the name's last part where it is shortened."""

    def shown(match: re.Match[str]) -> str:
        target = match[1]
        return code(target.rsplit(".", 1)[-1] if target.startswith("~") else target)

    return re.sub(r":(?:class|func|meth|attr|mod|data):`([^`]+)`", shown, text)
