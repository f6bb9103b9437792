"""FGSM (Goodfellow et al. 2015): one step of the full radius along the sign of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from srbench.attacks.base import SRAttack
from srbench.attacks.problem import Problem, Start


class FGSM(SRAttack):
    """``eps * sign(gradient)`` from the clean image.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        start: ``zero``, ``random`` (uniform in the ball), or ``auto``: zero with HR, random without, where
            the gradient at zero vanishes.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.
    """

    options = ("start",)

    def __init__(self, model: Callable[[Tensor], Tensor], *, start: Start = "auto", **settings: Any) -> None:
        super().__init__(model, norm="linf", **settings)
        self.start = start

    def perturb(self, problem: Problem) -> Tensor:
        delta = problem.start(self.start)
        gradient, _ = problem.gradient(delta)
        return self.threat.project(delta + self.threat.eps * gradient.sign(), problem.x)
