"""Style every figure and write it: PNG and PDF, the same bytes from the same records."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.boards.text import MARKS, heading
from srbench.errors import BadInput
from srbench.support.home import atomic_path, cannot_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLUMN, PAGE = 3.25, 6.875
"""A column and the page are this wide in the two-column style of CVPR and ICCV, in inches."""
DPI = 300

# Okabe and Ito's palette, whose colours stay apart for every kind of colour vision
# (https://jfly.uni-koeln.de/color/); its blue, vermilion and green are the paper's blue, red and green.
BLUE, RED, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
BLACK, GREY = "#000000", "#808080"
MARK_COLOURS = {"in-domain": BLUE, "out-of-domain": RED, "generalist": GREEN, "": GREY}
MARK_WORDS = {
    "in-domain": "trained for this degradation",
    "out-of-domain": "trained for another",
    "generalist": "trained for none in particular",
}
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
POINTS = "osD^vP*X<>"
DASHES = ("-", "--", "-.")

_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that no machine draws another one
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "text.parse_math": False,  # a model's name is text, whatever it holds
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "pdf.compression": 9,
}
_PICTURES = (".png", ".pdf")
_OTHERS = (".svg", ".eps", ".ps", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".bmp")


@contextmanager
def style() -> Iterator[None]:
    """Apply the style while a figure is drawn and written; the caller's own settings of matplotlib stay."""
    import matplotlib

    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    with matplotlib.rc_context(defaults | _SETTINGS):
        yield


def figure(width: float, height: float, **options: Any) -> Figure:
    """Make an empty figure, in inches, that no pyplot knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    blank = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(blank)
    return blank


def line(number: int) -> dict[str, Any]:
    """Return colour, marker and dashes of the line of a number; no two of the first seventy look alike."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": POINTS[number % len(POINTS)],
        "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
    }


def upright(name: str) -> str:
    """Return a metric's title and direction for a label that is read from below.

    Its arrow is turned back by what the label is turned, so that down is down on the page.

    >>> from srbench.figures.style import upright
    >>> upright("lpips")
    'LPIPS ←'
    """
    return heading(name).translate(str.maketrans("↓↑", "←→"))


def domain_key(marks: Container[str], *, coloured: bool = True) -> list[Line2D]:
    """Return the entries of a legend that says what those of the marks that are shown mean.

    Args:
        coloured: with the colours of the frames; without, the marks alone.
    """
    from matplotlib.lines import Line2D

    marker = {"●": "o", "○": "o", "◆": "D"}
    entries = []
    for domain, words in MARK_WORDS.items():
        if domain in marks:
            colour = MARK_COLOURS[domain] if coloured else BLACK
            look: dict[str, Any] = {"color": colour, "marker": marker[MARKS[domain]], "markeredgewidth": 1.0}
            look |= {"linestyle": "-" if coloured else "", "label": words}
            entries.append(
                Line2D([], [], markerfacecolor="white" if MARKS[domain] == "○" else colour, **look)
            )
    return entries


def inner(grid: Any) -> None:
    """Keep ticks and numbers of panels that share axes at the left and at the lowest one of a column only.

    Args:
        grid: what ``subplots(..., squeeze=False)`` gives.
    """
    for axis in grid[:, 1:].flat:
        axis.tick_params(left=False)
    for column in grid.T:
        visible = [axis for axis in column if axis.get_visible()]
        for axis in visible[-1:]:
            axis.tick_params(labelbottom=True)


def stem(out: Path) -> Path:
    """Return the path without .png or .pdf.

    Raises:
        BadInput: it ends like another format.
    """
    if out.suffix.lower() in _OTHERS:
        raise BadInput(f"--out {out}: figures are written as PNG and PDF; name it without {out.suffix}")
    return out.with_suffix("") if out.suffix.lower() in _PICTURES else out


def write(drawn: Figure, out: Path, dpi: int = DPI) -> list[Path]:
    """Write a figure as PNG and as PDF, each whole or not at all, without a date in either.

    Args:
        out: the path, with or without .png or .pdf.
        dpi: pixels of the PNG per inch.

    Returns:
        The two files.

    Raises:
        BadInput: the path ends like another format.
        RunFailed: it cannot be written.
    """
    # What tells nothing of the figure and would change with the day or the version is left out.
    metadata: dict[str, dict[str, None]] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    base = stem(out)
    files = [base.with_name(base.name + suffix) for suffix in _PICTURES]
    for file in files:
        with cannot_write(file, "name another --out"), style(), atomic_path(file) as temporary:
            drawn.savefig(temporary, format=file.suffix[1:], dpi=dpi, metadata=metadata[file.suffix])
    return files
