"""One image of a cell that is a certificate: the worst SR image that the bounds allow, and what it scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.attacks.certificate import Certificate
    from srbench.zoo import SRModel

BOUNDED = ("psnr",)
"""Bounds on every value bound these metrics: their worst is where every error is as large as it can be."""
UNBOUNDED = "no bound is known"


@dataclass(frozen=True)
class Certified:
    """What is certified of one image.

    Attributes:
        worst: (1,3,sH,sW), the SR image within the bounds that is farthest from HR, value by value.
        width: (1,3,sH,sW), how far the bounds are apart, in units of the range.
        settings: of the record: those of the certificate, and what it rests on.
    """

    worst: Tensor
    width: Tensor
    settings: dict[str, Any]


def bounded(names: Sequence[str]) -> list[str]:
    """Return the metrics that a certificate bounds."""
    return [name for name in names if name in BOUNDED]


def without_bounds(
    names: Sequence[str], metrics: Mapping[str, float | None], notes: Mapping[str, str]
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return metrics and notes with those that no certificate bounds, undefined."""
    unknown = {name: UNBOUNDED for name in names if name not in BOUNDED}
    return {name: metrics.get(name) for name in names}, {**notes, **unknown}


def certify(spec: Certificate, model: SRModel, lr: Tensor, hr: Tensor | None) -> Certified:
    """Certify one image.

    Args:
        model: has :attr:`srbench.zoo.SRModel.smoothing`.
        lr, hr: (1,3,H,W) and (1,3,sH,sW) in [0,1]. Random numbers are torch's.

    Raises:
        BadInput: there is no HR, or too few samples for the radius.
    """
    from srbench.attacks.certificate import bounds, ranks

    if hr is None:
        raise BadInput("a certificate says how far from HR an SR image can be, and there is no HR")
    assert model.smoothing is not None
    # Clipping keeps the order, so that quantiles of clipped values are clipped quantiles.
    samples = model.smoothing.sample(lr).clamp(0, 1)
    sigma, n = model.smoothing.sigma, len(samples)
    places = ranks(n, sigma, spec.radius, spec.alpha, samples[0].numel())
    low, high = bounds(samples, places)
    target = hr.to(low)
    worst = high.where((high - target).abs() > (low - target).abs(), low)
    certificate = {
        "sigma": sigma,
        "n": n,
        "ranks": list(places),
        "width": round(float((high - low).mean()) * 255, 4),
    }
    return Certified(worst, high - low, spec.settings() | {"certificate": certificate})
