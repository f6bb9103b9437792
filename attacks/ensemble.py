"""Keep the worst of several attacks, image by image: the counterpart of AutoAttack for super-resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from srbench.attacks.base import SRAttack
from srbench.attacks.checked import whole
from srbench.attacks.objectives import Objective, WeightedSum
from srbench.attacks.objectives_from_text import parse_objective
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import Problem
from srbench.errors import BadInput

# Of a natural image's damage 0.01 is squared error and 0.4 LPIPS: the weight of 10 follows LPIPS and that of
# 100 squared error, both without losing the other.
PRESETS = {
    "strong": {
        "kind": "Ensemble",
        "about": "Random noise, rsr, adaptive PGD on several objectives and structures and a search without "
        "gradients are compared by squared error and LPIPS: no image is damaged less than by rsr in either.",
        "eps": 14,
        "perceptual": ["lpips-alex", "lpips-squeeze", "lpips-lite"],
        "measures": ["mse", "{perceptual}"],
        "options": {"references": 2},
        "parts": [
            "rsr",
            "random",
            {
                "kind": "APGD",
                "objective": "10*mse+{perceptual}",
                "options": {"steps": 20, "structure": 1.5, "start": "random", "restarts": 1},
            },
            {
                "kind": "APGD",
                "objective": "100*mse+{perceptual}",
                "options": {"steps": 10, "structure": 1.0, "start": "random", "restarts": 1},
            },
            {
                "kind": "SquareSearch",
                "objective": "10*mse+{perceptual}",
                "options": {"queries": 20, "share": 0.8},
            },
        ],
    },
}


class Ensemble(SRAttack):
    """Runs several attacks with one threat model and keeps, for each image, the worst by some measures.

    Measures are taken as metrics take them, on SR clipped to [0,1] of the LR as it would be stored. With
    one measure the largest wins. With several, no single order exists, and this is the rule: a candidate
    that damages less than the first attack in any measure is out; among the others the one wins whose
    smallest ratio to the references is largest, a reference being the largest damage the first
    ``references`` attacks did in that measure. So the result damages every image at least as much as the
    first attack, in every measure, and it damages at least as much as all references in every measure
    wherever one candidate does.

    The source of the idea is AutoAttack (Croce and Hein 2020); the rule for several measures is srbench's
    own. Images and radius are those of :class:`~srbench.attacks.base.SRAttack`.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        attacks: attacks on the same model with the same threat model; the first is the anchor.
        measures: objectives to choose by.
        references: how many of the first attacks the ratios refer to.
        **settings: precision of :class:`~srbench.attacks.base.SRAttack`.

    Raises:
        BadInput: no attacks or measures, or attacks that differ in model or threat model.

    >>> import torch
    >>> from srbench.attacks import Ensemble, FGSM, RandomNoise
    >>> model = torch.nn.Upsample(scale_factor=4)
    >>> attack = Ensemble(model, attacks=[RandomNoise(model), FGSM(model)])
    >>> attack.passes()
    AttackPasses(forwards=2, gradients=1)
    >>> attack(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 32, 32)).shape
    torch.Size([1, 3, 8, 8])
    """

    options: ClassVar[tuple[str, ...]] = ("attacks", "references")

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
        if not 1 <= whole("references", references) <= len(attacks):
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
        self.references = whole("references", references)

    def perturb(self, problem: Problem) -> Tensor:
        deltas = [a.perturb(problem.pursuing(a.objective, a.seed)) for a in self.attacks]
        damage = torch.stack([problem.damage(delta, self.measures) for delta in deltas])
        winner = choose(damage, self.references)
        return torch.stack(deltas)[winner, torch.arange(len(winner), device=winner.device)]

    def _goes_on_blindly(self) -> bool:
        return not all(attack.needs_gradient for attack in self.attacks)

    def _advice(self) -> str:
        if not self._goes_on_blindly():
            return super()._advice()
        blind = [type(attack).__name__ for attack in self.attacks if not attack.needs_gradient]
        through = "" if self.straight_through else "try straight_through=True, and "
        return (
            f"only {', '.join(blind)} of the ensemble, which need none, searched; {through}try the preset "
            "square, which searches longer"
        )

    def asks(self) -> AttackPasses:
        return sum((attack.asks() for attack in self.attacks), AttackPasses())

    def passes(self) -> AttackPasses:
        """Return the passes of all parts, and one forward for each to compare them."""
        return super().passes() + AttackPasses(forwards=self._comparisons())

    def _comparisons(self) -> int:
        inner = (attack._comparisons() for attack in self.attacks if isinstance(attack, Ensemble))
        return len(self.attacks) + sum(inner)


def choose(damage: Tensor, references: int) -> Tensor:
    """Return the winning attack of each image, shape (N,), by the rule of :class:`Ensemble`.

    Args:
        damage: (attacks, measures, N), not negative.
        references: how many of the first attacks the ratios refer to.

    >>> import torch
    >>> from srbench.attacks.ensemble import choose
    >>> choose(torch.tensor([[[1.0, 1.0]], [[2.0, 0.5]]]), references=1)
    tensor([1, 0])
    """
    eligible = (damage >= damage[0]).all(1)
    ratio = (damage / damage[:references].amax(0).clamp_min(1e-30)).amin(1)
    return ratio.where(eligible, ratio.new_tensor(-1.0)).argmax(0)
