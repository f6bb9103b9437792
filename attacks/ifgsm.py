"""Attack by many small sign steps (I-FGSM), as Choi et al. 2019 do to super-resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from srbench.attacks.base import SRAttack
from srbench.attacks.checked import one_of, step_length, whole
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import STARTS, Problem, Start

PRESETS = {
    "ifgsm-choi": {
        "kind": "IFGSM",
        "about": "Fifty steps of eps/50 from zero enlarge the squared error against HR (Choi et al. 2019).",
        "eps": 8,
        "objective": "mse",
        "options": {"alpha": None, "steps": 50, "start": "auto"},
    },
}


class IFGSM(SRAttack):
    """Repeats ``delta <- clip(delta + alpha / T * sign(gradient))`` T times; alpha is the whole way.

    The source is Choi et al. 2019, *Evaluating Robustness of Deep Image Super-Resolution against Adversarial
    Attacks*. Images, radius and errors are those of :class:`~srbench.attacks.base.SRAttack`.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        alpha: length of the whole way; None is eps, as in the paper.
        steps: T, 1 or more.
        start: ``zero``, ``random`` (uniform in the ball), or ``auto``: zero with HR, random without.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`;
            the paper's code has eps 8/255 and the squared error against HR.

    >>> import torch
    >>> from srbench.attacks import IFGSM
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 32, 32)
    >>> IFGSM(torch.nn.Upsample(scale_factor=4), eps=0.25, steps=4)(lr, hr).unique()
    tensor([0.7500])
    """

    options: ClassVar[tuple[str, ...]] = ("alpha", "steps", "start")

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
        self.alpha = step_length(alpha, self.threat.eps)
        self.steps = whole("steps", steps)
        one_of("start", start, STARTS)
        self.start = start

    def perturb(self, problem: Problem) -> Tensor:
        delta = problem.start(self.start)
        for _ in range(self.steps):
            gradient, _ = problem.gradient(delta)
            delta = self.threat.project(delta + self.alpha / self.steps * gradient.sign(), problem.x)
        return delta

    def asks(self) -> AttackPasses:
        return AttackPasses(gradients=self.steps)
