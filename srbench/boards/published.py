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
UNSEEN, ATTACKED = "bsd100", "bsd100-attacked"
"""The folders of the two boards, as ``evaluate --out`` wrote them."""


def published(folder: Path, paper: Paper) -> str:
    """Return both boards, with the paper's Table 2 between them, as Markdown.

    Raises:
        BadInput: records that cannot be read.
    """
    (unseen,) = tables(read_csv(folder / UNSEEN / "records.csv"), dataset_order=SETS)
    parts = [_opening(unseen, paper), _notes(unseen), "## The same of the paper", _table_2(paper)]
    if (folder / ATTACKED / "records.csv").is_file():
        (attacked,) = tables(read_csv(folder / ATTACKED / "records.csv"), dataset_order=SETS)
        parts += ["## Under attack", under_attack(attacked), _notes(attacked)]
    return "\n\n".join(parts) + "\n"


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
