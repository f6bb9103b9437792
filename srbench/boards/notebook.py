"""Show leaderboards as an object: a table in a notebook, text on a console."""

from __future__ import annotations

import html
import io
import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from srbench.boards import files, text
from srbench.boards.compute import tables
from srbench.boards.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from srbench.store.record import Record

WIDTH = 140
"""Tables are printed in so many columns of text where there is no terminal to ask."""


class Leaderboard:
    """Show the leaderboards of some records: one table per protocol and kind of data set.

    Attributes:
        tables: see :class:`srbench.boards.table.Table`.

    >>> from srbench.evaluation import EvaluationRequest, evaluate
    >>> request = EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",), limit=2)
    >>> print(Leaderboard(evaluate(request).records).to_markdown().splitlines()[2])
    | # | Model | Trained for | PSNR ↑ clean-mini | PSNR 95 % |
    """

    def __init__(self, records: Iterable[Record], metrics: Sequence[str] = ()) -> None:
        """Compute the tables; no model runs.

        Args:
            records: in any order; data sets become columns in the order in which they first come.
            metrics: the metrics that get a column; every recorded one if empty.
        """
        listed = list(records)
        order = list(dict.fromkeys(record.dataset for record in listed))
        self.tables: list[Table] = tables(listed, dataset_order=order, metrics=metrics)

    def to_frame(self) -> pd.DataFrame:
        """Return :func:`srbench.boards.files.means_frame` of the tables."""
        return files.means_frame(self.tables)

    def to_markdown(self) -> str:
        """Return all tables as GitHub Markdown."""
        return files.markdown(self.tables)

    def __repr__(self) -> str:
        from rich.console import Console

        from srbench.boards import terminal

        width = shutil.get_terminal_size((WIDTH, 0)).columns
        console = Console(file=io.StringIO(), width=width, color_system=None)
        for table in self.tables:
            terminal.show(console, table, full=True)
        assert isinstance(console.file, io.StringIO)
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

    def _repr_html_(self) -> str:
        """Return what Jupyter shows."""
        parts = []
        for table in self.tables:
            for attack in table.attacks:
                parts.append(_html(text.title(table, attack), *text.grid(table, attack)))
            if summary := text.robustness(table):
                parts.append(_html("Under attack, averaged over the data sets", *summary))
            parts.append("".join(f"<div>{_escaped(line)}</div>" for line in text.notes(table)))
        return "\n".join(parts)


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
    return html.escape(cell).replace(text.OPEN, "<b>").replace(text.CLOSE, "</b>")
