"""Draw which images of an entry are measured again, by a chance that whoever made it cannot have known."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

from srbench.store.record import Record

IMAGES = 24
"""So many images of every data set are measured again: all of one that has no more."""
_EXAMPLES = (1, 2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Draw:
    """Hold which images of an entry are measured again.

    Attributes:
        seed: what they were drawn with: whoever checks an entry draws anew, and names it to repeat a check.
        of: how many images the entry has, by data set.
        chosen: those drawn, by data set.
    """

    seed: int
    of: dict[str, int]
    chosen: dict[str, frozenset[str]]

    def lines(self) -> Iterator[str]:
        """Yield what was drawn of every data set, and how likely changed images are missed, a line each."""
        for dataset, of in self.of.items():
            drawn = len(self.chosen[dataset])
            if drawn == of:
                yield f"all {of} images of {dataset} are measured again"
                continue
            chances = [f"{k}: {missed(of, drawn, k):.2g}" for k in _EXAMPLES if k <= of - drawn]
            yield (
                f"{drawn} of {of} images of {dataset} are measured again, drawn with --seed {self.seed}; "
                f"chance that none of so many changed images is among them: {', '.join(chances)}"
            )


def draw_images(records: Sequence[Record], count: int, seed: int | None = None) -> Draw:
    """Draw images of every data set in an entry.

    Args:
        count: how many of each; all of one that has no more.
        seed: None for one that nobody knows. An entry can be made to fit a seed that is known beforehand.
    """
    seed = secrets.randbits(64) if seed is None else seed
    images: dict[str, set[str]] = {}
    for record in records:
        images.setdefault(record.dataset, set()).add(record.image)
    chosen = {}
    for dataset, names in images.items():
        # Its own generator for each data set: no set decides what is drawn of another.
        drawn = random.Random(f"{seed} {dataset}").sample(sorted(names), min(count, len(names)))
        chosen[dataset] = frozenset(drawn)
    return Draw(seed, {dataset: len(names) for dataset, names in images.items()}, chosen)


def missed(of: int, drawn: int, changed: int) -> float:
    """Return the chance that none of the changed images is among those drawn.

    >>> round(missed(24, 2, 22), 5)
    0.00362
    >>> missed(24, 24, 1)
    0.0
    """
    return comb(of - changed, drawn) / comb(of, drawn)
