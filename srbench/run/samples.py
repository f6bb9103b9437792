"""Put together what was measured of several outputs that one model made of one image."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

Values = dict[str, float | None]


def combined(
    samples: Sequence[tuple[Values, dict[str, str]]],
) -> tuple[Values, dict[str, str], dict[str, float]]:
    """Return the metrics' means over the samples, why some are undefined, and their standard deviations.

    A metric that is undefined for one sample is undefined. One sample has no spread.

    Args:
        samples: metrics by name and the reasons of those undefined, of one sample each; one at least.

    >>> combined([({"psnr": 27.0, "niqe": None}, {"niqe": "not finite"}), ({"psnr": 29.0, "niqe": 5.0}, {})])
    ({'psnr': 28.0, 'niqe': None}, {'niqe': 'not finite'}, {'psnr': 1.4142135623730951})
    """
    if len(samples) == 1:
        return *samples[0], {}
    means: Values = {}
    spread: dict[str, float] = {}
    for name in samples[0][0]:
        values = [value for sample, _ in samples if (value := sample[name]) is not None]
        means[name] = statistics.fmean(values) if len(values) == len(samples) else None
        if means[name] is not None:
            spread[name] = statistics.stdev(values)
    notes: dict[str, str] = {}
    for _, reasons in samples:
        notes = reasons | notes
    return means, notes, spread
