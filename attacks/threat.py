"""Say which perturbations an attack may use: norm, radius, valid range, and whether the result is 8 bit."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

Norm = Literal["linf", "l2"]
_BISECTIONS = 40


@dataclass(frozen=True)
class ThreatModel:
    """Describes a ball around the LR image, cut to the valid range.

    Attributes:
        norm: ``linf`` bounds every value; ``l2`` bounds the root mean square over an image's values, so
            that a radius means the same at every image size: LR PSNR is at least -20 log10(eps).
        eps: radius in units of the range [0, 1]; 14 levels of 255 are ``14 / 255``.
        low: smallest valid pixel value.
        high: largest valid pixel value.
        rounded: whether the perturbed LR is rounded to 8 bits, as a file on disk is, without leaving
            the ball. The clean LR has to be 8 bit then.

    Raises:
        BadInput: an unknown norm, a radius outside [0, 1], or an empty range.

    >>> import torch
    >>> from srbench.attacks import ThreatModel
    >>> threat = ThreatModel(eps=0.25)
    >>> clean, noise = torch.tensor([0.0, 0.5, 0.9]), torch.tensor([-0.1, 0.1, 1.0])
    >>> threat.project(noise.reshape(1, 1, 1, 3), clean.reshape(1, 1, 1, 3)).flatten()
    tensor([0.0000, 0.1000, 0.1000])
    """

    norm: Norm = "linf"
    eps: float = 14 / 255
    low: float = 0.0
    high: float = 1.0
    rounded: bool = False

    def __post_init__(self) -> None:
        if self.norm not in ("linf", "l2"):
            raise BadInput(f"'{self.norm}' is not a norm: choose linf or l2")
        if isinstance(self.eps, bool) or not isinstance(self.eps, numbers.Real):
            raise BadInput(f"eps {self.eps!r} is not a number: write 14 levels of 255 as 14/255")
        if not isinstance(self.rounded, bool):
            raise BadInput(f"rounded is {self.rounded!r}: it has to be True or False")
        if not 0 <= self.eps <= 1:
            raise BadInput(f"eps {self.eps:g} is not in [0, 1]: write 14 levels of 255 as 14/255")
        if not self.low < self.high:
            raise BadInput(f"the valid range [{self.low:g}, {self.high:g}] is empty")

    def project(self, delta: Tensor, x: Tensor) -> Tensor:
        """Return the nearest allowed perturbation.

        Args:
            delta: (N,3,H,W), anything.
            x: clean LR (N,3,H,W) in [low, high].

        Returns:
            (N,3,H,W): inside the ball, and x plus it inside the range.
        """
        if self.norm == "linf":
            return delta.clamp(-self.eps, self.eps).clamp(min=self.low - x, max=self.high - x)
        return self._project_l2(delta, x)

    def _project_l2(self, delta: Tensor, x: Tensor) -> Tensor:
        # The nearest point of ball and box together is the box-clipped delta shrunk by one factor per
        # image (the multiplier of the ball); its norm grows with the factor, so bisection finds it.
        low, high = self.low - x, self.high - x
        radius = self.eps * math.sqrt(x[0].numel())
        boxed = delta.clamp(min=low, max=high)
        inside = _norm(boxed) <= radius
        feasible = (radius / _norm(delta).clamp_min(1e-30)).clamp_max(1.0)
        upper = feasible.new_ones(feasible.shape)
        for _ in range(_BISECTIONS):
            middle = (feasible + upper) / 2
            fits = _norm((middle * delta).clamp(min=low, max=high)) <= radius
            feasible, upper = middle.where(fits, feasible), upper.where(fits, middle)
        return boxed.where(inside, (feasible * delta).clamp(min=low, max=high))

    def apply(self, x: Tensor, delta: Tensor) -> Tensor:
        """Return the perturbed LR image: projected, added, clipped to the range, rounded where that is asked.

        Args:
            x: clean LR (N,3,H,W) in [low, high].
            delta: (N,3,H,W), anything.

        Raises:
            BadInput: ``rounded`` and ``x`` is not 8 bit.
        """
        delta = self.project(delta, x)
        if not self.rounded:
            return (x + delta).clamp(self.low, self.high)
        clean = (x * 255).round()
        if bool(((x * 255 - clean).abs() > 1e-3).any()):
            raise BadInput(
                "a threat model of rounded images needs 8-bit LR: load it from a file, or round it"
            )
        levels = (delta * 255).double()
        # Rounding must not leave the ball: whole levels only, towards zero where the sum counts (l2).
        whole = self.eps * 255 + 1e-6
        levels = (
            levels.round().clamp(-math.floor(whole), math.floor(whole))
            if self.norm == "linf"
            else ((levels.abs() + 1e-6).floor() * levels.sign())
        )
        return ((clean + levels.to(x.dtype)) / 255).clamp(self.low, self.high)

    def to_8bit(self, clean: Tensor, adversarial: Tensor) -> Tensor:
        """Return the 8-bit image nearest to the attacked one that is still in the ball, as a file holds it.

        Where plain rounding stays inside, as it does in l-inf at whole levels, it is plain rounding.
        Elsewhere values are rounded towards the clean image: in l-inf those that left, in l2 as few as it
        takes, those first that move least for what they give. Of a clean image that is not 8 bit, a value
        without any 8-bit neighbour in the ball is rounded plainly.

        Args:
            clean: LR (N,3,H,W) in [low, high].
            adversarial: attacked LR of the same shape, inside the ball.

        >>> import torch
        >>> from srbench.attacks import ThreatModel
        >>> clean = torch.full((1, 3, 1, 1), 100 / 255)
        >>> (ThreatModel(eps=2.6 / 255).to_8bit(clean, clean + 2.6 / 255) * 255).unique()
        tensor([102.])
        """
        levels = (adversarial * 255).round()
        if self.norm == "l2":
            return _inside_l2(clean * 255, adversarial * 255, levels, self.eps * 255) / 255
        # A value of float32 is off by less than this, in levels, and what checks let pass is more.
        exact, radius = clean.double() * 255, self.eps * 255 + 1e-4
        least, most = (exact - radius).ceil(), (exact + radius).floor()
        inside = levels.clamp(least.to(levels), most.to(levels))
        return inside.where((least <= most), levels) / 255

    def size(self, x: Tensor, adversarial: Tensor) -> Tensor:
        """Return how large the perturbation of each image is, in the norm's unit, shape (N,)."""
        delta = (adversarial - x).flatten(1).double()
        return delta.abs().amax(1) if self.norm == "linf" else delta.square().mean(1).sqrt()

    def __str__(self) -> str:
        return f"{self.norm} eps={eps_text(self.eps)}" + (", 8 bit" if self.rounded else "")


