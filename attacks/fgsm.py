"""Attack by one step of the full radius along the sign of the gradient (FGSM, Goodfellow et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from srbench.attacks.base import SRAttack
from srbench.attacks.checked import one_of
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import STARTS, Problem, Start


class FGSM(SRAttack):
    """Adds ``eps * sign(gradient)`` to the clean image.

    The source is Goodfellow et al. 2015, *Explaining and Harnessing Adversarial Examples*. Images, radius and
    errors are those of :class:`~srbench.attacks.base.SRAttack`.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        start: ``zero``, ``random`` (uniform in the ball), or ``auto``: zero with HR, random without, where
            the gradient at zero vanishes.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import FGSM
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 32, 32)
    >>> FGSM(torch.nn.Upsample(scale_factor=4), eps=0.25, objective="mse")(lr, hr).unique()
    tensor([0.7500])
    """

    options: ClassVar[tuple[str, ...]] = ("start",)

    def __init__(self, model: Callable[[Tensor], Tensor], *, start: Start = "auto", **settings: Any) -> None:
        super().__init__(model, norm="linf", **settings)
        one_of("start", start, STARTS)
        self.start = start

    def perturb(self, problem: Problem) -> Tensor:
        delta = problem.start(self.start)
        gradient, _ = problem.gradient(delta)
        return self.threat.project(delta + self.threat.eps * gradient.sign(), problem.x)

    def asks(self) -> AttackPasses:
        return AttackPasses(gradients=1)
