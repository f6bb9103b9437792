"""The worst of several attacks, image by image: the counterpart of AutoAttack for super-resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from srbench.attacks.base import SRAttack
from srbench.attacks.objectives import Objective, WeightedSum, parse_objective
from srbench.attacks.problem import Problem
from srbench.errors import BadInput


class Ensemble(SRAttack):
    """Runs several attacks with one threat model and keeps, for each image, the worst by some measures.

    Measures are taken as metrics take them, on SR clipped to [0,1] of the LR as it would be stored. With
    one measure the largest wins. With several, no single order exists, and this is the rule: a candidate
    that damages less than the first attack in any measure is out; among the others the one wins whose
    smallest ratio to the references is largest, a reference being the largest damage the first
    ``references`` attacks did in that measure. So the result damages every image at least as much as the
    first attack, in every measure, and it damages at least as much as all references in every measure
    wherever one candidate does.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        attacks: attacks on the same model with the same threat model; the first is the anchor.
        measures: objectives to choose by.
        references: how many of the first attacks the ratios refer to.
        **settings: precision of :class:`~srbench.attacks.base.SRAttack`.

    Raises:
        BadInput: no attacks or measures, or attacks that differ in model or threat model.
    """

    options = ("attacks", "references")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        attacks: Sequence[SRAttack],
        measures: Sequence[str | Objective] = ("mse",),
        references: int = 1,
        **settings: Any,
    ) -> None:
        if not attacks or not measures:
            raise BadInput("an ensemble needs at least one attack and one measure")
        threat = attacks[0].threat
        if any(attack.threat != threat or attack.model is not model for attack in attacks):
            raise BadInput("the attacks of an ensemble have to share one model and one threat model")
        if not 1 <= references <= len(attacks):
            raise BadInput(f"references is {references}: it has to be from 1 to {len(attacks)}, the attacks")
        self.measures = tuple(parse_objective(measure) for measure in measures)
        super().__init__(
            model,
            eps=threat.eps,
            norm=threat.norm,
            rounded=threat.rounded,
            objective=WeightedSum([(1.0, measure) for measure in self.measures]),
            **settings,
        )
        self.attacks = list(attacks)
        self.references = references

    def perturb(self, problem: Problem) -> Tensor:
        deltas = [a.perturb(problem.pursuing(a.objective, a.seed)) for a in self.attacks]
        damage = torch.stack([problem.damage(delta, self.measures) for delta in deltas])
        winner = choose(damage, self.references)
        return torch.stack(deltas)[winner, torch.arange(len(winner), device=winner.device)]


def choose(damage: Tensor, references: int) -> Tensor:
    """The winning attack of each image, shape (N,), by the rule of :class:`Ensemble`.

    Args:
        damage: (attacks, measures, N), not negative.
        references: how many of the first attacks the ratios refer to.
    """
    eligible = (damage >= damage[0]).all(1)
    ratio = (damage / damage[:references].amax(0).clamp_min(1e-30)).amin(1)
    return ratio.where(eligible, ratio.new_tensor(-1.0)).argmax(0)
