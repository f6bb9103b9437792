"""Two models on the same images: the difference of their means and how sure it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from srbench.boards.stats import resample_counts, resampled_means
from srbench.errors import BadInput
from srbench.records import Record


@dataclass(frozen=True)
class Difference:
    """The first model's mean minus the second's.

    Attributes:
        value: mean over images within a data set, then over data sets.
        low, high: 95 % interval, bootstrap over images, the same draws for both models; NaN where a data set
            has a single image, which says nothing of others.
        wins: images on which the first model has the lower value.
        images: images both were measured on.
    """

    value: float
    low: float
    high: float
    wins: int
    images: int

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def difference(
    records: Iterable[Record], first: str, second: str, metric: str, attack: str = "none"
) -> Difference:
    """The paired difference over all data sets on which both models have records.

    Args:
        records: of one protocol; of one version of each model and data set.
        first, second: names of models.
        attack: name of the attack, ``none`` for the images as they are.

    Raises:
        BadInput: no image has the metric for both.
    """
    values: dict[tuple[str, str], dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        value = record.metrics.get(metric)
        if record.attack == attack and record.model in (first, second) and value is not None:
            values[record.dataset, record.dataset_hash][record.image][record.model] = value
    means, draws, wins, images, alone = [], [], 0, 0, False
    for (_, dataset_hash), found in sorted(values.items()):
        pairs = [found[image] for image in sorted(found) if len(found[image]) == 2]
        if not pairs:
            continue
        apart = np.array([pair[first] - pair[second] for pair in pairs], dtype=np.float64)
        means.append(float(apart.mean()))
        draws.append(resampled_means(apart, resample_counts(len(apart), dataset_hash)))
        wins += int((apart < 0).sum())
        images += len(apart)
        alone |= len(apart) == 1
    if not means:
        raise BadInput(f"{first} and {second} have no image with {metric} in common under {attack}")
    low, high = (np.nan, np.nan) if alone else np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    return Difference(float(np.mean(means)), float(low), float(high), wins, images)
