"""Leaderboards as an object that shows itself: a table in a notebook, text on a console."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from srbench.boards import files, text
from srbench.boards.compute import tables
from srbench.boards.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from srbench.store.record import Record

WIDTH = 140
"""Columns of text; a table that needs more is printed one metric at a time."""


class Leaderboard:
    """The leaderboards of some records: one table per protocol and kind of data set.

    Attributes:
        tables: see :class:`srbench.boards.table.Table`.
    """

    def __init__(self, records: Iterable[Record], metrics: Sequence[str] = ()) -> None:
        """Compute the tables; no model runs.

        Args:
            records: in any order; data sets become columns in the order in which they first come.
            metrics: the metrics that get a column; every recorded one if empty.
        """
        found = list(records)
        order = list(dict.fromkeys(record.dataset for record in found))
        self.tables: list[Table] = tables(found, dataset_order=order, metrics=metrics)

    def to_frame(self) -> pd.DataFrame:
        """One row per model, data set, attack and metric; data set ``average`` is the mean over the sets."""
        return files.flat(self.tables)

    def to_markdown(self) -> str:
        """All tables as GitHub Markdown."""
        return files.markdown(self.tables)

    def __repr__(self) -> str:
        from rich.console import Console

        from srbench.boards import terminal

        console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
        for table in self.tables:
            terminal.show(console, table)
        assert isinstance(console.file, io.StringIO)
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

    def _repr_html_(self) -> str:
        """What Jupyter shows."""
        parts = []
        for table in self.tables:
            for attack in table.attacks:
                parts.append(_html(text.title(table, attack), *text.grid(table, attack, _bold)))
            if summary := text.robustness(table):
                parts.append(_html("Under attack, averaged over the data sets", *summary))
            parts.append("".join(f"<div>{_escaped(line)}</div>" for line in text.notes(table)))
        return "\n".join(parts)


# Marks of a bold cell that survive escaping.
_OPEN, _CLOSE = "\x02", "\x03"


def _bold(shown: str) -> str:
    return f"{_OPEN}{shown}{_CLOSE}"


def _html(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        sides = ("left" if place in text.WORDS else "right" for place in range(len(cells)))
        filled = (
            f'<{tag} style="text-align: {side}">{_escaped(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(filled)}</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return (
        f"<table>\n<caption>{_escaped(caption)}</caption>\n<thead>{line('th', header)}</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _escaped(cell: str) -> str:
    return html.escape(cell).replace(_OPEN, "<b>").replace(_CLOSE, "</b>")
