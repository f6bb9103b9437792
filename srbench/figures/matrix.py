"""Draw the generalization matrix: what a model was trained for against what it is tested on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal

import numpy as np

from srbench.boards.stats import Mean
from srbench.boards.text import DASH, MARKS
from srbench.errors import BadInput, unknown
from srbench.figures import style
from srbench.figures.board import domain_place, one_board, table_of
from srbench.metrics import metric as known
from srbench.store.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MatrixBy = Literal["domain", "model"]
_NOTHING = {"none": "nothing learned"}


@dataclass(frozen=True)
class Matrix:
    """Hold means by row and column.

    Attributes:
        rows, columns: their titles.
        values: shape (rows, columns), NaN where nothing was measured, or where the metric is not there on
            every image; a mean of means where several models or data sets share a cell.
        marks: of the same shape, see :func:`srbench.boards.compute.mark`.
        fewer: of the same shape, "2 of 4" where the metric is there on 2 of 4 images, else "".
    """

    rows: list[str]
    columns: list[str]
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    marks: list[list[str]]
    fewer: list[list[str]]


def matrix(records: Sequence[Record], name: str, attack: str = "none", by: MatrixBy = "domain") -> Matrix:
    """Compute the matrix of records of one board under one attack.

    Args:
        name: the metric.
        by: one row a training domain and one column a test domain, or one a model and one a data set.

    Raises:
        BadInput: no record of that attack.
    """
    table = table_of(records, name)
    if attack not in table.attacks:
        raise unknown("recorded attack", attack, table.attacks, "srbench leaderboard")
    domains = {r.dataset_hash: r.dataset_domain for r in records}
    means: dict[tuple[str, str], list[Mean]] = defaultdict(list)
    marks: dict[tuple[str, str], str] = {}
    models: dict[str, set[str]] = defaultdict(set)
    sets: dict[str, set[str]] = defaultdict(set)
    for row in table.rows:
        for column in table.columns_of(attack):
            if not (mean := row.means.get((name, column))):
                continue
            domain = "unknown" if row.identity else row.training_domain
            side = domain if by == "domain" else row.label
            top = domains[column.dataset_hash] if by == "domain" else table.column_title(column)
            means[side, top].append(mean)
            marks[side, top] = row.marks[column]
            models[side].add(row.label)
            sets[top].add(table.column_title(column))
    rows, columns = list(models), list(sets)
    if by == "domain":
        rows.sort(key=domain_place)
        columns.sort(key=domain_place)
    values = [[_value(means.get((r, c), [])) for c in columns] for r in rows]
    return Matrix(
        [_NOTHING.get(r, r) + _several(len(models[r]), "models") for r in rows],
        [c + _several(len(sets[c]), "sets") for c in columns],
        np.array(values, dtype=np.float64),
        [[marks.get((r, c), "") for c in columns] for r in rows],
        [[_fewer(means.get((r, c), [])) for c in columns] for r in rows],
    )


def _value(means: Sequence[Mean]) -> float:
    """Return the mean of means; NaN where there is none, or one that is not over every image."""
    return fmean(mean.value for mean in means) if means and not _fewer(means) else np.nan


def _fewer(means: Sequence[Mean]) -> str:
    """Say of how many images the means are, unless of all."""
    n, of = sum(mean.n for mean in means), sum(mean.of for mean in means)
    return f"{n} of {of}" if n < of else ""


def _several(count: int, what: str) -> str:
    return f" ({count} {what})" if count > 1 else ""


def draw(
    records: Sequence[Record], metric: str | None = None, attack: str = "none", by: MatrixBy = "domain"
) -> Figure:
    """Draw the heat map, as wide as a column; light is good, and the training domain itself is outlined.

    Args:
        metric: its name; None for what the leaderboard is ranked by.

    Raises:
        BadInput: no record of that attack, an unknown metric, or records of several protocols.
    """
    board, name = one_board(records, metric)
    means = matrix(board, name, attack, by)
    if not np.isfinite(means.values).any():
        raise BadInput(
            f"no model has {known(name).title} on every image under {attack}: choose another --metrics"
        )
    return _draw(means, name, attack, by)


@style.style()
def _draw(means: Matrix, name: str, attack: str, by: MatrixBy) -> Figure:
    down, across = means.values.shape
    side = 0.3 if down < 12 else 0.22
    width = style.COLUMN if across <= 4 else style.PAGE
    figure = style.figure(width, 0.75 + side * down, layout="constrained")
    axis = figure.subplots()
    # Cividis was made to look alike with and without colour deficiency (Nuñez et al. 2018).
    colours = "cividis" if known(name).higher_is_better else "cividis_r"
    heat = axis.imshow(means.values, cmap=colours, aspect="auto", interpolation="none")
    for (y, x), value in np.ndenumerate(means.values):
        _cell(axis, x, y, float(value), name, means.marks[y][x], means.fewer[y][x], heat)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.set_xticks(range(across), means.columns)
    axis.set_yticks(range(down), means.rows)
    axis.xaxis.set_ticks_position("top")
    axis.xaxis.set_label_position("top")
    axis.set_xlabel("tested on" if by == "domain" else "data set")
    axis.set_ylabel("trained for" if by == "domain" else "")
    bar = figure.colorbar(heat, ax=axis, fraction=0.05, pad=0.02, aspect=18)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=5.5, width=0.4, length=2)
    bar.set_label(style.upright(name) + ("" if attack == "none" else f" under {attack}"))
    marks = {mark for row in means.marks for mark in row}
    figure.legend(
        handles=style.domain_key(marks, coloured=False),
        loc="outside lower center",
        ncols=2 if width == style.COLUMN else 3,
        fontsize=6,
        handlelength=1,
        handletextpad=0.4,
    )
    return figure


def _cell(axis: Axes, x: int, y: int, value: float, name: str, mark: str, fewer: str, heat: object) -> None:
    from matplotlib.patches import Rectangle

    if not np.isfinite(value):
        axis.text(x, y, fewer or DASH, ha="center", va="center")
        return
    red, green, blue, _ = heat.to_rgba(value)  # type: ignore[attr-defined]
    # Where white and black have the same contrast, by WCAG 2, for a colour that is nearly grey.
    dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.46
    words = f"{value:.{known(name).decimals}f} {MARKS[mark]}".strip()
    axis.text(x, y, words, ha="center", va="center", color="white" if dark else "black")
    if mark == "in-domain":
        edge = Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, fill=False, edgecolor=style.BLUE, linewidth=1.8)
        axis.add_patch(edge)
