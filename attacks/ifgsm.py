"""I-FGSM for super-resolution (Choi et al. 2019, "Evaluating robustness of deep image super-resolution")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from srbench.attacks.base import SRAttack, at_least
from srbench.attacks.problem import Problem, Start


class IFGSM(SRAttack):
    """``delta <- clip(delta + alpha / T * sign(gradient))``, T times; alpha is the whole way, not a step.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        alpha: length of the whole way; None is eps, as in the paper.
        steps: T, 1 or more.
        start: ``zero``, ``random`` (uniform in the ball), or ``auto``: zero with HR, random without.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`;
            the paper's code has eps 8/255 and the squared error against HR.
    """

    options = ("alpha", "steps", "start")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        alpha: float | None = None,
        steps: int = 50,
        start: Start = "auto",
        objective: Any = "mse",
        **settings: Any,
    ) -> None:
        super().__init__(model, norm="linf", objective=objective, **settings)
        at_least("steps", steps, 1)
        self.alpha = self.threat.eps if alpha is None else alpha
        at_least("alpha", self.alpha, 0)
        self.steps = steps
        self.start = start

    def perturb(self, problem: Problem) -> Tensor:
        delta = problem.start(self.start)
        for _ in range(self.steps):
            gradient, _ = problem.gradient(delta)
            delta = self.threat.project(delta + self.alpha / self.steps * gradient.sign(), problem.x)
        return delta
