"""Tables on a terminal: columns give way where it is narrow, no number is cut and no name is split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
"""Columns stand so many spaces apart."""
NOTHING = ("", "–")
"""A column that holds nothing else is not printed."""


@dataclass(frozen=True)
class Column:
    """One column of a table, with what may become of it where the terminal is narrow.

    Attributes:
        heading: lines above the cells, split by line breaks.
        right: whether it is flush right, as numbers are.
        gives_way: 0 for a column that always stays; of the others the larger the number the less important,
            and of equals the last one is.
        wraps: a column of words may be made as narrow as this, by breaking its lines between words; 0: never.
        called: its name where its heading says too little outside the table.
    """

    heading: str
    cells: Sequence[Text]
    right: bool = False
    gives_way: int = 0
    wraps: int = 0
    called: str = ""

    @property
    def name(self) -> str:
        """Return what a note calls it."""
        return self.called or " ".join(self.heading.split())

    @property
    def natural(self) -> int:
        """Return the width of its longest line."""
        cells = max((cell.cell_len for cell in self.cells), default=0)
        return max(cells, *(cell_len(line) for line in self.heading.split("\n")))

    @property
    def least(self) -> int:
        """Return the smallest width that it can be printed in."""
        if not self.wraps:
            return self.natural
        words = [
            word for text in (self.heading, *(cell.plain for cell in self.cells)) for word in text.split()
        ]
        return max(min(self.wraps, self.natural), *map(cell_len, words))

    @property
    def is_empty(self) -> bool:
        """Return whether no cell says anything."""
        return bool(self.cells) and all(cell.plain in NOTHING for cell in self.cells)


def plain(words: str) -> Text:
    """Return words as they are, in one line: rich takes brackets in a string for its own."""
    return Text(" ".join(words.split()))


def words_column(heading: str, cells: Iterable[str], gives_way: int = 0, wraps: int = 0) -> Column:
    """Make a column of names or of words."""
    return Column(heading, [plain(cell) for cell in cells], gives_way=gives_way, wraps=wraps)


def states_column(heading: str, cells: Iterable[str], style: Callable[[str], str]) -> Column:
    """Make a column of states that is always shown, in the colour that ``style`` gives each."""
    return Column(heading, [Text(cell, style=style(cell)) for cell in cells])


def needed(columns: Sequence[Column]) -> int:
    """Return the smallest width that columns can be printed in side by side."""
    return sum(column.least for column in columns) + GAP * (len(columns) - 1)


def fitted(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """Return the columns that fit side by side, and those that gave way, both in the order given.

    The more important come first, and what room they leave is for others. A column without content is in
    neither; the first one always stays.

    >>> names, numbers = words_column("Model", ["bicubic"]), words_column("Worst", ["0.7086"], gives_way=1)
    >>> [len(part) for part in fitted([names, numbers], width=12)]
    [1, 1]
    """
    full = [place for place, column in enumerate(columns) if place == 0 or not column.is_empty]
    shown = [place for place in full if not columns[place].gives_way]
    for place in sorted(set(full) - set(shown), key=lambda place: (columns[place].gives_way, place)):
        if needed([columns[other] for other in (*shown, place)]) <= width:
            shown.append(place)
    return [columns[n] for n in full if n in shown], [columns[n] for n in full if n not in shown]


def packed(key: Sequence[Column], groups: Iterable[Sequence[Column]], width: int) -> list[list[Column]]:
    """Return the columns of one table after another that hold all groups, each table beginning with ``key``.

    A group, such as one metric on several sets, is split over tables only where it fits in none.
    """
    tables: list[list[Column]] = []
    for group in groups:
        full = [column for column in group if not column.is_empty]
        parts = [full] if needed([*key, *full]) <= width else [[column] for column in full]
        for part in filter(None, parts):
            if tables and needed([*tables[-1], *part]) <= width:
                tables[-1] += part
            else:
                tables.append([*key, *part])
    return tables


def draw(console: Console, columns: Sequence[Column], title: str = "") -> None:
    """Print columns side by side; where even these are too wide, row by row."""
    if title:
        line(console, title, style="bold")
    if needed(columns) > console.width:
        _row_by_row(console, columns)
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    lines = max(column.heading.count("\n") for column in columns)
    widths = _widths(columns, console.width)
    for column, width in zip(columns, widths, strict=True):
        heading = "\n" * (lines - column.heading.count("\n")) + column.heading
        table.add_column(
            Text(heading), width=width, justify="right" if column.right else "left", no_wrap=True
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(
            *(
                Text("\n".join(_broken(cell.plain, width))) if column.wraps else cell
                for cell, column, width in zip(cells, columns, widths, strict=True)
            )
        )
    console.print(table)


def show(console: Console, columns: Sequence[Column], title: str = "") -> list[str]:
    """Print the columns that fit, and return the names of those that gave way."""
    shown, gone = fitted(columns, console.width)
    draw(console, shown, title)
    return [column.name for column in gone]


def line(console: Console, words: str, style: str = "") -> None:
    """Print a sentence, broken between words only: a command or an address longer than a line stays whole."""
    for broken in _broken(words, console.width):
        console.print(Text(broken, style=style), soft_wrap=True, highlight=False)


def fitting(parts: Sequence[str], width: int, between: str = "  ") -> str:
    """Return the parts that fit in a line, those that come first before others; none is cut.

    >>> fitting(["250/450", "LPIPS 0.2345", "clean 0.2000", "3:12 left"], width=32)
    '250/450  LPIPS 0.2345  3:12 left'
    """
    shown: list[str] = []
    for part in parts:
        if cell_len(between.join([*shown, part])) <= width:
            shown.append(part)
    return between.join(shown)


def pairs(console: Console, rows: Sequence[tuple[str, str]], indent: int = 0) -> None:
    """Print names with what is said of each beside them; longer ones go on below, a word is never broken."""
    wide = max((cell_len(name) for name, _ in rows), default=0) + indent + GAP
    for name, said in rows:
        beside = " " * indent + name + " " * (wide - indent - cell_len(name))
        for broken in _broken(said, console.width - wide):
            console.print(Text((beside + broken).rstrip()), soft_wrap=True, highlight=False)
            beside = " " * wide


def _broken(words: str, width: int) -> list[str]:
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The width of each column: columns of words share what the others leave, by what they would like."""
    widths = [column.least for column in columns]
    spare = width - needed(columns)
    for place in sorted(range(len(columns)), key=lambda place: columns[place].natural):
        wanting = [n for n, column in enumerate(columns) if widths[n] < column.natural]
        if place in wanting:
            more = min(columns[place].natural - widths[place], spare // len(wanting))
            widths[place] += more
            spare -= more
    return widths


def _row_by_row(console: Console, columns: Sequence[Column]) -> None:
    """Print each row as lines: what the first column holds, then the other cells with their headings."""
    for cells in zip(*(column.cells for column in columns), strict=True):
        line(console, cells[0].plain)
        for column, cell in zip(columns[1:], cells[1:], strict=True):
            if cell.plain not in NOTHING:
                line(console, f"{column.name}: {cell.plain}")
