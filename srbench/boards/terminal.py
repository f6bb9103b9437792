"""Print leaderboards in the terminal: one ranking table that fits, and on request everything else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.text import Text

from srbench.boards import text
from srbench.boards.order import in_order
from srbench.boards.table import Table
from srbench.metrics import metric
from srbench.support import screen
from srbench.support.screen import Column

MARK_STYLES = {"●": "blue", "○": "red", "◆": "green"}
# What gives way first where the terminal is narrow has the largest number. A model, its mean and its means
# under attack are what the table is for; the mark of a set says much of what a training domain does.
ATTACKED, PLACE, DOMAIN, SETS, SPREAD, WORST = 1, 2, 3, 4, 5, 6


def show_all(
    console: Console,
    tables: Iterable[Table],
    *,
    asked: Sequence[str] = (),
    metrics: Collection[str] = (),
    full: bool = False,
    hint: str = "--full",
) -> None:
    """Print leaderboards, one below the other.

    Args:
        asked: the data sets as the user named them, which is the order they are shown in.
        metrics, full, hint: see :func:`show`.
    """
    for place, table in enumerate(in_order(tables, asked)):
        if place:
            console.print()
        show(console, table, metrics=metrics, full=full, hint=hint)


def show(
    console: Console, table: Table, *, metrics: Collection[str] = (), full: bool = False, hint: str = "--full"
) -> None:
    """Print one leaderboard.

    Args:
        metrics: those that are printed beside the one that ranks.
        full: print every metric under every attack, and every note in full.
        hint: what prints that, for a note.
    """
    first = table.attacks[0]
    measured = {name for row in table.rows for name, _ in row.means}
    shown, gone = screen.fitted(_ranking(table, first), console.width)
    if table.rank_by in measured:
        screen.draw(console, shown, _title(table, first, table.rank_by))
        if full:
            _continued(console, [_models(table)], [[column] for column in gone])
        printed = {table.rank_by, *(table.metrics if full else metrics)}
    else:
        printed = measured  # there is no ranking, and so nothing else
    others = [name for name in table.metrics if name in printed and name != table.rank_by]
    for attack in table.attacks:
        if attack != first and full:
            key, *rest = _ranking(table, attack)[1:]
            _continued(console, [key], [rest], _title(table, attack, table.rank_by))
        if attack == first or full:
            groups = [_metric(table, attack, name) for name in others]
            _continued(console, [_models(table)], groups, text.title(table, attack))
    if full:
        _under_attack(console, table)
        _over_radii(console, table)
    console.print()
    marked = any(cell.plain[-1:] in MARK_STYLES for column in shown for cell in column.cells if cell)
    notes = text.notes(table) if full else text.brief_notes(table, marked=marked)
    if not full:
        more = [name for name in table.metrics if name in measured - printed]
        notes += _more([column.name for column in gone], more, hint)
    for note in notes:
        screen.line(console, note, style="dim")


def _over_radii(console: Console, table: Table) -> None:
    """Print the areas under robustness curves."""
    if curves := text.areas(table):
        header, rows = curves
        columns = [_column(heading, [row[place] for row in rows]) for place, heading in enumerate(header)][2:]
        key = [
            screen.words_column(heading, [row[place] for row in rows])
            for place, heading in enumerate(header[:2])
        ]
        _continued(console, key, [columns[:1], columns[1:3], columns[3:5], columns[5:]], "Over the radii")


def _under_attack(console: Console, table: Table) -> None:
    """Print how the averages fall from attack to attack."""
    summary = text.robustness(table)
    if not summary:
        return
    header, rows = summary
    columns = [
        _column(heading.replace("↑ ", "↑\n").replace("↓ ", "↓\n"), [row[place] for row in rows])
        for place, heading in enumerate(header)
    ][3:]
    each = len(table.attacks)
    groups = [columns[start : start + each] for start in range(0, len(columns), each)]
    _continued(console, [_models(table)], groups, "Under attack, averaged over the data sets")


def _title(table: Table, attack: str, name: str) -> str:
    return f"{text.heading(name)} · {text.title(table, attack)}"


def _continued(
    console: Console, key: Sequence[Column], groups: Sequence[Sequence[Column]], title: str = ""
) -> None:
    """Print groups of columns in as many tables as they need."""
    for columns in screen.packed(key, groups, console.width):
        console.print()
        screen.draw(console, columns, title)


def _models(table: Table) -> Column:
    return screen.words_column("Model", [row.label for row in table.rows])


def _ranking(table: Table, attack: str) -> list[Column]:
    """The columns of the ranking metric; those of the attack that ranks have the other attacks' means too."""
    header, rows = text.grid(table, attack, metrics=[table.rank_by])
    cells = [[row[place] for row in rows] for place in range(len(header))]
    sets = table.columns_of(attack)
    last = 3 + len(sets)
    columns = [
        _column("#", cells[0], PLACE),
        screen.words_column("Model", cells[1]),
        screen.words_column("Trained for", cells[2], DOMAIN),
    ]
    if len(sets) == 1:
        columns.append(_column(table.column_title(sets[0]), cells[3]))
    else:
        columns += [_column(table.column_title(s), cells[3 + n], SETS) for n, s in enumerate(sets)]
        columns.append(_column("Avg", cells[last]))
        last += 1
    columns.append(_column("95 %", cells[last], SPREAD))
    if len(sets) > 1:
        columns.append(_column("worst", cells[last + 1], WORST))
    if attack == table.attacks[0]:
        columns += [_under(table, other) for other in table.attacks[1:]]
    return columns


def _under(table: Table, attack: str) -> Column:
    """The mean of the ranking metric under another attack than the one that ranks."""
    name = table.rank_by
    top = text.best(table, name, attack)
    cells = []
    for row in table.rows:
        mean = row.average.get((name, attack))
        shown = text.value(name, mean)
        cells.append(text.marked(shown) if mean and mean.whole and mean.value == top else shown)
    return _column(f"under\n{attack}", cells, ATTACKED)


def _metric(table: Table, attack: str, name: str) -> list[Column]:
    """The columns of a metric that does not rank: every set, and their average."""
    header, rows = text.grid(table, attack, metrics=[name], between="\n")
    return [_column(header[place], [row[place] for row in rows]) for place in range(3, len(header))]


def _more(gone: Sequence[str], metrics: Sequence[str], hint: str) -> list[str]:
    """Say what was left out: columns that did not fit, and metrics that do not rank."""
    said = [f"No room for: {', '.join(gone)}"] if gone else []
    said += [f"Also measured: {', '.join(metric(name).title for name in metrics)}"] if metrics else []
    return [f"{'. '.join(said)} ({hint} prints all)."] if said else []


def _column(heading: str, cells: Sequence[str], gives_way: int = 0) -> Column:
    called = " ".join(heading.split()) if heading != "95 %" else "the 95 % interval"
    return Column(heading, [_cell(cell) for cell in cells], right=True, gives_way=gives_way, called=called)


def _cell(words: str) -> Text:
    """Return a cell of numbers, which may be bold and have a mark."""
    number, _, mark = words.rpartition(" ") if words[-1] in MARK_STYLES else (words, "", "")
    cell = Text(number.strip(text.OPEN + text.CLOSE))
    if number.startswith(text.OPEN):
        cell.stylize("bold")
    if mark:
        cell.append(f" {mark}", style=MARK_STYLES[mark])
    return cell
