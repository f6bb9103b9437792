"""Draw robustness curves: a metric over the radius of an attack, or over the severity of a corruption."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from srbench.boards.site.facts import attack_facts
from srbench.boards.stats import Mean
from srbench.boards.table import Row, Table, column_of
from srbench.errors import BadInput
from srbench.figures import style
from srbench.figures.board import one_board, table_of
from srbench.store.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

PanelBy = Literal["model", "attack"]
ACROSS = (3, 4)
RANDOM_LABEL = "random noise"
_AXIS = {"linf": "eps, of 255", "l2": "eps (root mean square), of 255", "severity": "severity"}


@dataclass(frozen=True)
class PlottedCurve:
    """Hold the curve of one model under one attack.

    Attributes:
        attack: its name without the radius, or the corruption's; :data:`RANDOM_LABEL` for the only
            random noise on its axis.
        axis: "linf", "l2" or "severity".
        points: radius in levels of 255 or severity, and the mean over the data sets; clean input first.
    """

    model: str
    attack: str
    axis: str
    points: tuple[tuple[float, Mean], ...]


def plotted_curves(records: Sequence[Record], name: str) -> list[PlottedCurve]:
    """Return the curves that records of one board give, models in order of rank, random noise first.

    A point is there only where it was measured, and the metric defined, on the same images of every data set
    as the clean input: means over other images would bend the curve. A model whose clean input lacks some has
    none. Two settings of one attack at one radius are no curve.

    Args:
        name: the metric.
    """
    attacked = {(r.dataset, r.dataset_hash) for r in records if r.attack_hash}
    table = table_of([r for r in records if (r.dataset, r.dataset_hash) in attacked], name)
    facts = {column_of(r): attack_facts(r) for r in records}
    lines: dict[tuple[str, str, str], dict[float, list[str]]] = defaultdict(lambda: defaultdict(list))
    for attack in table.attacks:
        columns = table.columns_of(attack)
        fact = facts[columns[0]]
        if fact["group"] not in ("clean", "transfer") and fact["at"] and len(columns) == len(attacked):
            axis = "severity" if fact["group"] == "corruption" else fact["norm"]
            lines[fact["group"], fact["line"], axis][fact["at"]].append(attack)
    noises = Counter(axis for group, _, axis in lines if group == "random")
    order = sorted(lines, key=lambda key: (key[2], ("random", "attack", "corruption").index(key[0]), key[1]))
    plotted = []
    for row in table.rows:
        clean = row.average.get((name, "none"))
        for group, line, axis in order if clean and clean.whole else ():
            assert clean is not None
            points = [(0.0, clean)]
            for at, attacks in sorted(lines[group, line, axis].items()):
                mean = row.average.get((name, attacks[0]))
                if len(attacks) == 1 and mean and mean.whole and _same_images(table, row, attacks[0]):
                    points.append((at, mean))
            if len(points) > 1:
                title = RANDOM_LABEL if group == "random" and noises[axis] == 1 else line
                plotted.append(PlottedCurve(row.label, title, axis, tuple(points)))
    return plotted


def _same_images(table: Table, row: Row, attack: str) -> bool:
    clean = {c.dataset_hash: row.images[c] for c in table.columns_of("none")}
    return all(row.images[c] == clean.get(c.dataset_hash) for c in table.columns_of(attack))


def draw(records: Sequence[Record], metric: str | None = None, by: PanelBy = "model") -> Figure:
    """Draw one panel a model with a line per attack, or one panel an attack with a line per model.

    Args:
        metric: its name; None for what the leaderboard is ranked by.

    Raises:
        BadInput: no record of an attack, or records of several protocols.
    """
    board, name = one_board(records, metric)
    if not any(r.attack_hash for r in board):
        raise BadInput(
            "no record is of an attack: run `srbench attack MODEL --eps 2,4,8,14`, or `srbench evaluate "
            "--attacks none,random,rsr,corruptions`"
        )
    plotted = plotted_curves(board, name)
    if not plotted:
        raise BadInput("no attack was measured on the same images as the clean input: there is no curve")
    table = table_of([r for r in board if r.attack_hash], name)
    sets = list(dict.fromkeys(table.column_title(column) for column in table.columns))
    caption = f"Mean over {' and '.join(sets)}; bands: 95 % intervals"
    caption += "; thin line: the clean input" if by == "model" else ""
    return _draw(plotted, name, by, caption)


@style.style()
def _draw(plotted: Sequence[PlottedCurve], name: str, by: PanelBy, caption: str) -> Figure:
    blocks = [_Block(axis, [c for c in plotted if c.axis == axis], by) for axis in _AXIS]
    blocks = [block for block in blocks if block.curves]
    wide = max(block.across for block in blocks) > 2
    width = style.PAGE if wide else style.COLUMN
    heights = [block.height(width) for block in blocks]
    figure = style.figure(width, sum(heights) + 0.2, layout="constrained")
    figure.suptitle(caption, fontsize=6)
    parts = figure.subfigures(len(blocks), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, block in zip(parts, blocks, strict=True):
        block.draw(part, name, width)
    return figure


class _Block:
    """Draw the panels that share an axis: radius in one norm, or severity."""

    def __init__(self, axis: str, plotted: Sequence[PlottedCurve], by: PanelBy) -> None:
        self.axis, self.curves = axis, plotted
        self._by = by
        self._panels = list(dict.fromkeys(self._panel(c) for c in plotted))
        self._looks = _looks(dict.fromkeys(self._line(c) for c in plotted))

    def _panel(self, curve: PlottedCurve) -> str:
        return curve.model if self._by == "model" else curve.attack

    def _line(self, curve: PlottedCurve) -> str:
        return curve.attack if self._by == "model" else curve.model

    @property
    def across(self) -> int:
        """Return how many panels are in a line: three or four, whichever leaves fewer places empty."""
        count = len(self._panels)
        return min(count, min(ACROSS, key=lambda n: (-count % n, -n)) if count > max(ACROSS) else count)

    @property
    def _down(self) -> int:
        return math.ceil(len(self._panels) / self.across)

    def _columns(self, width: float) -> int:
        """Return how many columns the legend has."""
        longest = max(len(label) for label in self._looks)
        return max(1, min(len(self._looks), int(width / (0.45 + 0.06 * longest))))

    def height(self, width: float) -> float:
        """Return the height in inches."""
        legend = 0.3 + 0.13 * math.ceil(len(self._looks) / self._columns(width))
        return self._down * (1.3 if self.across > 1 else 1.9) + legend

    def draw(self, part: SubFigure, name: str, width: float) -> None:
        """Draw the panels and their legend."""
        from matplotlib.ticker import MaxNLocator

        grid = part.subplots(self._down, self.across, sharex=True, sharey=True, squeeze=False)
        for axis in grid.flat[len(self._panels) :]:
            axis.set_visible(False)
        for axis, title in zip(grid.flat, self._panels, strict=False):
            curves = [c for c in self.curves if self._panel(c) == title]
            _panel(axis, [(c, self._looks[self._line(c)]) for c in curves])
            axis.set_title(title, pad=3)
            if self._by == "model":
                axis.axhline(curves[0].points[0][1].value, color=style.BLACK, linewidth=0.5)
            if self.axis == "severity":
                axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axis in grid[:, 0]:
            axis.set_ylabel(style.upright(name))
        for column in grid.T:
            [axis for axis in column if axis.get_visible()][-1].set_xlabel(_AXIS[self.axis])
        style.inner(grid)
        part.legend(
            handles=[_handle(label, look) for label, look in self._looks.items()],
            loc="outside lower center",
            ncols=self._columns(width),
        )


def _looks(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how each line looks; random noise and bicubic, which others are read against, are grey."""
    first = [label for label in labels if label in (RANDOM_LABEL, "bicubic")]
    grey = {"color": style.GREY, "marker": "", "linestyle": ":"}
    others = [label for label in labels if label not in first]
    return dict.fromkeys(first, grey) | {label: style.line(n) for n, label in enumerate(others)}


def _handle(label: str, look: dict[str, Any]) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **look)


def _panel(axis: Axes, lines: Iterable[tuple[PlottedCurve, dict[str, Any]]]) -> None:
    for curve, look in lines:
        xs = [x for x, _ in curve.points]
        means = [mean for _, mean in curve.points]
        axis.plot(xs, [mean.value for mean in means], **look)
        low, high = [mean.low for mean in means], [mean.high for mean in means]
        axis.fill_between(xs, low, high, color=look["color"], alpha=0.12, linewidth=0)
