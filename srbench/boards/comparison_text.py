"""Say what a comparison of two models shows: some sentences, and a table of the data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from srbench.boards import text
from srbench.boards.comparison import Pair
from srbench.boards.paired import Difference
from srbench.metrics import metric

HEADER = ("Data set", "Difference", "95 %", "Won", "Equal", "p", "p (Holm)")


def verdict(pair: Pair) -> str:
    """Say what can be said of the two, and how sure it is."""
    overall = pair.comparison.overall
    titles = [pair.title(column) for column in pair.comparison.sets]
    where = f"averaged over {_listed(titles)}" if len(titles) > 1 else f"on {titles[0]}"
    under = "" if pair.attack == "none" else f" under {pair.attack}"
    title, digits = metric(pair.metric).title, metric(pair.metric).decimals
    equal = overall.images - overall.wins - overall.losses
    if equal == overall.images:
        both = f"{pair.first} and {pair.second} are equal{under}"
        return " ".join([f"{both}: the same {title} on all of {equal} images {where}.", *_lone(pair)])
    # The better one is the subject; where none is, the first.
    turned = pair.better == pair.second
    one, other = (pair.second, pair.first) if turned else (pair.first, pair.second)
    by = f"{'higher' if (overall.value > 0) != turned else 'lower'} by {abs(overall.value):.{digits}f}"
    won = f"wins {overall.losses if turned else overall.wins} of {overall.images} images"
    won += f" (of {overall.photographs} photographs)" if overall.recorded else ""
    won += f" and equals {other} on {equal}" if equal else ""
    if pair.better:
        low, high = sorted((abs(overall.low), abs(overall.high)))
        span = f"(95 %: {low:.{digits}f} to {high:.{digits}f})"
        outcome = f"{one} is better than {other}{under}: {title} {by} {span} {where}; it {won}."
    else:
        why = "a data set with a single image gives no interval"
        if not math.isnan(overall.low):
            span = f"{overall.low:.{digits}f} to {overall.high:.{digits}f}"
            why = f"the 95 % interval of the difference holds zero ({span})"
            if overall.low > 0 or overall.high < 0:
                shown = "photographs" if overall.recorded else "images"
                why = f"{overall.photographs} {shown} are too few to be certain (95 %: {span})"
        outcome = f"Neither {one} nor {other} is certainly better{under}: "
        outcome += f"{one} has {title} {by} {where} and {won}, but {why}."
    return " ".join([outcome, *_tested(pair), *_lone(pair)])


def _tested(pair: Pair) -> list[str]:
    """Say what the signed-rank tests show, and whether that is what the interval shows."""
    by_set = []
    for column, (_, _, test) in pair.comparison.sets.items():
        why = f" ({test.reason})" if test.reason else ""
        by_set.append(f"p {_p(pair.corrected[column], '= ')} on {pair.title(column)}{why}")
    corrected = f" with Holm's correction over {pair.tests} tests" if pair.tests > 1 else ""
    sentences = [f"Wilcoxon signed-rank{corrected}: {_listed(by_set)}."]
    if pair.better and not pair.significant:
        sentences.append("That test does not confirm it on any data set at the 5 % level.")
    # What an average hides: a data set on which it is not so.
    apart = {column: model for column, model in pair.significant.items() if model != pair.better}
    if apart:
        alone = [f"{model} is better on {pair.title(column)}" for column, model in apart.items()]
        sentences.append(f"By that test {_listed(alone)}.")
    return sentences


def _lone(pair: Pair) -> list[str]:
    """Say on how many images they were compared, if not on all, and which of them lacks the metric."""
    lone, images = pair.comparison.lone, pair.comparison.overall.images
    if not lone:
        return []
    title = metric(pair.metric).title
    lacking = zip((pair.first, pair.second), pair.comparison.lacking, strict=True)
    who = " and ".join(f"{model} has none on {count}" for model, count in lacking if count)
    return [f"Compared on {images} of {images + lone} images, those on which both have {title}: {who}."]


def _p(value: float, equals: str = "") -> str:
    return "< 0.0001" if value < 0.0001 else f"{equals}{value:.4f}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def difference_grid(pair: Pair) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table: each data set, then their average; first minus second."""
    digits = metric(pair.metric).decimals

    def line(place: str, gap: Difference, means: Sequence[float], tests: Sequence[str]) -> list[str]:
        span = f"{gap.low:+.{digits}f} to {gap.high:+.{digits}f}" if math.isfinite(gap.low) else text.DASH
        return [
            place,
            *(f"{mean:.{digits}f}" for mean in means),
            f"{gap.value:+.{digits}f}",
            span,
            f"{gap.wins} of {gap.images}",
            str(gap.images - gap.wins - gap.losses),
            *tests,
        ]

    sets = pair.comparison.sets
    rows = [
        line(pair.title(column), gap, means, [_p(test.p), _p(pair.corrected[column])])
        for column, (gap, means, test) in sets.items()
    ]
    if len(sets) > 1:
        average = [sum(means[side] for _, means, _ in sets.values()) / len(sets) for side in (0, 1)]
        rows.append(line("average", pair.comparison.overall, average, [text.DASH, text.DASH]))
    return [HEADER[0], pair.first, pair.second, *HEADER[1:]], rows
