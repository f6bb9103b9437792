"""Draw what each setting of the attack does to a robust training: the paper's Table 1 as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from srbench.boards.stats import Mean
from srbench.boards.table import Column, Row, Table
from srbench.errors import BadInput
from srbench.figures import style
from srbench.figures.board import one_board, table_of
from srbench.metrics import metric as known
from srbench.store.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACTORS = {"eps": "eps, of 255", "steps": "steps", "structure": "structure", "loss": "loss"}
"""These settings of an attack are varied, and their axes are called so."""
AVERAGE = "average"


@dataclass(frozen=True)
class Factor:
    """Hold runs that differ in one setting alone.

    Attributes:
        name: one of :data:`FACTORS`.
        values: the setting's values; numbers in ascending order, eps in levels of 255.
        lines: by data set, and for their average, the mean of each run with its interval.
        base: the place of the run that all factors share.
    """

    name: str
    values: tuple[float | str, ...]
    lines: Mapping[str, tuple[Mean, ...]]
    base: int


def suite_settings(suite: str) -> dict[str, Mapping[str, Any]]:
    """Return by model the settings of the attack a shipped suite of trainings gives it.

    Raises:
        BadInput: no such suite.
    """
    from srbench.train import suite as suites

    return {t.recipe.name: t.recipe.degradation for t in suites.load(suite).trainings()}


def factors(
    records: Sequence[Record], name: str, settings: Mapping[str, Mapping[str, Any]], attack: str = "none"
) -> list[Factor]:
    """Find every setting that some runs differ in alone, from the run that has most such neighbours.

    Args:
        records: of one board; other models than those of ``settings`` are left out, and those that lack the
            metric on some image: their means are not over the images of the others.
        name: the metric.
        settings: by model, what its attack was.

    Raises:
        BadInput: no two of the models that have the metric on every image differ in one setting alone.
    """
    ours = [r for r in records if r.model in settings and r.attack == attack]
    if not ours:
        raise BadInput(
            "no record is of a model of the ablation: `make ablation` trains and measures them, or name "
            "leaderboards/ablation-mini/records.csv with --records"
        )
    table = table_of(ours, name)
    keys = {row.model: _key(settings[row.model]) for row in table.rows if _whole(row, name, attack)}
    if not keys:
        raise BadInput(f"no model of the ablation has {known(name).title} on every image: measure it again")
    base = max(keys, key=lambda model: (sum(_apart(keys[model], k) == 1 for k in keys.values()), model))
    varied = []
    for place, factor in enumerate(FACTORS):
        runs = {key[place]: m for m, key in keys.items() if not _apart(key, keys[base], but=place)}
        if len(runs) > 1:
            varied.append(_factor(table, name, attack, factor, runs, keys[base][place]))
    if not varied:
        raise BadInput("no two models of the ablation differ in one setting alone: measure more of them")
    return varied


def _whole(row: Row, name: str, attack: str) -> bool:
    mean = row.average.get((name, attack))
    return mean is not None and mean.whole


SettingsKey = tuple[float | str, ...]


def _key(settings: Mapping[str, Any]) -> SettingsKey:
    eps = float(255 * Fraction(str(settings["eps"])))
    # What the authors' code writes as 0.01*l1 is the paper's l1.
    return (
        eps,
        float(settings["steps"]),
        float(settings["structure"]),
        str(settings["loss"]).replace("0.01*", ""),
    )


def _apart(one: SettingsKey, other: SettingsKey, but: int = -1) -> int:
    """Return in how many settings two runs differ."""
    return sum(a != b for place, (a, b) in enumerate(zip(one, other, strict=True)) if place != but)


def _factor(
    table: Table, name: str, attack: str, factor: str, runs: Mapping[float | str, str], base: float | str
) -> Factor:
    values = sorted(runs, key=lambda value: (isinstance(value, str), value))
    rows = {row.model: row for row in table.rows}
    columns: list[Column] = table.columns_of(attack)
    lines = {
        table.column_title(column): tuple(rows[runs[v]].means[name, column] for v in values)
        for column in columns
    }
    if len(columns) > 1:
        lines[AVERAGE] = tuple(rows[runs[v]].average[name, attack] for v in values)
    return Factor(factor, tuple(values), lines, values.index(base))


def draw(
    records: Sequence[Record],
    settings: Mapping[str, Mapping[str, Any]],
    metric: str | None = None,
    attack: str = "none",
) -> Figure:
    """Draw one panel a setting: the metric of every data set and their average, with 95 % intervals.

    Args:
        settings: see :func:`suite_settings`.
        metric: its name; None for what the leaderboard is ranked by.

    Raises:
        BadInput: records that are not of an ablation, or of several protocols.
    """
    board, name = one_board(records, metric)
    varied = factors(board, name, settings, attack)
    with style.style():
        figure = style.figure(style.PAGE, 1.85, layout="constrained")
        wide = [1.25 if isinstance(factor.values[0], str) else 1.0 for factor in varied]
        grid = figure.subplots(1, len(varied), sharey=True, width_ratios=wide, squeeze=False)[0]
        for axis, factor in zip(grid, varied, strict=True):
            _panel(axis, factor)
        grid[0].set_ylabel(style.upright(name) + ("" if attack == "none" else f" under {attack}"))
        style.inner(grid[None, :])
        figure.suptitle("Bars: 95 % intervals", fontsize=6, x=0.99, ha="right")
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return figure


def _panel(axis: Axes, factor: Factor) -> None:
    words = isinstance(factor.values[0], str)
    places = [float(p) for p in range(len(factor.values))]
    xs = places if words else [float(value) for value in factor.values]
    step = min(b - a for a, b in pairwise(xs))
    for number, (label, means) in enumerate(factor.lines.items()):
        ys = [mean.value for mean in means]
        spread = [[m.value - m.low for m in means], [m.high - m.value for m in means]]
        look = style.line(number) | ({"linestyle": ""} if words else {})
        if label == AVERAGE:
            look |= {"color": style.BLACK, "marker": "D"}
        # Side by side, so that no interval hides another.
        moved = [x + 0.06 * step * (number - (len(factor.lines) - 1) / 2) for x in xs]
        axis.errorbar(moved, ys, spread, label=label, capsize=1.5, elinewidth=0.7, **look)
    at = xs[factor.base]
    shade: dict[str, Any] = {"color": style.GREY, "alpha": 0.15, "linewidth": 0}
    axis.axvspan(at - 0.2 * step, at + 0.2 * step, label="the run all panels share", **shade)
    axis.set_xlabel(FACTORS[factor.name])
    ticks = [str(value) for value in factor.values] if words else [f"{value:g}" for value in xs]
    axis.set_xticks(xs, ticks)
    axis.margins(x=0.12)
