"""Structured-noise PGD: the attack of the paper (eq. 2 and 4), with the values of its authors' code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from srbench.attacks.base import SRAttack, at_least, worst_of
from srbench.attacks.problem import Problem


class StructuredPGD(SRAttack):
    """Projected gradient ascent in l-inf from noise that is uniform on a coarse grid.

    ``delta`` starts uniform in [-eps, eps] on an int(H//s) by int(W//s) grid, resized to H by W by nearest
    neighbour; each step is ``delta + alpha * sign(gradient)``, clipped to the ball and then to the range.
    The start itself is not projected: the first forward sees the clipped image, so the first gradient is
    zero where it saturates.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        alpha: step length in units of the range.
        steps: gradient steps, 1 or more.
        structure: side s of a noise cell in LR pixels, 1 or more; need not be whole.
        restarts: independent starts; the worst of them is kept for each image.
        momentum: 0 for the paper's step; above 0 the sign of an accumulated gradient is taken, each
            gradient divided by its mean size first (MI-FGSM's rule).
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    Example:
        >>> attack = StructuredPGD(model, eps=14 / 255, objective="0.01*l1+vgg19")
        >>> adversarial = attack(lr, hr)
    """

    options = ("alpha", "steps", "structure", "restarts", "momentum")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        alpha: float = 1 / 255,
        steps: int = 2,
        structure: float = 1.5,
        restarts: int = 1,
        momentum: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(model, norm="linf", **settings)
        at_least("alpha", alpha, 0)
        at_least("steps", steps, 1)
        at_least("structure", structure, 1)
        at_least("restarts", restarts, 1)
        at_least("momentum", momentum, 0)
        self.alpha = alpha
        self.steps = steps
        self.structure = structure
        self.restarts = restarts
        self.momentum = momentum

    def perturb(self, problem: Problem) -> Tensor:
        runs = (self._ascend(problem, self.start(problem, str(r))) for r in range(self.restarts))
        return worst_of(problem, runs, self.restarts)

    def start(self, problem: Problem, stream: str) -> Tensor:
        """The structured start of one restart, (N,3,H,W)."""
        return problem.start("random", self.structure, stream)

    def _ascend(self, problem: Problem, delta: Tensor) -> Tensor:
        velocity = problem.zeros
        for _ in range(self.steps):
            gradient, _ = problem.gradient(delta)
            if self.momentum:
                gradient = velocity = self.momentum * velocity + unit_mean(gradient)
            delta = self.threat.project(delta + self.alpha * gradient.sign(), problem.x)
        return delta


def unit_mean(gradient: Tensor) -> Tensor:
    """Each image's gradient divided by its mean absolute value; zero stays zero."""
    size = gradient.abs().flatten(1).mean(1).clamp_min(1e-30)
    return gradient / size.reshape(-1, 1, 1, 1)
