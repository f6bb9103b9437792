"""Attack by steps along the gradient itself in an l2 ball (PGD, Madry et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from srbench.attacks.base import SRAttack, worst_of
from srbench.attacks.checked import at_least, one_of, step_length, whole
from srbench.attacks.noise import generator
from srbench.attacks.passes import AttackPasses, restarted
from srbench.attacks.problem import STARTS, Problem, Start
from srbench.attacks.random_noise import unit_rms
from srbench.attacks.threat import Norm


class PGDL2(SRAttack):
    """Repeats ``delta <- project(delta + alpha * gradient / rms(gradient))``, the projection being exact.

    The source is Madry et al. 2018, *Towards Deep Learning Models Resistant to Adversarial Attacks*. Images
    and errors are those of :class:`~srbench.attacks.base.SRAttack`; the radius is a root mean square over an
    image's values, in units of the range.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        alpha: step length as a root mean square; None is 2.5 * eps / steps.
        steps: 1 or more.
        structure: side of a cell of the start's noise in LR pixels.
        start: ``random`` (a random direction, its length uniform in the radius), ``zero``, or ``auto``:
            zero with HR, random without.
        restarts: independent starts; the worst of them is kept for each image.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import PGDL2
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 32, 32)
    >>> attack = PGDL2(torch.nn.Upsample(scale_factor=4), eps=0.1, objective="mse")
    >>> attack.threat.size(lr, attack(lr, hr))
    tensor([0.1000], dtype=torch.float64)
    """

    norms: ClassVar[tuple[Norm, ...]] = ("l2",)
    options: ClassVar[tuple[str, ...]] = ("alpha", "steps", "structure", "start", "restarts")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        alpha: float | None = None,
        steps: int = 10,
        structure: float = 1.0,
        start: Start = "random",
        restarts: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(model, norm="l2", **settings)
        at_least("structure", structure, 1)
        self.steps = whole("steps", steps)
        self.alpha = step_length(alpha, 2.5 * self.threat.eps / self.steps)
        self.structure = structure
        one_of("start", start, STARTS)
        self.start = start
        self.restarts = whole("restarts", restarts)

    def perturb(self, problem: Problem) -> Tensor:
        runs = (self._ascend(problem, str(r)) for r in range(self.restarts))
        return worst_of(problem, runs, self.restarts)

    def asks(self) -> AttackPasses:
        return restarted(AttackPasses(gradients=self.steps), self.restarts)

    def _ascend(self, problem: Problem, stream: str) -> Tensor:
        delta = self.allowed(problem.start(self.start, self.structure, stream))
        length = [torch.rand((), generator=generator(self.seed, i, f"length {stream}")) for i in problem.ids]
        delta = unit_rms(delta) * self.threat.eps * torch.stack(length).to(delta).reshape(-1, 1, 1, 1)
        for _ in range(self.steps):
            gradient, _ = problem.gradient(delta)
            step = self.alpha * unit_rms(self.allowed(gradient))
            delta = self.threat.project(self.allowed(delta + step), problem.x)
        return delta

    def allowed(self, image: Tensor) -> Tensor:
        """Return what of a perturbation or its gradient (N,3,H,W) may be used; here, all of it."""
        return image
