"""Bound what any l2 change of the LR image can do to a smoothed model: certificates in the place of attacks.

A model that gives the median of SR(LR + noise), value by value, moves by a bounded amount when the LR image
moves by a bounded l2 distance, whoever chose the change (Chiang et al. 2020, *Detection as Regression:
Certified Object Detection by Median Smoothing*, theorem 1; for super-resolution Chaouai and Tamaazousti 2024,
*CertSR*).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srbench.attacks.spec import AttackSpec, settings_hash
from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

NAME = "certified"
ALPHA = 0.001
"""A certificate of an image is wrong with no larger probability, unless another is asked for."""


@dataclass(frozen=True)
class Certificate(AttackSpec):
    """Puts the worst SR image that a certificate allows in the place of the SR image of an attacked LR.

    Attributes:
        name: ``certified@0.1``.
        hash: over radius and alpha; how much noise and how many samples are the smoothed model's affair.
        radius: of the l2 ball of changes of the LR image: the root of the sum over all its values, in units
            of the range [0, 1].
        alpha: the probability, over the noise that was drawn, that the bounds of an image do not hold for one
            value or more.

    >>> from srbench.attacks.certificate import Certificate
    >>> Certificate(0.1).name, Certificate(0.1, alpha=0.05).name
    ('certified@0.1', 'certified@0.1(alpha=0.05)')
    """

    name: str = field(init=False, default="")
    hash: str = field(init=False, default="")
    radius: float
    alpha: float = ALPHA

    def __post_init__(self) -> None:
        if not 0 < self.radius < math.inf:
            raise BadInput(f"{NAME}@{self.radius:g}: the radius is an l2 distance above 0, such as 0.1")
        if not 0 < self.alpha < 1:
            raise BadInput(f"{NAME}@{self.radius:g}: alpha is {self.alpha:g}, and has to be between 0 and 1")
        more = "" if self.alpha == ALPHA else f"(alpha={self.alpha:g})"
        object.__setattr__(self, "name", f"{NAME}@{self.radius:g}{more}")
        object.__setattr__(self, "hash", settings_hash(self.settings()))

    @property
    def note(self) -> str:
        """Return nothing: a certificate lacks nothing."""
        return ""

    def settings(self) -> dict[str, Any]:
        """Return what decides the bounds, as JSON types."""
        return {"version": 1, "kind": "Certificate", "radius": self.radius, "alpha": self.alpha}


def parse(text: str) -> Certificate:
    """Return the certificate that ``certified@RADIUS`` or ``certified@RADIUS(alpha=ALPHA)`` names.

    Raises:
        BadInput: no radius, or one that is none.
    """
    before, _, inside = text.removesuffix(")").partition("(")
    try:
        radius = float(before.partition("@")[2])
        alpha = float(inside.removeprefix("alpha=")) if inside else ALPHA
    except ValueError:
        raise BadInput(f"'{text}' is no certificate: write {NAME}@0.1 or {NAME}@0.1(alpha=0.01)") from None
    return Certificate(radius, alpha)


def ranks(n: int, sigma: float, radius: float, alpha: float, values: int) -> tuple[int, int]:
    """Return which of n samples, sorted and counted from 1, bound the smoothed values from below and above.

    Within the radius a median stays between the quantiles Phi(-radius / sigma) and Phi(radius / sigma) of the
    samples' distribution at the centre. The order statistics are those that lie outside these quantiles, for
    all values of an image at once, but for a probability of alpha: binomial tails, and Bonferroni's
    inequality.

    Args:
        n: independent samples.
        sigma: standard deviation of their noise, in units of the range.
        radius: l2.
        alpha: see :class:`Certificate`.
        values: how many values the SR image has.

    Raises:
        BadInput: so few samples allow no such bound; the message says how many would.

    >>> from srbench.attacks.certificate import ranks
    >>> ranks(100, sigma=0.1, radius=0.02, alpha=0.001, values=3 * 256 * 256)
    (15, 86)
    """
    from scipy.stats import binom, norm

    share, level = float(norm.cdf(radius / sigma)), alpha / (2 * values)
    above = int(binom.isf(level, n, share)) + 1
    if above > n:
        due = math.inf if share == 1 else math.ceil(math.log(level) / math.log(share))
        enough = f"n={due} would do" if due <= 100_000 else "a larger sigma or a smaller radius would do"
        raise BadInput(
            f"{n} samples with noise of {sigma:g} certify no radius of {radius:g} with alpha {alpha:g}: "
            f"{enough}"
        )
    return n + 1 - above, above


def bounds(samples: Tensor, places: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the least and the largest value the median can have within a radius, each (N,3,sH,sW).

    Args:
        samples: (n,N,3,sH,sW), outputs for independent noise on the same N images.
        places: what :func:`ranks` gave for the radius.
    """
    low, high = places
    ordered = samples.sort(dim=0).values
    return ordered[low - 1], ordered[high - 1]
