"""Make leaderboards/published.md: published networks on degraded BSD100, beside what the paper printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from srbench.boards import text
from srbench.boards.compute import tables
from srbench.boards.csv_records import read_csv
from srbench.boards.markdown import escaped, markdown_table
from srbench.boards.paper_tables import Paper, printed
from srbench.boards.table import Column, Row, Table
from srbench.store.record import Record

SETS = ("bsd100-ntire-like", "bsd100-aim-like", "bsd100-clean")
MINIS = ("clean-mini2", "ntire-mini2", "aim-mini2")
UNSEEN, REAL = "bsd100", "realsrset"
ATTACKED = {
    "bsd100-attacked": "Under attack",
    "mini2-attacked": "Under attack, degraded input too",
    "mini2-strong": "Under a strong attack",
}
"""The folders of the boards, as ``evaluate --out`` wrote them; those of attacks with their headings."""


def published(folder: Path, paper: Paper) -> str:
    """Return the boards, with the paper's Table 2 after the first of them, as Markdown.

    Raises:
        BadInput: records that cannot be read.
    """
    unseen = _table(folder / UNSEEN)
    parts = [_opening(unseen, paper), _notes(unseen), "## The same of the paper", _table_2(paper)]
    for name, heading in ATTACKED.items():
        if (folder / name).is_dir():
            attacked = _table(folder / name)
            parts += [f"## {heading}", under_attack(attacked), _notes(attacked)]
    if (folder / REAL).is_dir():
        real = _table(folder / REAL)
        header, rows = text.grid(real, real.attacks[0], bold="**{}**".format)
        parts += [
            "## Photographs without ground truth",
            markdown_table(header, rows, text.WORDS),
            _notes(real),
        ]
    return "\n\n".join(parts) + "\n"


def _table(board: Path) -> Table:
    (table,) = tables(read_csv(board / "records.csv"), dataset_order=(*SETS, *MINIS))
    return table


def opening(records: Sequence[Record], paper: Paper) -> str:
    """Return the table that README opens with.

    Args:
        records: of :data:`SETS`, clean input.
    """
    (table,) = tables(records, dataset_order=SETS)
    return _opening(table, paper)


def _opening(table: Table, paper: Paper) -> str:
    columns = table.columns_of(table.attacks[0])
    header = ["#", "Model", "Trained for", f"{text.heading('psnr')} Avg"]
    header += [f"{text.heading('lpips')} {column.dataset}" for column in columns]
    header += [f"{text.heading('lpips')} Avg", "LPIPS 95 %", "paper: ntire", "paper: aim"]
    rows = []
    for row in table.rows:
        average = row.average.get(("lpips", table.attacks[0]))
        rows.append(
            [
                text.rank(row),
                escaped(row.label),
                escaped(text.trained_for(row)),
                _mean(table, row, "psnr", table.attacks[0]),
                *(f"{_mean(table, row, 'lpips', c)} {text.MARKS[row.marks[c]]}".strip() for c in columns),
                _mean(table, row, "lpips", table.attacks[0]),
                text.interval("lpips", average),
                *_paper_lpips(row, paper),
            ]
        )
    return markdown_table(header, rows, text.WORDS)


def under_attack(table: Table) -> str:
    """Return PSNR and LPIPS of every model under each attack."""
    summary = text.robustness(table)
    assert summary is not None  # more attacks than none were asked for
    header, rows = summary
    return markdown_table(header, rows, text.WORDS)


def _mean(table: Table, row: Row, name: str, place: Column | str) -> str:
    """Return a mean of a column, or over an attack's columns; bold where it is the best."""
    found = row.average.get((name, place)) if isinstance(place, str) else row.means.get((name, place))
    shown = text.value(name, found)
    is_best = found and found.whole and found.value == text.best(table, name, place)
    return f"**{shown}**" if is_best else shown


def _paper_lpips(row: Row, paper: Paper) -> list[str]:
    found = printed(row, paper["table_2"]["rows"])
    return [f"{value:.2f}" for value in found["lpips"][:2]] if found else [text.DASH] * 2


def _table_2(paper: Paper) -> str:
    rows = sorted(paper["table_2"]["rows"], key=lambda row: float(row["lpips"][2]))
    cells = [
        [row["method"], row["trained_for"] or text.DASH, *(f"{value:.2f}" for value in row["lpips"])]
        for row in rows
    ]
    header = ["Method", "Trained for", "LPIPS ↓ ntire", "LPIPS ↓ aim", "LPIPS ↓ Avg"]
    return f"{paper['paper']}, Table 2, as printed.\n\n{markdown_table(header, cells, (0, 1))}"


def _notes(table: Table) -> str:
    return "\n".join(f"- {escaped(line)}" for line in text.notes(table))
