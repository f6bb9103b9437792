"""Read the text form of objectives and spell it canonically, without loading any network.

Written as sums of terms with positive weights: ``l1``, ``0.01*l1+vgg19``, ``l1+percep``, ``10*mse+lpips``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from srbench.errors import BadInput

# Terms in their canonical order, each with its other names.
TERMS: dict[str, tuple[str, ...]] = {
    "l1": (),
    "mse": (),
    "vgg19": ("vgg", "percep", "perceptual"),
    "lpips-alex": ("lpips",),
    "lpips-squeeze": (),
    "lpips-lite": (),
    "cos-mse": ("cospgd",),
}
NEEDS_NO_DOWNLOAD = ("l1", "mse", "lpips-lite", "cos-mse")
"""These terms can be had everywhere: they are arithmetic, or their weights come with srbench."""
_TERM = re.compile(r"(?:(?P<weight>[0-9.]+(?:e-?[0-9]+)?)\*)?(?P<name>[a-z][a-z0-9-]*)")


def parse_terms(text: str) -> list[tuple[float, str]]:
    """Return weights and canonical names in canonical order.

    Raises:
        BadInput: the text cannot be read or names an unknown term.

    >>> from srbench.attacks.objectives_text import parse_terms
    >>> parse_terms("percep + 0.010*l1")
    [(0.01, 'l1'), (1.0, 'vgg19')]
    """
    aliases = {alias: name for name, others in TERMS.items() for alias in (name, *others)}
    sums: dict[str, float] = {}
    for word in text.lower().replace(" ", "").split("+"):
        match = _TERM.fullmatch(word)
        if not match or match["name"] not in aliases:
            raise BadInput(
                f"objective '{text}' cannot be read at '{word}': write for example 0.01*l1+vgg19; "
                f"the terms are {', '.join(TERMS)}"
            )
        name = aliases[match["name"]]
        try:
            weight = float(match["weight"] or 1)
        except ValueError:
            raise BadInput(f"'{match['weight']}' is not a weight in objective '{text}'") from None
        check_weight(weight, name)
        sums[name] = sums.get(name, 0.0) + weight
    return [(sums[name], name) for name in sorted(sums, key=rank)]


def canonical(text: str) -> str:
    """Return the one spelling of an objective.

    Raises:
        BadInput: the text cannot be read or names an unknown term.

    >>> from srbench.attacks.objectives_text import canonical
    >>> canonical("percep + 0.010*l1")
    '0.01*l1+vgg19'
    """
    return join(parse_terms(text))


def rank(name: str) -> tuple[int, str]:
    """Return the sort key of a term: terms go in their canonical order, unknown ones last by name.

    >>> from srbench.attacks.objectives_text import rank
    >>> sorted(["vgg19", "theirs", "l1"], key=rank)
    ['l1', 'vgg19', 'theirs']
    """
    order = list(TERMS)
    return (order.index(name) if name in TERMS else len(order), name)


def join(terms: Iterable[tuple[float, str]]) -> str:
    """Return weights and names as one text.

    >>> from srbench.attacks.objectives_text import join
    >>> join([(0.01, "l1"), (1, "vgg19")])
    '0.01*l1+vgg19'
    """
    return "+".join(name if weight == 1 else f"{weight:.12g}*{name}" for weight, name in terms)


def check_weight(weight: float, name: str) -> None:
    """Refuse a weight that is not positive and finite.

    Raises:
        BadInput: it is not.
    """
    if not (math.isfinite(weight) and weight > 0):
        raise BadInput(f"the weight of {name} has to be positive: an attack makes its objective large")
