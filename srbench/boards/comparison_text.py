"""What a comparison of two models says: a sentence, and a table of the data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from srbench.boards import text
from srbench.boards.comparison import Pair
from srbench.boards.paired import Difference
from srbench.metrics import metric

HEADER = ("Data set", "Difference", "95 %", "Won", "Equal", "p", "p (Holm)")


def words(pair: Pair) -> str:
    """What can be said of the two, and how sure it is."""
    found = pair.compared.overall
    titles = [pair.title(column) for column in pair.compared.sets]
    where = f"averaged over {_listed(titles)}" if len(titles) > 1 else f"on {titles[0]}"
    under = "" if pair.attack == "none" else f" under {pair.attack}"
    title, digits = metric(pair.metric).title, metric(pair.metric).decimals
    equal = found.images - found.wins - found.losses
    if equal == found.images:
        both = f"{pair.first} and {pair.second} are equal{under}"
        return " ".join([f"{both}: the same {title} on all of {equal} images {where}.", *_lone(pair)])
    # The better one is the subject; where none is, the first.
    turned = pair.better == pair.second
    one, other = (pair.second, pair.first) if turned else (pair.first, pair.second)
    by = f"{'higher' if (found.value > 0) != turned else 'lower'} by {abs(found.value):.{digits}f}"
    won = f"wins {found.losses if turned else found.wins} of {found.images} images"
    won += f" and equals {other} on {equal}" if equal else ""
    if pair.better:
        low, high = sorted((abs(found.low), abs(found.high)))
        span = f"(95 %: {low:.{digits}f} to {high:.{digits}f})"
        said = f"{one} is better than {other}{under}: {title} {by} {span} {where}; it {won}."
    else:
        why = "a data set with a single image gives no interval"
        if not math.isnan(found.low):
            span = f"{found.low:.{digits}f} to {found.high:.{digits}f}"
            why = f"the 95 % interval of the difference holds zero ({span})"
        said = f"Neither {one} nor {other} is certainly better{under}: "
        said += f"{one} has {title} {by} {where} and {won}, but {why}."
    return " ".join([said, *_tested(pair), *_lone(pair)])


def _tested(pair: Pair) -> list[str]:
    """What the signed-rank tests say, and whether that is what the interval says."""
    shown = []
    for column, (_, _, test) in pair.compared.sets.items():
        why = f" ({test.reason})" if test.reason else ""
        shown.append(f"p {_p(pair.corrected[column], '= ')} on {pair.title(column)}{why}")
    corrected = f" with Holm's correction over {pair.tests} tests" if pair.tests > 1 else ""
    said = [f"Wilcoxon signed-rank{corrected}: {_listed(shown)}."]
    if pair.better and not pair.significant:
        said.append("That test does not confirm it on any data set at the 5 % level.")
    # What an average hides: a data set on which it is not so.
    apart = {column: model for column, model in pair.significant.items() if model != pair.better}
    if apart:
        alone = [f"{model} is better on {pair.title(column)}" for column, model in apart.items()]
        said.append(f"By that test {_listed(alone)}.")
    return said


def _lone(pair: Pair) -> list[str]:
    lone = pair.compared.lone
    return [f"Left out: {lone} images that only one of them was measured on."] if lone else []


def _p(value: float, equals: str = "") -> str:
    return "< 0.0001" if value < 0.0001 else f"{equals}{value:.4f}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def grid(pair: Pair) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table: each data set, then their average. Differences are first minus second."""
    digits = metric(pair.metric).decimals

    def line(place: str, found: Difference, means: Sequence[float], tests: Sequence[str]) -> list[str]:
        span = (
            f"{found.low:+.{digits}f} to {found.high:+.{digits}f}" if math.isfinite(found.low) else text.DASH
        )
        return [
            place,
            *(f"{mean:.{digits}f}" for mean in means),
            f"{found.value:+.{digits}f}",
            span,
            f"{found.wins} of {found.images}",
            str(found.images - found.wins - found.losses),
            *tests,
        ]

    sets = pair.compared.sets
    rows = [
        line(pair.title(column), found, means, [_p(test.p), _p(pair.corrected[column])])
        for column, (found, means, test) in sets.items()
    ]
    if len(sets) > 1:
        average = [sum(means[side] for _, means, _ in sets.values()) / len(sets) for side in (0, 1)]
        rows.append(line("average", pair.compared.overall, average, [text.DASH, text.DASH]))
    return [HEADER[0], pair.first, pair.second, *HEADER[1:]], rows
