"""Attack by steps whose length adapts itself (Auto-PGD, Croce and Hein 2020, algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from srbench.attacks.base import SRAttack, worst_of
from srbench.attacks.checked import at_least, one_of, whole
from srbench.attacks.passes import AttackPasses, restarted
from srbench.attacks.problem import STARTS, Problem, Start


class APGD(SRAttack):
    """Ascends with momentum in l-inf, halves an image's step where it stops paying, and keeps the best point.

    The source is Croce and Hein 2020, *Reliable Evaluation of Adversarial Robustness with an Ensemble of
    Diverse Parameter-free Attacks*, algorithm 1. Images, radius and errors are those of
    :class:`~srbench.attacks.base.SRAttack`.

    The step starts at 2 eps. At checkpoints it is halved, and the search goes back to the best point so
    far, for every image whose objective rose in fewer than 75 % of the steps since the last checkpoint, or
    whose step and best objective are both still those of the last checkpoint.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        steps: gradient steps, 1 or more.
        structure: side of a cell of the start's noise in LR pixels.
        start: ``random`` (uniform in the ball), ``zero``, or ``auto``: zero with HR, random without.
        restarts: independent starts; the worst of them is kept for each image.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import APGD
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 32, 32)
    >>> APGD(torch.nn.Upsample(scale_factor=4), eps=0.25, objective="mse", steps=5)(lr, hr).unique()
    tensor([0.7500])
    """

    options: ClassVar[tuple[str, ...]] = ("steps", "structure", "start", "restarts")
    # 2: the checkpoints of 20 steps are the paper's; 1 had 15 for 14.
    edition: ClassVar[int] = 2
    share_rising = 0.75
    inertia = 0.75

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        steps: int = 20,
        structure: float = 1.0,
        start: Start = "random",
        restarts: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(model, norm="linf", **settings)
        at_least("structure", structure, 1)
        self.steps = whole("steps", steps)
        self.structure = structure
        one_of("start", start, STARTS)
        self.start = start
        self.restarts = whole("restarts", restarts)

    def perturb(self, problem: Problem) -> Tensor:
        runs = (self._ascend(problem, str(r)) for r in range(self.restarts))
        return worst_of(problem, runs, self.restarts)

    def asks(self) -> AttackPasses:
        return restarted(AttackPasses(forwards=1, gradients=self.steps), self.restarts)

    def _ascend(self, problem: Problem, stream: str) -> Tensor:
        project, x = self.threat.project, problem.x
        delta = previous = project(problem.start(self.start, self.structure, stream), x)
        best, best_gradient, gradient = delta, problem.zeros, problem.zeros
        best_loss = last_loss = checked_loss = x.new_full((len(x),), -math.inf)
        alpha = x.new_full((len(x),), 2 * self.threat.eps)
        halved = torch.ones(len(x), dtype=torch.bool, device=x.device)
        rises = torch.zeros_like(best_loss)
        checks, last_check = checkpoints(self.steps), 0
        for step in range(self.steps):
            gradient, loss = problem.gradient(delta)
            rises = rises + (loss > last_loss)
            better = loss > best_loss
            best, best_gradient = _pick(better, delta, best), _pick(better, gradient, best_gradient)
            best_loss = loss.where(better, best_loss)
            if step in checks:
                slow = rises < self.share_rising * (step - last_check)
                stuck = slow | (~halved & (best_loss == checked_loss))
                alpha = (alpha / 2).where(stuck, alpha)
                delta, previous = _pick(stuck, best, delta), _pick(stuck, best, previous)
                gradient, loss = _pick(stuck, best_gradient, gradient), best_loss.where(stuck, loss)
                halved, checked_loss, last_check = stuck, best_loss, step
                rises = torch.zeros_like(rises)
            last_loss = loss
            ahead = project(delta + alpha.reshape(-1, 1, 1, 1) * gradient.sign(), x)
            if step:
                drift = self.inertia * (ahead - delta) + (1 - self.inertia) * (delta - previous)
                ahead = project(delta + drift, x)
            delta, previous = ahead, delta
        return _pick(problem.losses(delta) > best_loss, delta, best)


def checkpoints(steps: int) -> set[int]:
    """Return the steps at which the step length is reconsidered: at 22 %, then ever closer, 6 % at least.

    >>> from srbench.attacks.apgd import checkpoints
    >>> sorted(checkpoints(20))
    [5, 9, 12, 14, 16, 18, 19, 20]
    """
    # Whole hundredths: sums of 0.22, 0.19, ... in floating point exceed 0.7, and 70 % of 20 would be 15.
    due, position, gap = set(), 22, 22
    while position < 100:
        due.add(-(-position * steps // 100))
        gap = max(gap - 3, 6)
        position += gap
    return due


def _pick(chosen: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return yes.where(chosen.reshape(-1, 1, 1, 1), no)
