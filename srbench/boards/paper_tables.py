"""Make the paper's Tables 1 and 2 from records, beside the numbers it printed."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from srbench.boards import text
from srbench.boards.compute import tables
from srbench.boards.markdown import markdown_table
from srbench.boards.paired import Difference, compare
from srbench.boards.table import Column, Row, Table
from srbench.store.record import Record

METRICS = ("psnr", "ssim", "lpips")
SETS = ("ntire-mini", "aim-mini")
CLAIM = (
    "The paper's claim (section 5.2): \"we have a single robust model that achieves the best LPIPS for "
    'both unseen datasets".'
)
Paper = Mapping[str, Any]


def read_paper(file: Path) -> Paper:
    """Read the numbers the paper printed, from leaderboards/paper.json."""
    paper: Paper = json.loads(file.read_text(encoding="utf-8"))
    return paper


def table_2(records: Sequence[Record], paper: Paper, robust: str) -> str:
    """Return Table 2 at mini scale: every model, what it was trained for, the paper's LPIPS, the claim.

    Args:
        records: of ntire-mini and aim-mini, clean and attacked, of one protocol.
        robust: the model the claim is about.
    """
    table = _one(records)
    header = ["#", "Model", "Trained for", *_measured_header()]
    rows = []
    for row in table.rows:
        published = printed(row, paper["table_2"]["rows"])
        numbers = [f"{value:.2f}" for value in published["lpips"]] if published else [text.DASH] * 3
        rows.append([text.rank(row), row.label, text.trained_for(row), *_cells(table, row), *numbers])
    parts = [markdown_table(header, rows, text.WORDS), text.LEGEND + ".", _claim(table, records, robust)]
    if summary := text.robustness(table):
        parts += ["## Under attack, averaged over the data sets", markdown_table(*summary, text.WORDS)]
    parts.append("\n".join(f"- {line}" for line in text.notes(table) if line != text.LEGEND + "."))
    return "\n\n".join(parts) + "\n"


def table_1(records: Sequence[Record], paper: Paper, attacks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return Table 1 at mini scale: one robust training a row, each with another attack.

    Args:
        attacks: by model, the settings of the attack it was trained with: eps, steps, structure, loss.
    """
    table = _one(records)
    rows = {row.model: row for row in table.rows}
    header = ["eps", "steps", "structure", "loss", *_measured_header(), "rank here", "in the paper"]
    paper_rows = [_same_attack(settings, paper["table_1"]["rows"]) for settings in attacks.values()]
    order = sorted(published["lpips"][2] for published in paper_rows)
    lines = []
    for (name, settings), published_row in zip(attacks.items(), paper_rows, strict=True):
        row = rows[name]
        lines.append(
            [
                f"{float(255 * Fraction(str(settings['eps']))):g}",
                f"{settings['steps']}",
                f"{settings['structure']:g}",
                str(published_row["loss"]),
                *_cells(table, row),
                *(f"{value:.2f}" for value in published_row["lpips"]),
                text.rank(row),
                str(order.index(published_row["lpips"][2]) + 1),
            ]
        )
    markdown = markdown_table(header, lines, [3]) + "\n"
    return f"{markdown}\n{text.SHARED}.\n" if text.ranks_are_shared(table) else markdown


def _measured_header() -> list[str]:
    means = [f"{text.heading(name)} {place}" for name in METRICS for place in (*SETS, "Avg")]
    return [*means, "paper: LPIPS ntire", "aim", "Avg"]


def _one(records: Iterable[Record]) -> Table:
    (table,) = tables(records, dataset_order=SETS, metrics=METRICS)
    return table


def _cells(table: Table, row: Row) -> list[str]:
    """Return PSNR, SSIM and LPIPS on both sets, and their average."""
    attack = table.attacks[0]
    columns = {column.dataset: column for column in table.columns_of(attack)}
    cells = []
    for name in METRICS:
        for place in SETS:
            mark = text.MARKS[row.marks[columns[place]]] if name == "lpips" else ""
            cells.append(f"{text.value(name, row.means.get((name, columns[place])))} {mark}".strip())
        cells.append(text.value(name, row.average.get((name, attack))))
    return cells


def _claim(table: Table, records: Sequence[Record], robust: str) -> str:
    """Say what becomes of the paper's claim: where one robust model is on each set, and by how much."""
    others = [row for row in table.rows if row.model != robust]
    (own,) = (row for row in table.rows if row.model == robust)
    columns = table.columns_of(table.attacks[0])
    places = " and ".join(f"{_place(column, own, others)} on {column.dataset}" for column in columns)
    parts = [
        "## The claim",
        CLAIM,
        f"Here {robust} is {places}, and has rank {text.rank(own)} of {len(table.rows)} by average LPIPS. "
        f"Against each other model, average LPIPS (negative: {robust} is better), "
        "images won, paired bootstrap over photographs:",
    ]
    by_model: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_model[record.model].append(record)
    lines = []
    for row in others:
        comparison = compare(by_model[robust], by_model[row.model], "lpips")
        images = comparison.overall.images + comparison.lone
        lines.append([row.label, *_difference(comparison.overall, images)])
    header = ["Model", "Difference", "95 %", "Images won", "Certain"]
    return "\n\n".join([*parts, markdown_table(header, lines, [0])])


def _place(column: Column, own: Row, others: Sequence[Row]) -> str:
    """Return which number a row is on a set by its mean LPIPS, of those that have one over all images."""
    means = [row.means.get(("lpips", column)) for row in (own, *others)]
    mine, *theirs = [mean.value if mean and mean.whole else math.nan for mean in means]
    if math.isnan(mine):
        return "not placed"
    return f"number {sum(value < mine for value in theirs) + 1}"


def _difference(difference: Difference, images: int) -> list[str]:
    """Return the cells of a difference, with how many images it is over where these are not all."""
    sure = "yes" if difference.certain else "no"
    interval = (
        f"{difference.low:+.4f} to {difference.high:+.4f}" if math.isfinite(difference.low) else text.DASH
    )
    fewer = f" ({difference.images} of {images})" if difference.images < images else ""
    return [f"{difference.value:+.4f}{fewer}", interval, f"{difference.wins} of {difference.images}", sure]


def printed(row: Row, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the paper's row of the same method and training domain, if it has one."""
    return next((published for published in rows if row.model in published["models"]), None)


def _same_attack(settings: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    def key(table: Mapping[str, Any], eps: Fraction) -> tuple[Any, ...]:
        # The authors' code weighs L1 by 0.01 where the paper writes a plain sum.
        return eps, table["steps"], table["structure"], str(table["loss"]).replace("0.01*", "")

    attack = key(settings, 255 * Fraction(str(settings["eps"])))
    (same,) = (row for row in rows if key(row, Fraction(row["eps"])) == attack)
    return same
