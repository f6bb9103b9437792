"""Judge what attacks produced: is an attack as strong, and as lawful, as it claims?

A weak attack makes a bad model look robust. Each check is a function of tensors or numbers that answers with
one :class:`Verdict`; none runs a model. After AutoAttack's checks and Carlini et al. 2019, "On evaluating
adversarial robustness".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from srbench.attacks.threat import ThreatModel, eps_text

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-6
"""This much of the range adding in float32 can be off by, with room."""


BLIND = ": try straight_through=True, and the preset square"
"""This is what helps where gradients are zero: to pass them through what rounds, and to search without."""


@dataclass(frozen=True)
class Verdict:
    """Holds one check's answer.

    Attributes:
        name: which check.
        ok: whether nothing is wrong.
        detail: one line with the figures.

    >>> from srbench.attacks.verdicts import Verdict
    >>> Verdict("beats random", ok=True, detail="mean 0.3 against 0.1").ok
    True
    """

    name: str
    ok: bool
    detail: str


def beats_random(
    attacked: Sequence[float], random: Sequence[float], *, lower_is_worse: bool = False
) -> Verdict:
    """Judge whether the attack damages more than random noise of the same radius.

    Args:
        attacked: each image under the attack, in any one measure, such as PSNR in dB.
        random: the same images under random noise.
        lower_is_worse: whether less of the measure is more damage, as with PSNR.

    >>> from srbench.attacks.verdicts import beats_random
    >>> beats_random([0.3, 0.4], [0.1, 0.5]).detail
    'mean 0.35 against 0.3 (higher is worse); 1 of 2 images worse than by noise'
    """
    sign = _sign(lower_is_worse)
    mean, other = _mean(attacked), _mean(random)
    better = sum(sign * a > sign * r for a, r in zip(attacked, random, strict=True))
    detail = (
        f"{_against(mean, other, lower_is_worse)}; {better} of {len(attacked)} images worse than by noise"
    )
    return Verdict("beats random", sign * mean > sign * other, detail)


def share_at_bound(x: Tensor, adversarial: Tensor, threat: ThreatModel, *, least: float = 0.5) -> Verdict:
    """Judge whether the attack uses its radius, by the share of values at the bound or the edge of the range.

    In l2 the share is the smallest image's size of the radius.

    Args:
        x: clean LR (N,3,H,W).
        adversarial: attacked LR, same shape.
        least: the share below which an attack is flagged. A linear model's worst noise has all at the
            bound; a few short steps from uniform noise leave most of it inside.

    >>> import torch
    >>> from srbench.attacks import ThreatModel
    >>> from srbench.attacks.verdicts import share_at_bound
    >>> share_at_bound(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1), ThreatModel(eps=0.1)).detail
    '100% of values at the bound'
    """
    if threat.eps == 0:
        return Verdict("share at bound", True, "eps is 0")
    if threat.norm == "l2":
        share = (threat.size(x, adversarial).min() / threat.eps).item()
        return Verdict("share at bound", share >= least, f"{share:.0%} of the radius used")
    tolerance = 0.5 / 255 if threat.rounded else TOLERANCE * 10
    delta = (adversarial - x).abs()
    edge = (adversarial <= threat.low + tolerance) | (adversarial >= threat.high - tolerance)
    share = ((delta >= threat.eps - tolerance) | edge).double().mean().item()
    return Verdict("share at bound", share >= least, f"{share:.0%} of values at the bound")


def monotone(
    name: str, damage: Mapping[float, float], *, slack: float = 0.02, lower_is_worse: bool = False
) -> Verdict:
    """Judge whether damage grows with what should make an attack stronger.

    Args:
        name: what grows: ``steps`` or ``eps``.
        damage: the mean of any one measure by steps or radius.
        slack: a step back of this share of the largest value is let pass.
        lower_is_worse: whether less of the measure is more damage, as with PSNR.

    >>> from srbench.attacks.verdicts import monotone
    >>> monotone("eps", {2: 0.1, 4: 0.3, 8: 0.2}).detail
    'falls from 4 to 8: 0.3 to 0.2 (higher is worse)'
    """
    sign = _sign(lower_is_worse)
    points = sorted(damage.items())
    allowed = slack * max((abs(value) for value in damage.values()), default=0.0)
    back = [
        f"{a:g} to {b:g}: {before:.4g} to {after:.4g}"
        for (a, before), (b, after) in pairwise(points)
        if not sign * after >= sign * before - allowed
    ]
    found = ", ".join(f"{a:g}: {value:.4g}" for a, value in points)
    if back:
        found = f"{'rises' if lower_is_worse else 'falls'} from {'; '.join(back)}"
    return Verdict(f"monotone in {name}", not back, f"{found} ({_worse(lower_is_worse)})")


def usable_gradient(gradient: Tensor, *, most_zero: float = 0.5) -> Verdict:
    """Judge whether the gradient says anything: not NaN or infinite, not constant, not mostly exact zeros.

    Args:
        gradient: (N,3,H,W), see :meth:`srbench.attacks.base.SRAttack.gradient`.
        most_zero: share of exact zeros above which it is flagged: masked or vanishing gradients.

    >>> import torch
    >>> from srbench.attacks.verdicts import usable_gradient
    >>> usable_gradient(torch.zeros(1, 3, 4, 4)).detail
    'zero everywhere in 1 of 1 images: try straight_through=True, and the preset square'
    """
    name = "usable gradient"
    flat = gradient.flatten(1)
    if broken := int((~flat.isfinite().all(1)).sum()):
        return Verdict(name, False, f"NaN or infinite in {broken} of {len(flat)} images")
    if dead := int((flat == 0).all(1).sum()):
        return Verdict(name, False, f"zero everywhere in {dead} of {len(flat)} images{BLIND}")
    if flat.shape[1] > 1 and (same := int((flat == flat[:, :1]).all(1).sum())):
        return Verdict(name, False, f"the same everywhere in {same} of {len(flat)} images")
    zero = (flat == 0).double().mean().item()
    return Verdict(name, zero <= most_zero, f"{zero:.0%} exact zeros")


def deterministic(first: Tensor, second: Tensor) -> Verdict:
    """Judge whether two forwards of one input agree; if not, attacks have to average over the model's noise.

    >>> import torch
    >>> from srbench.attacks.verdicts import deterministic
    >>> deterministic(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)).detail
    'two forwards agree'
    """
    apart = (first - second).abs().max().item()
    detail = (
        "two forwards agree"
        if apart == 0
        else (f"two forwards differ by up to {apart:.3g}: attack the average with --samples 10")
    )
    return Verdict("deterministic model", apart == 0, detail)


def white_box_wins(
    white: Sequence[float], black: Sequence[float], *, lower_is_worse: bool = False
) -> Verdict:
    """Judge whether the gradient attack is at least as strong as a black-box or transferred one.

    Where it is not, the gradients mislead or the attack is badly tuned.

    Args:
        white: each image under the white-box attack, in any one measure.
        black: the same images, attacked without gradients of this model.
        lower_is_worse: whether less of the measure is more damage, as with PSNR.

    >>> from srbench.attacks.verdicts import white_box_wins
    >>> white_box_wins([0.1], [0.3]).ok
    False
    """
    sign = _sign(lower_is_worse)
    mean, other = _mean(white), _mean(black)
    lost = sum(sign * b > sign * w for w, b in zip(white, black, strict=True))
    detail = f"{_against(mean, other, lower_is_worse)}; {lost} of {len(white)} images worse without gradients"
    return Verdict("white box wins", sign * mean >= sign * other, detail)


def zero_is_clean(x: Tensor, at_zero: Tensor) -> Verdict:
    """Judge whether the attack with eps = 0 returned its input, bit by bit.

    >>> import torch
    >>> from srbench.attacks.verdicts import zero_is_clean
    >>> zero_is_clean(torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)).detail
    '48 values differ'
    """
    apart = (x != at_zero).sum().item()
    return Verdict("eps 0 is clean", apart == 0, f"{apart} values differ" if apart else "equal")


def inside(x: Tensor, adversarial: Tensor, threat: ThreatModel, *, name: str = "inside the ball") -> Verdict:
    """Judge whether ball and range were never left.

    Args:
        x: clean LR (N,3,H,W).
        adversarial: attacked LR, as float or as read back from a file.
        threat: what was allowed.
        name: shown in the verdict; say ``inside the ball, saved`` for what was read back.

    >>> import torch
    >>> from srbench.attacks import ThreatModel
    >>> from srbench.attacks.verdicts import inside
    >>> inside(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5), ThreatModel(eps=0.2)).detail
    'linf size 127.5/255 of 51/255'
    """
    if not bool(adversarial.isfinite().all()):
        return Verdict(name, False, "NaN or infinite values")
    low, high = adversarial.min().item(), adversarial.max().item()
    if low < threat.low or high > threat.high:
        return Verdict(name, False, f"values from {low:.6g} to {high:.6g} leave the range")
    size = threat.size(x, adversarial).max().item()
    detail = f"{threat.norm} size {eps_text(size)} of {eps_text(threat.eps)}"
    return Verdict(name, size <= threat.eps + TOLERANCE, detail)


def _sign(lower_is_worse: bool) -> float:
    return -1.0 if lower_is_worse else 1.0


def _worse(lower_is_worse: bool) -> str:
    return f"{'lower' if lower_is_worse else 'higher'} is worse"


def _against(mean: float, other: float, lower_is_worse: bool) -> str:
    return f"mean {mean:.4g} against {other:.4g} ({_worse(lower_is_worse)})"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
