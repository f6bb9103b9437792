"""Say what a table says, as words and cells; the terminal, Markdown and LaTeX writers share it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from srbench.boards.stats import LEAST, Mean
from srbench.boards.table import Column, Row, Table, row_key
from srbench.metrics import metric
from srbench.support.scales import SCALE

DASH = "–"
WORDS = (1, 2)
"""These columns of a leaderboard hold words: model, trained for."""
MOST_FLAGS = 4
"""So many flags are named where notes are brief."""
OPEN, CLOSE = "\x02", "\x03"
"""A bold cell stands between these until its format has escaped it; only cells of numbers are bold."""
MARKS = {"in-domain": "●", "out-of-domain": "○", "generalist": "◆", "": ""}
SHARED = (
    "A rank is 1 plus the number of rows that are certainly better: the 95 % interval of the paired "
    "difference, on the same images of six photographs or more, leaves out zero. 2–4: at best second, at "
    "worst fourth"
)
FEWER = (
    "A value with (2 of 4) is a mean over 2 of 4 images, as the metric is undefined or was not measured on "
    "the others: it is not comparable, has no interval, and is never best"
)
AREA = (
    "An area is the mean over the radii from 0, the clean input, to the largest, by the trapezoidal rule and "
    "averaged over the data sets; of bicubic's: divided by bicubic's under the same attack; of noise's: "
    "divided by the model's own under random noise of the same radii"
)
BRIEFLY = {
    SHARED: "2–4: at best second, at worst fourth, by the 95 % intervals of paired differences",
    FEWER: "(2 of 4): a mean over 2 of 4 images, which is not comparable and has no interval",
}
LEGEND = (
    "● trained for this degradation, ○ trained for another, ◆ trained for none in particular "
    "(adversarial or broad random degradations)"
)
BRIEFLY[LEGEND] = "● trained for this degradation, ○ for another, ◆ for none in particular"


def rank(row: Row) -> str:
    """Return the rank, with the worst rank the uncertainty allows: ``2`` or ``2–4``; a dash if not ranked."""
    if row.rank is None or row.rank_interval is None:
        return DASH
    best, last = row.rank_interval
    return f"{best}" if best == last else f"{best}–{last}"


def ranks_are_shared(table: Table) -> bool:
    """Return whether the uncertainty allows some row another rank than its own."""
    return any(row.rank_interval and len(set(row.rank_interval)) > 1 for row in table.rows)


def value(name: str, mean: Mean | None) -> str:
    """Return a mean with the digits the metric deserves, and of how many images if not of all; or a dash."""
    if mean is None or mean.n == 0:
        return DASH
    shown = f"{mean.value:.{metric(name).decimals}f}"
    return shown if mean.whole else f"{shown} ({mean.n} of {mean.of})"


def interval(name: str, mean: Mean | None) -> str:
    """Return the 95 % interval, or a dash where there is none, as with a single image."""
    if mean is None or not math.isfinite(mean.low):
        return DASH
    digits = metric(name).decimals
    return f"{mean.low:.{digits}f} to {mean.high:.{digits}f}"


def heading(name: str) -> str:
    """Return a metric's title and direction."""
    return f"{metric(name).title} {metric(name).arrow}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _undefined_for_all(table: Table) -> list[str]:
    """Say which metrics are undefined for every row on some images, so that all means are over the others."""
    counts = {key: mean.of for row in table.rows for key, mean in row.means.items()}
    return [
        f"{metric(name).title} is undefined for every row on {table.images[column] - of} of "
        f"{table.images[column]} images of {table.column_title(column)}: no mean is over these."
        for (name, column), of in sorted(counts.items())
        if of < table.images[column]
    ]


def fewer_images(table: Table) -> bool:
    """Return whether some mean is not over every image."""
    return any(not mean.whole for row in table.rows for mean in row.means.values())


def domain(name: str) -> str:
    """Return a training domain; a dash where nothing was learnt, ``?`` where nobody knows."""
    return {"none": DASH, "unknown": "?"}.get(name, name)


