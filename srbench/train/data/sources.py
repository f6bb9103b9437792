"""Turn what a user writes after ``--data`` into one source of training images."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from srbench.datasets.base import Pixels
from srbench.errors import BadInput
from srbench.train.data.base import HRSource
from srbench.train.data.dead_leaves import DeadLeaves
from srbench.train.data.photographs import Photographs


def open_sources(
    specs: Sequence[str],
    *,
    patch: int,
    shrink: float | Sequence[float] = 1.0,
    hold_out: int = 0,
    held_out: bool = False,
) -> MixedSource:
    """Open the training images a user asked for.

    Args:
        specs: ``dead-leaves`` or a folder of images, each with a weight if wanted: ``dead-leaves*0.5``.
            The weight is 1 where none is given; only their ratios matter.
        patch: side of the crops that will be asked for, in pixels.
        shrink: factor by which photographs are scaled down first, or several, which share the folder's
            weight; procedural images are left as they are, having nothing to be cleaned of.
        hold_out: keep every so manieth photograph of each folder apart; 0 for none.
        held_out: open the photographs kept apart instead of the others; procedural images, no two of which
            are alike, are then left out, unless there is nothing else.

    Raises:
        BadInput: nothing named, something named twice, a weight that is not positive, or anything wrong
            with a folder (see :class:`~srbench.train.data.photographs.Photographs`).

    >>> source = open_sources(["dead-leaves"], patch=64)
    >>> source.crop(0, patch=64, seed=0).shape
    (64, 64, 3)
    >>> source.describe()
    'dead-leaves: procedural images, no two alike'
    """
    if not specs:
        raise BadInput(
            "no training images were named: give --data a folder of photographs, such as DIV2K's "
            "(`srbench datasets install div2k --training` fetches them), or dead-leaves, or both"
        )
    weights: dict[str, Fraction] = {}
    for spec in specs:
        name, weight = _parse(spec)
        if name in weights:
            raise BadInput(f"{name} is named twice: name it once, with a weight such as {name}*2")
        weights[name] = weight
    if held_out and any(name != DeadLeaves.name for name in weights):
        weights.pop(DeadLeaves.name, None)

    factors = (shrink,) if isinstance(shrink, int | float) else tuple(shrink)

    def open_one(name: str) -> list[HRSource]:
        if name == DeadLeaves.name:
            return [DeadLeaves()]
        if not Path(name).expanduser().is_dir():
            raise BadInput(f"'{name}' is neither {DeadLeaves.name} nor a folder of training images")
        return [
            Photographs(Path(name), patch=patch, shrink=factor, hold_out=hold_out, held_out=held_out)
            for factor in factors
        ]

    opened = [(open_one(name), weight) for name, weight in weights.items()]
    return MixedSource([(part, weight / len(parts)) for parts, weight in opened for part in parts])


def _parse(spec: str) -> tuple[str, Fraction]:
    name, star, text = spec.strip().rpartition("*")
    if not star or Path(spec).expanduser().is_dir():
        return spec.strip(), Fraction(1)
    try:
        number = float(text)
    except ValueError:
        raise BadInput(f"'{text}' in '{spec}' is not a weight: write such as dead-leaves*0.5") from None
    if not (math.isfinite(number) and number > 0):
        raise BadInput(f"the weight of '{spec}' is not a positive number: leave out what is not wanted")
    # A decimal fraction as it was written: 0.1 three times is to be 0.3.
    return name.strip(), Fraction(text.strip())


class MixedSource(HRSource):
    """Deals out samples of several sources in proportion.

    They are dealt out evenly rather than by chance, so that every stretch of indices, hence every batch,
    has its sources in proportion as closely as whole samples can.

    Args:
        parts: sources with positive weights.
    """

    def __init__(self, parts: Sequence[tuple[HRSource, Fraction]]) -> None:
        self._sources = tuple(source for source, _ in parts)
        weights = [weight for _, weight in parts]
        # The share of each source in what the sources before it left over.
        self._shares = tuple(weight / sum(weights[i:], Fraction(0)) for i, weight in enumerate(weights))
        total = sum(weights, Fraction(0))
        self._percent = tuple(f"{float(100 * weight / total):.3g} %" for weight in weights)
        self.name = ",".join(source.name for source in self._sources)
        rows = "".join(f"{source.content_hash}\t{weight / total}\n" for source, weight in parts)
        self.content_hash = hashlib.sha256(rows.encode()).hexdigest()

    def choose(self, index: int) -> tuple[int, int]:
        """Return the source of sample ``index``, by number, and how many samples that source gave before."""
        rest = index
        for number, share in enumerate(self._shares):
            before = rest * share.numerator // share.denominator
            if (rest + 1) * share.numerator // share.denominator > before:
                return number, before
            rest -= before
        raise AssertionError("the last share is 1")

    def crop(self, index: int, patch: int, seed: int) -> Pixels:
        number, own_index = self.choose(index)
        return self._sources[number].crop(own_index, patch, seed)

    def describe(self) -> str:
        if len(self._sources) == 1:
            return self._sources[0].describe()
        described = zip(self._percent, self._sources, strict=True)
        return "; ".join(f"{percent} {source.describe()}" for percent, source in described)
