"""Leaderboards in the terminal, with Rich."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from srbench.boards import text
from srbench.boards.table import Column, Row, Table
from srbench.metrics import metric

COLOURS = {"in-domain": "blue", "out-of-domain": "red", "generalist": "green", "": ""}


def show(console: Console, table: Table) -> None:
    """Print one leaderboard; where the terminal is too narrow, one table per metric."""
    for attack in table.attacks:
        kinds = [[m for m in table.metrics if metric(m).kind == kind] for kind in ("FR", "NR")]
        for group in kinds:
            whole = _rich(table, attack, group)
            if _width(console, whole) <= console.width:
                parts = [whole] if group else []
            else:
                parts = [_rich(table, attack, [name]) for name in group]
            for part in parts:
                _print_whole(console, part)
    if summary := text.robustness(table):
        drawn = RichTable(
            title="Under attack, averaged over the data sets", title_justify="left", title_style="bold"
        )
        for index, heading in enumerate(summary[0]):
            drawn.add_column(Text(heading), no_wrap=True, justify="left" if index in (1, 2) else "right")
        for row in summary[1]:
            drawn.add_row(*map(_plain, row))
        _print_whole(console, drawn)
    for line in text.notes(table):
        console.print(_plain(line), style="dim", highlight=False)


def _width(console: Console, drawn: RichTable) -> int:
    return Measurement.get(console, console.options.update(max_width=10_000), drawn).maximum


def _print_whole(console: Console, drawn: RichTable) -> None:
    """Print a table at the width it needs: a wrapped line is ugly, a cut number would be wrong."""
    before = console.width
    console.width = max(before, _width(console, drawn))
    console.print(drawn, crop=False)
    console.width = before


def _rich(table: Table, attack: str, metrics: list[str]) -> RichTable:
    columns = table.columns_of(attack)
    ranked = table.rank_by in metrics
    drawn = RichTable(title=_plain(text.title(table, attack)), title_justify="left", title_style="bold")
    drawn.add_column("#", justify="right", no_wrap=True)
    drawn.add_column("Model", no_wrap=True)
    drawn.add_column("Trained for", no_wrap=True)
    for name in metrics:
        for column in columns:
            drawn.add_column(
                Text(f"{text.heading(name)}\n{table.column_title(column)}"), justify="right", no_wrap=True
            )
        if len(columns) > 1:
            drawn.add_column(f"{text.heading(name)}\nAvg", justify="right", no_wrap=True)
    if ranked:
        drawn.add_column(f"{metric(table.rank_by).title}\n95 %", justify="right", no_wrap=True)
        if len(columns) > 1:
            drawn.add_column(f"{metric(table.rank_by).title}\nworst", justify="right", no_wrap=True)
    for row in table.rows:
        cells: list[str | Text] = [text.rank(row), _plain(row.label), text.trained_for(row)]
        for name in metrics:
            cells += [_cell(table, row, name, column) for column in columns]
            if len(columns) > 1:
                average = row.average.get((name, attack))
                best = text.best(table, name, attack)
                bold = "bold" if average and average.value == best else ""
                cells.append(Text(text.value(name, average), style=bold))
        if ranked:
            cells.append(text.interval(table.rank_by, row.average.get((table.rank_by, attack))))
            if len(columns) > 1:
                cells.append(text.worst(table, row, attack))
        drawn.add_row(*cells)
    return drawn


def _plain(words: str) -> Text:
    """A name or a sentence that holds one, as it is: rich takes brackets in a string for its own."""
    return Text(" ".join(words.split()))


def _cell(table: Table, row: Row, name: str, column: Column) -> Text:
    mean = row.means.get((name, column))
    cell = Text(text.value(name, mean))
    if mean and mean.value == text.best(table, name, column):
        cell.stylize("bold")
    if name == table.rank_by and (mark := row.marks[column]) and mean:
        cell.append(f" {text.MARKS[mark]}", style=COLOURS[mark])
    return cell