def trained_for(row: Row) -> str:
    """Return the training domain; where only the model's name says it, ``?`` stands behind it."""
    shown = domain(row.training_domain)
    return f"{shown}?" if row.identity else shown


def title(table: Table, attack: str) -> str:
    """Return one line that names the table."""
    sets = ", ".join(table.column_title(c) for c in table.columns_of(attack))
    under = "" if attack == "none" else f" under {attack}"
    at = "" if table.scale == SCALE else f"x{table.scale} · "
    return f"{sets}{under} · {at}protocol {table.protocol} ({table.protocol_hash[:8]})"


def worst(table: Table, row: Row, attack: str) -> str:
    """Return the worst mean of the ranking metric over the data sets, or a dash if not all are there."""
    if attack not in row.worst:
        return DASH
    return f"{row.worst[attack]:.{metric(table.rank_by).decimals}f}"


def best(table: Table, name: str, column: Column | str) -> float | None:
    """Return the best mean of a metric in a column, or of its average over an attack's columns.

    Means that are not over all images are left out: the best of them may only lack its worst image.
    """
    found = (
        row.average.get((name, column)) if isinstance(column, str) else row.means.get((name, column))
        for row in table.rows
    )
    means = [mean.value for mean in found if mean and mean.whole]
    if len(means) < 2:
        return None
    return max(means) if metric(name).higher_is_better else min(means)


def marked(words: str) -> str:
    """Put :data:`OPEN` and :data:`CLOSE` around what a format will make bold."""
    return f"{OPEN}{words}{CLOSE}"


