"""Draw LR, every model's SR and HR side by side, framed by training domain: the paper's Figs. 1, 4, 5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from srbench.boards.site.explorer import Box
from srbench.boards.text import MARKS, heading
from srbench.datasets.base import Pixels
from srbench.figures import style
from srbench.figures.strips import Panel, Strip
from srbench.metrics import metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 6
"""A line has at most so many panels."""
# In inches.
GAP, MARGIN = 0.06, 0.03
TITLE, NAME, VALUES, BETWEEN, KEY = 0.2, 0.14, 0.14, 0.08, 0.36
OVERVIEW = 480
"""The longer side of the whole image is shrunk to so many pixels."""
NAME_SIZES = (4.5, 7.0)
"""The models' names are set in a font between these sizes, in points."""


@style.style()
def draw(strips: Sequence[Strip]) -> Figure:
    """Draw the figure, as wide as a page of two columns.

    Args:
        strips: the rows, top to bottom; at least one.
    """
    most = max(_count(strip) for strip in strips)
    lines = math.ceil(most / ACROSS)
    across = math.ceil(most / lines)
    side = (style.PAGE - 2 * MARGIN - (across - 1) * GAP) / across
    heights = [_height(strip, across, side) for strip in strips]
    figure = style.figure(style.PAGE, sum(heights) + KEY)
    page = _Page(figure, across, side, _name_size(figure, strips, side))
    top = sum(heights) + KEY
    for strip, height in zip(strips, heights, strict=True):
        page.strip(strip, top)
        top -= height
    _key(figure, strips)
    return figure


def _count(strip: Strip) -> int:
    """Count the panels of a row: the whole image, LR, the models, HR."""
    return 2 + len(strip.panels) + (strip.hr is not None)


def _height(strip: Strip, across: int, side: float) -> float:
    lines = math.ceil(_count(strip) / across)
    return TITLE + lines * (NAME + side * strip.box[3] / strip.box[2] + VALUES) + BETWEEN


class _Page:
    """Place panels by their position in inches, so that all of a figure's crops have one size."""

    def __init__(self, figure: Figure, across: int, side: float, name_size: float) -> None:
        self._figure, self._across, self._side, self._name_size = figure, across, side, name_size

    def strip(self, strip: Strip, top: float) -> None:
        """Draw one row of the figure, whose upper edge is so many inches above the figure's lower one."""
        x, y, width, height = strip.box
        words = [strip.image, f"{width} × {height} pixels at ({x}, {y})"]
        if strip.attack != "none":
            words.insert(1, f"under {strip.attack}" + (", made on each model" if strip.own_noise else ""))
        across, up = self._figure.get_size_inches()
        place = (MARGIN / across, (top - 0.12) / up)
        name = self._figure.text(*place, strip.dataset, fontsize=7.5, weight="bold", va="center")
        right = name.get_window_extent().x1 / self._figure.dpi + 0.12
        self._figure.text(right / across, place[1], "  ·  ".join(words), fontsize=7, va="center")
        crop = self._side * height / width
        axes = [
            self._axes(
                MARGIN + (place % self._across) * (self._side + GAP),
                top - TITLE - (place // self._across) * (NAME + crop + VALUES) - NAME - crop,
                crop,
            )
            for place in range(_count(strip))
        ]
        title = "HR, whole" if strip.hr is not None else "LR, whole, bicubic"
        self._whole(axes[0], title, strip.whole, strip.box)
        self._crop(axes[1], strip.lr_name, strip.lr)
        best = _best(strip.panels)
        for axis, panel in zip(axes[2:], strip.panels, strict=False):
            mark = f"{MARKS[panel.mark]} " if panel.mark else ""
            self._crop(
                axis, mark + panel.name, panel.pixels, style.MARK_COLOURS[panel.mark], bool(panel.mark)
            )
            _values(axis, panel, best)
        if strip.hr is not None:
            self._crop(axes[-1], "HR", strip.hr)

    def _axes(self, left: float, bottom: float, height: float) -> Axes:
        across, up = self._figure.get_size_inches()
        return self._figure.add_axes((left / across, bottom / up, self._side / across, height / up))

    def _crop(
        self, axis: Axes, name: str, pixels: Pixels, colour: str = style.GREY, coloured: bool = False
    ) -> None:
        # "none" leaves the pixels of a PDF as they are; a PNG shows each as a square.
        axis.imshow(pixels, interpolation="none", aspect="auto")
        _frame(axis, colour, 1.8 if coloured else 0.6)
        axis.set_title(name, fontsize=self._name_size, pad=2.5, color=colour if coloured else style.BLACK)

    def _whole(self, axis: Axes, name: str, pixels: Pixels, box: Box) -> None:
        from matplotlib.patches import Rectangle
        from PIL import Image

        share = min(1.0, OVERVIEW / max(pixels.shape[:2]))
        height, width = (max(1, round(side * share)) for side in pixels.shape[:2])
        small = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        axis.imshow(np.asarray(small), interpolation="none", aspect="equal")
        x, y, wide, high = (side * share for side in box)
        for colour, line in (("white", 2.0), (style.BLACK, 0.8)):
            edge = Rectangle((x - 0.5, y - 0.5), wide, high, fill=False, edgecolor=colour, linewidth=line)
            axis.add_patch(edge)
        _frame(axis, style.GREY, 0.6)
        axis.set_title(name, fontsize=self._name_size, pad=2.5)


def _frame(axis: Axes, colour: str, width: float) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=width)


