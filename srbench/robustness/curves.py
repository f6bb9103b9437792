"""Robustness figures computed from records: curves over the radius, transfer matrices, corruptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from srbench.robustness.attack import RANDOM, records

if TYPE_CHECKING:
    from srbench.robustness.attack import AttackRun
    from srbench.store.record import Record


@dataclass(frozen=True)
class Effect:
    """Means over the images of one attack at one radius.

    Attributes:
        metrics: of SR of the attacked LR against HR.
        saved: the same after saving the attacked LR as an 8-bit file.
        lr_psnr, sr_psnr: dB; clean against attacked LR, and SR of the one against SR of the other
            (Choi et al. 2019).
        gain: SR damage per LR damage, sqrt(MSE of SR / MSE of LR).
        target_psnr, target_psnr_clean: dB; SR against what it was steered towards, and SR of the clean LR;
            None where the attack has no target.
        beyond_random: by metric, the share of the damage that random noise of the radius does not do.
    """

    metrics: dict[str, float]
    saved: dict[str, float]
    lr_psnr: float
    sr_psnr: float
    gain: float
    beyond_random: dict[str, float]
    target_psnr: float | None = None
    target_psnr_clean: float | None = None


@dataclass(frozen=True)
class Point:
    """One radius, in levels of 255: the effect of every attack, random noise first."""

    eps: float
    effects: dict[str, Effect]


@dataclass(frozen=True)
class Curve:
    """The clean metrics, and one point per radius whose records are complete."""

    clean: dict[str, float]
    points: list[Point]

    @property
    def attacks(self) -> list[str]:
        """Names, random noise first."""
        return list(self.points[0].effects) if self.points else []

    def area(self, attack: str, metric: str) -> float | None:
        """Return the mean of an attacked metric over the radii from 0 up, by the trapezoidal rule."""
        if not self.points or metric not in self.clean:
            return None
        xs = [0.0, *(point.eps for point in self.points)]
        ys = [self.clean[metric], *(point.effects[attack].metrics[metric] for point in self.points)]
        area: float = mean_over(xs, ys)
        return area


@dataclass(frozen=True)
class Transferred:
    """Means of one cell of the transfer matrix: noise of an attack made on one model, seen by another.

    Attributes:
        source: the model; "random" for random noise; the target itself for the white-box attack.
    """

    attack: str
    source: str
    target: str
    metrics: dict[str, float]


def curve(attack: AttackRun) -> Curve:
    """Compute the robustness curve of the attacked model."""
    rows_by_hash = records(attack)
    if "" not in rows_by_hash:
        return Curve({}, [])
    clean = means(rows_by_hash[""])
    points = []
    for eps, recipes in attack.recipes.items():
        if all(recipe.hash in rows_by_hash for recipe in recipes.values()):
            rows = {name: rows_by_hash[recipe.hash] for name, recipe in recipes.items()}
            noise = means(rows[RANDOM])
            points.append(Point(eps * 255, {n: _effect(row, clean, noise) for n, row in rows.items()}))
    return Curve(clean, points)


def _effect(rows: Sequence[Record], clean: dict[str, float], noise: dict[str, float]) -> Effect:
    metrics = means(rows)
    lr_psnr, sr_psnr = (fmean(record.effect[name] for record in rows) for name in ("lr_psnr", "sr_psnr"))
    beyond = {}
    for name, value in metrics.items():
        damage = value - clean.get(name, value)
        if abs(damage) > 1e-9 and name in noise:
            beyond[name] = 1 - (noise[name] - clean[name]) / damage
    gain = float(10 ** ((lr_psnr - sr_psnr) / 20))
    targets = [
        fmean(record.effect[name] for record in rows) if name in rows[0].effect else None
        for name in ("target_psnr", "target_psnr_clean")
    ]
    return Effect(metrics, means(rows, saved=True), lr_psnr, sr_psnr, gain, beyond, *targets)


def transfer_matrix(attack: AttackRun) -> list[Transferred]:
    """Compute the means of every pair of source and target whose records are complete."""
    matrix = []
    for target in attack.targets:
        rows = records(attack, target.name)
        for name, recipe in attack.strongest.items():
            source = RANDOM if name == RANDOM else target.name
            if recipe.hash in rows:
                matrix.append(Transferred(name, source, target.name, means(rows[recipe.hash])))
            for spec in attack.transfers:
                if spec.recipe == recipe and spec.hash in rows and spec.source.name != target.name:
                    matrix.append(Transferred(name, spec.source.name, target.name, means(rows[spec.hash])))
    return matrix


def corruption_table(attack: AttackRun) -> dict[str, dict[int, dict[str, float]]]:
    """Compute the means by corruption and severity."""
    rows = records(attack)
    table: dict[str, dict[int, dict[str, float]]] = {}
    for spec in attack.corruptions:
        if spec.hash in rows:
            table.setdefault(spec.corruption, {})[spec.severity] = means(rows[spec.hash])
    return table


def mean_over(xs: Sequence[float], ys: Sequence[Any]) -> Any:
    """Return the mean of ys (numbers, or arrays alike) over xs from 0 up, by the trapezoidal rule.

    >>> mean_over([0.0, 1.0, 4.0], [1.0, 3.0, 3.0])
    2.75
    """
    parts = zip(xs, xs[1:], ys, ys[1:], strict=False)
    return sum((b - a) * (p + q) / 2 for a, b, p, q in parts) / xs[-1]


def means(rows: Sequence[Record], *, saved: bool = False) -> dict[str, float]:
    """Compute the mean of every metric that is defined for all images."""
    means_by_metric = {}
    for name in rows[0].saved if saved else rows[0].metrics:
        values = [(r.saved if saved else r.metrics).get(name) for r in rows]
        defined = [value for value in values if value is not None]
        if len(defined) == len(values):
            means_by_metric[name] = fmean(defined)
    return means_by_metric


def values(rows: Sequence[Record], metric: str) -> list[float]:
    """Return the metric of every image, or nothing where one is undefined."""
    defined = [value for record in rows if (value := record.metrics.get(metric)) is not None]
    return defined if len(defined) == len(rows) else []