def grid(
    table: Table,
    attack: str,
    bold: Callable[[str], str] = marked,
    metrics: Sequence[str] | None = None,
    between: str = " ",
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a leaderboard under one attack, metrics side by side.

    Args:
        bold: makes the best value of a column stand out, as the format does that.
        metrics: the metrics shown; all if None. What ranks is said where the ranking metric is shown.
        between: what stands between a metric and a data set in the header.
    """
    metrics = table.metrics if metrics is None else metrics
    columns = table.columns_of(attack)
    several = len(columns) > 1

    def cell(name: str, column: Column | str, mean: Mean | None) -> str:
        shown = value(name, mean)
        is_best = mean and mean.whole and mean.value == best(table, name, column)
        return bold(shown) if is_best else shown

    header = ["#", "Model", "Trained for"]
    for name in metrics:
        header += [f"{heading(name)}{between}{table.column_title(column)}" for column in columns]
        header += [f"{heading(name)}{between}Avg"] if several else []
    ranked = table.rank_by in metrics
    if ranked:
        ranking = metric(table.rank_by).title
        header += [f"{ranking}{between}{words}" for words in (["95 %", "worst"] if several else ["95 %"])]
    rows = []
    for row in table.rows:
        cells = [rank(row), row.label, trained_for(row)]
        for name in metrics:
            for column in columns:
                mean = row.means.get((name, column))
                mark = MARKS[row.marks[column]] if name == table.rank_by and mean else ""
                cells.append(f"{cell(name, column, mean)} {mark}".strip())
            if several:
                cells.append(cell(name, attack, row.average.get((name, attack))))
        if ranked:
            cells.append(interval(table.rank_by, row.average.get((table.rank_by, attack))))
            cells += [worst(table, row, attack)] if several else []
        rows.append(cells)
    return header, rows


def robustness(table: Table) -> tuple[list[str], list[list[str]]] | None:
    """Return header and rows of the summary over attacks: PSNR and the ranking metric, over the sets."""
    if len(table.attacks) < 2:
        return None
    names = list(dict.fromkeys([m for m in ("psnr",) if m in table.metrics] + [table.rank_by]))
    header = ["#", "Model", "Trained for"]
    header += [f"{heading(m)} {attack}" for m in names for attack in table.attacks]
    rows = [
        [rank(row), row.label, trained_for(row)]
        + [value(m, row.average.get((m, attack))) for m in names for attack in table.attacks]
        for row in table.rows
    ]
    return header, rows


def brief_notes(table: Table, *, marked: bool = True) -> list[str]:
    """Return :func:`notes` for a terminal: the explanations and the flags in few words.

    Args:
        marked: whether marks are shown, which have to be explained.
    """
    flags = [f"Flag: {_beginning(flag)}" for flag in table.flags[:MOST_FLAGS]]
    more = len(table.flags) - MOST_FLAGS
    lines = []
    for line in notes(table):
        if line.startswith("Flag: "):
            lines += flags
            flags = []
        elif (marked or line != f"{LEGEND}.") and (table.photographs >= LEAST or line != f"{SHARED}."):
            said = line.removesuffix(".")
            lines.append(f"{BRIEFLY.get(said, said)}.")
    return [*lines, *([f"{_counted(more, 'flag')} more."] if more > 0 else [])]


def _beginning(flag: str) -> str:
    """Return the first thing that a flag says, with three dots where it says more."""
    begun = ": ".join(flag.partition("; ")[0].split(": ")[:2])
    return f"{begun}." if begun == flag else f"{begun} …"


def notes(table: Table) -> list[str]:
    """Return what a reader must know: the ranking metric, subsets, rows that are not ranked, the legend."""
    lines = []
    ranking = f"Ranked by {metric(table.rank_by).title}, averaged over the data sets"
    if table.rank_by != table.rank_choice:
        chosen = metric(table.rank_choice).title
        ranking += f": the protocol ranks by {chosen}, which was not measured for every row"
    images = sum(table.images[column] for column in table.columns_of(table.attacks[0]))
    shown = _counted(table.photographs, "photograph" if table.recorded else "image")
    if not table.recorded:
        lines.append(f"{ranking}. Intervals: 95 %, bootstrap over images.")
    elif table.photographs == images:
        lines.append(f"{ranking}. Intervals: 95 %, bootstrap over {shown}.")
    else:
        lines.append(f"{ranking}. Intervals: 95 %, bootstrap over the {shown} that {images} images show.")
    if table.photographs < LEAST and len(table.rows) > 1:
        lines.append(f"{shown} make{'s' * (table.photographs == 1)} no rank certain: {LEAST} are needed.")
    if ranks_are_shared(table):
        lines.append(SHARED + ".")
    for column in table.columns:
        if table.images[column] < table.complete[column]:
            name = table.column_title(column)
            lines.append(f"Only {table.images[column]} of {table.complete[column]} images of {name}.")
    lines += _undefined_for_all(table)
    if fewer_images(table):
        lines.append(FEWER + ".")
    lines += [f"Flag: {flag}." for flag in table.flags]
    lines += [f"{row.label} is not ranked: {row.partial}." for row in table.rows if row.partial]
    if any(mark for row in table.rows for mark in row.marks.values()):
        lines.append(LEGEND + ".")
    return list(dict.fromkeys(lines))


def areas(table: Table) -> tuple[list[str], list[list[str]]] | None:
    """Return header and rows of the areas under robustness curves; None where no attack has two radii."""
    if not table.areas:
        return None
    rank_by, labels = table.rank_by, {row_key(row): row.label for row in table.rows}
    header = ["Model", "Attack", "eps", f"{heading(rank_by)} area", "95 %"]
    header += ["of bicubic's", "95 %", "of noise's", "95 %"]
    rows = []
    for area in table.areas:
        norm = "" if area.norm == "linf" else f" {area.norm}"
        cells = [labels[area.row], area.attack, f"0 to {area.radii[-1]:g}{norm}"]
        cells += [value(rank_by, area.value), interval(rank_by, area.value)]
        for ratio in (area.over_bicubic, area.over_noise):
            cells.append(f"{ratio.value:.3f}" if ratio else DASH)
            known = ratio is not None and math.isfinite(ratio.low)
            cells.append(f"{ratio.low:.3f} to {ratio.high:.3f}" if ratio and known else DASH)
        rows.append(cells)
    return header, rows
