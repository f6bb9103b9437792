"""Make leaderboards/lpips-lite.md: how well lpips-lite says what LPIPS would, on images new to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, pearsonr, spearmanr

from srbench.boards.markdown import markdown_table
from srbench.store.record import Record

TRUE, LITE = "lpips", "lpips-lite"
WANTED = 0.97
"""lpips-lite may stand in for LPIPS from this Spearman on, on SR of networks and images new to it."""


def agreement(records: Sequence[Record], learnt_from: Collection[str]) -> str:
    """Return correlations and errors by kind of image, and how either distance orders the models.

    Images on which some model lacks either distance are left out, of all models, so that every mean is over
    the same ones.

    Args:
        records: of images on which the metrics were measured.
        learnt_from: models whose SR was among the pairs lpips-lite was learnt from.
    """
    distances = pd.DataFrame(
        {
            "model": record.model,
            "seen": record.model in learnt_from,
            "dataset": record.dataset,
            "attack": record.attack,
            TRUE: record.metrics[TRUE],
            LITE: record.metrics[LITE],
        }
        for record in _shared(records)
    )
    clean, unseen = distances[distances.attack == "none"], distances[~distances.seen]
    decisive = clean[~clean.seen]
    groups = [
        ("SR, networks it has not seen", decisive),
        *((f"of it, {name}", part) for name, part in decisive.groupby("dataset")),
        *((f"the same under {name}", part) for name, part in unseen.groupby("attack") if name != "none"),
        ("SR, networks it was learnt from", clean[clean.seen]),
        ("everything", distances),
    ]
    rows = [[name, *_row(part)] for name, part in groups]
    header = ["Images", "n", "Spearman", "Pearson", "Mean error", "Largest error"]
    reached = float(spearmanr(decisive[TRUE], decisive[LITE]).statistic)
    verdict = "reached" if reached >= WANTED else "not reached"
    return "\n\n".join(
        [
            markdown_table(header, rows, left=(0,)),
            f"Wanted: a Spearman correlation of {WANTED} in the first row ({verdict}: {reached:.4f}).",
            "## Models in order",
            _order(clean),
        ]
    )


def _shared(records: Sequence[Record]) -> list[Record]:
    """Return the records of images on which every record has both distances."""
    lacking = {
        (r.dataset, r.attack, r.image)
        for r in records
        if r.metrics.get(TRUE) is None or r.metrics.get(LITE) is None
    }
    return [r for r in records if (r.dataset, r.attack, r.image) not in lacking]


def _row(part: pd.DataFrame) -> list[str]:
    error = (part[LITE] - part[TRUE]).abs()
    correlations = (f(part[TRUE], part[LITE]).statistic for f in (spearmanr, pearsonr))
    return [str(len(part)), *(f"{c:.4f}" for c in correlations), f"{error.mean():.4f}", f"{error.max():.4f}"]


def _order(clean: pd.DataFrame) -> str:
    """Return means over sets of the means over images, and the places they give."""
    means = clean.groupby(["model", "dataset"])[[TRUE, LITE]].mean().groupby("model").mean()
    means = means.sort_values(TRUE)
    places = means.rank().astype(int)
    columns = (means[TRUE], means[LITE], places[TRUE], places[LITE])
    rows = [
        [str(model), f"{true:.4f}", f"{lite:.4f}", str(first), str(second)]
        for model, true, lite, first, second in zip(means.index, *columns, strict=True)
    ]
    tau = float(kendalltau(np.array(means[TRUE]), np.array(means[LITE])).statistic)
    table = markdown_table(["Model", "LPIPS", "LPIPS-lite", "place", "by LPIPS-lite"], rows, left=(0,))
    return f"{table}\n\nKendall's tau of the two orders: {tau:.3f}."
