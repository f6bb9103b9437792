"""Print leaderboards in the terminal, with Rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from srbench.boards import text
from srbench.boards.table import Table
from srbench.metrics import metric

MARK_STYLES = {"●": "blue", "○": "red", "◆": "green"}


def show(console: Console, table: Table) -> None:
    """Print one leaderboard; where the terminal is too narrow, one table per metric."""
    for attack in table.attacks:
        for kind in ("FR", "NR"):
            group = [name for name in table.metrics if metric(name).kind == kind]
            parts = [group] if group else []
            if _width(console, _leaderboard(table, attack, group)) > console.width:
                parts = [[name] for name in group]
            for part in parts:
                _print_whole(console, _leaderboard(table, attack, part))
    if summary := text.robustness(table):
        header, rows = summary
        cells = (map(_plain, row) for row in rows)
        _print_whole(console, _rich("Under attack, averaged over the data sets", header, cells))
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


def _leaderboard(table: Table, attack: str, metrics: Sequence[str]) -> RichTable:
    header, rows = text.grid(table, attack, metrics=metrics, between="\n")
    cells = ([_cell(place, words) for place, words in enumerate(row)] for row in rows)
    return _rich(text.title(table, attack), header, cells)


def _rich(title: str, header: Sequence[str], rows: Iterable[Iterable[Text]]) -> RichTable:
    drawn = RichTable(title=_plain(title), title_justify="left", title_style="bold")
    for place, heading in enumerate(header):
        drawn.add_column(Text(heading), no_wrap=True, justify="left" if place in text.WORDS else "right")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def _plain(words: str) -> Text:
    """Return a name or a sentence that holds one as it is: rich takes brackets in a string for its own."""
    return Text(" ".join(words.split()))


def _cell(place: int, words: str) -> Text:
    """Return a cell of a leaderboard: numbers may be bold and have a mark."""
    if place in text.WORDS:
        return _plain(words)
    number, _, mark = words.rpartition(" ") if words[-1] in MARK_STYLES else (words, "", "")
    cell = Text(number.strip(text.OPEN + text.CLOSE))
    if number.startswith(text.OPEN):
        cell.stylize("bold")
    if mark:
        cell.append(f" {mark}", style=MARK_STYLES[mark])
    return cell