def _best(panels: Sequence[Panel]) -> dict[str, float]:
    """Return the best value of each metric as it is printed, where there are several to compare."""
    best = {}
    for name in panels[0].values if len(panels) > 1 else ():
        printed = [round(v, metric(name).decimals) for p in panels if (v := p.values[name]) is not None]
        if printed:
            best[name] = max(printed) if metric(name).higher_is_better else min(printed)
    return best


def _values(axis: Axes, panel: Panel, best: dict[str, float]) -> None:
    """Write the metrics below a panel, from its left edge to its right one."""
    places = {1: [(0.5, "center")], 2: [(0.0, "left"), (1.0, "right")]}.get(len(panel.values), [])
    for (name, value), (x, side) in zip(panel.values.items(), places, strict=False):
        digits = metric(name).decimals
        words = "–" if value is None else f"{value:.{digits}f}"
        bold = value is not None and round(value, digits) == best.get(name)
        axis.annotate(
            words,
            (x, 0),
            xycoords="axes fraction",
            xytext=(0, -2.5),
            textcoords="offset points",
            ha=side,
            va="top",
            fontsize=6.5,
            weight="bold" if bold else "normal",
        )


def _name_size(figure: Figure, strips: Sequence[Strip], side: float) -> float:
    """Return the largest font size with which every name is no wider than its panel."""
    small, large = NAME_SIZES
    names = {f"{MARKS[panel.mark]} {panel.name}" for strip in strips for panel in strip.panels}
    widest = 0.0
    for name in sorted(names):
        drawn = figure.text(0, 0, name, fontsize=large)
        widest = max(widest, drawn.get_window_extent().width / figure.dpi)
        drawn.remove()
    return max(small, min(large, large * side / widest if widest else large))


def _key(figure: Figure, strips: Sequence[Strip]) -> None:
    """Draw what frames, marks and numbers mean."""
    marks = {panel.mark for strip in strips for panel in strip.panels}
    kinds = sorted({tuple(panel.values) for strip in strips for panel in strip.panels}, key=len, reverse=True)
    up = figure.get_figheight()
    figure.legend(
        handles=style.domain_key(marks),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.15 / up),
        ncols=3,
        borderaxespad=0,
        handlelength=1.6,
        columnspacing=1.6,
    )
    metrics = ", or ".join(" and ".join(heading(name) for name in kind) for kind in kinds if kind)
    words = f"Below each: {metrics}, of the whole image; best in bold" if metrics else ""
    figure.text(0.5, 0.07 / up, words, ha="center", va="center", fontsize=6.5)