def _inside_l2(clean: Tensor, adversarial: Tensor, levels: Tensor, eps: float) -> Tensor:
    """Return rounded images, all in levels, with values that went outwards turned inwards as needed."""
    count = clean[0].numel()
    wish, moved = ((image - clean).double().flatten(1) for image in (adversarial, levels))
    outward = moved.abs() > wish.abs()
    gain = (2 * moved.abs() - 1).where(outward, moved.new_zeros(()))
    cost = (1 - 2 * (moved - wish).abs()) / gain.clamp_min(1e-9)
    order = cost.where(outward, cost.new_tensor(math.inf)).argsort(dim=1)
    excess = moved.square().sum(1, keepdim=True) - eps**2 * count
    before = gain.gather(1, order).cumsum(1) - gain.gather(1, order)
    turned = outward.new_zeros(outward.shape).scatter(1, order, before < excess)
    inward = (turned & outward).to(moved) * moved.sign()
    return levels - inward.reshape(levels.shape).to(levels)


def _norm(delta: Tensor) -> Tensor:
    norm: Tensor = delta.flatten(1).norm(dim=1)
    return norm.reshape(-1, 1, 1, 1)


def eps_text(eps: float) -> str:
    """Return a radius in units of the range as people write it.

    >>> from srbench.attacks.threat import eps_text
    >>> eps_text(14 / 255)
    '14/255'
    """
    return f"{eps * 255:.10g}/255"


def parse_eps(text: str | float) -> float:
    """Return a radius that a person wrote, in units of the range [0, 1].

    Args:
        text: ``14`` or ``14/255``, both 14 levels of 255; ``0.5/255`` is half a level.

    Returns:
        The radius in [0, 1].

    Raises:
        BadInput: negative, above 255, not a number, or ambiguous (``0.05``).

    >>> from srbench.attacks import parse_eps
    >>> parse_eps("51"), parse_eps("51/255"), parse_eps("0.51/255")
    (0.2, 0.2, 0.002)
    """
    written = str(text).strip()
    number, slash, denominator = (part.strip() for part in written.partition("/"))
    if isinstance(text, bool) or (slash and denominator != "255"):
        raise BadInput(f"eps '{written}' cannot be read: write 14 or 14/255")
    try:
        levels = float(number)
    except ValueError:
        raise BadInput(f"eps '{written}' cannot be read: write 14 or 14/255") from None
    if not math.isfinite(levels) or levels < 0 or levels > 255:
        raise BadInput(f"eps '{written}' is outside 0 to 255 levels")
    if 0 < levels < 1 and not slash:
        raise BadInput(
            f"eps '{written}' is ambiguous: write {written}/255 for {written} of one level, "
            f"or {levels * 255:.10g}/255 for {written} of the range"
        )
    return levels / 255
