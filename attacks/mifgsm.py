"""Attack by sign steps along an accumulated gradient (MI-FGSM, Dong et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from srbench.attacks.base import SRAttack
from srbench.attacks.checked import at_least, one_of, whole
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import STARTS, Problem, Start
from srbench.attacks.structured_pgd import unit_mean


class MIFGSM(SRAttack):
    """Repeats ``g <- decay * g + gradient / mean|gradient|; delta <- clip(delta + eps / steps * sign(g))``.

    The source is Dong et al. 2018, *Boosting Adversarial Attacks with Momentum*, algorithm 1. Images, radius
    and errors are those of :class:`~srbench.attacks.base.SRAttack`. The mean in place of the paper's sum
    scales every gradient of an image alike and changes no sign.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        steps: 1 or more; each is eps / steps long.
        decay: 1 in the paper; 0 forgets, which is I-FGSM.
        start: ``zero``, ``random`` (uniform in the ball), or ``auto``: zero with HR, random without.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import MIFGSM
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 32, 32)
    >>> MIFGSM(torch.nn.Upsample(scale_factor=4), eps=0.25, steps=4)(lr, hr).unique()
    tensor([0.7500])
    """

    options: ClassVar[tuple[str, ...]] = ("steps", "decay", "start")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        steps: int = 10,
        decay: float = 1.0,
        start: Start = "auto",
        **settings: Any,
    ) -> None:
        super().__init__(model, norm="linf", **settings)
        at_least("decay", decay, 0)
        self.steps = whole("steps", steps)
        self.decay = decay
        one_of("start", start, STARTS)
        self.start = start

    def perturb(self, problem: Problem) -> Tensor:
        delta = problem.start(self.start)
        velocity = problem.zeros
        for _ in range(self.steps):
            gradient, _ = problem.gradient(delta)
            velocity = self.decay * velocity + unit_mean(gradient)
            delta = self.threat.project(delta + self.threat.eps / self.steps * velocity.sign(), problem.x)
        return delta

    def asks(self) -> AttackPasses:
        return AttackPasses(gradients=self.steps)
