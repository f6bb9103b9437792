"""Structured random noise: what every attack has to beat at the same radius."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from srbench.attacks.base import SRAttack, at_least, worst_of
from srbench.attacks.problem import Problem


class RandomNoise(SRAttack):
    """StructuredPGD without its steps: uniform noise on a coarse grid; needs no gradient.

    In l2 the noise is scaled to the full radius before it is clipped to the range.

    Args:
        model: only run where ``restarts`` is above 1.
        structure: side of a noise cell in LR pixels, 1 or more.
        restarts: independent draws; the worst of them is kept for each image.
        **settings: those of :class:`~srbench.attacks.base.SRAttack`.
    """

    options = ("structure", "restarts")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        structure: float = 1.5,
        restarts: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(model, **settings)
        at_least("structure", structure, 1)
        at_least("restarts", restarts, 1)
        self.structure = structure
        self.restarts = restarts

    def perturb(self, problem: Problem) -> Tensor:
        draws = (self._draw(problem, str(r)) for r in range(self.restarts))
        return worst_of(problem, draws, self.restarts)

    def _draw(self, problem: Problem, stream: str) -> Tensor:
        # The same stream as StructuredPGD's start: what the steps add is then seen on the same noise.
        noise = problem.start("random", self.structure, stream)
        if self.threat.norm == "l2":
            noise = unit_rms(noise) * self.threat.eps
        return self.threat.project(noise, problem.x)


def unit_rms(image: Tensor) -> Tensor:
    """Each image divided by the root mean square of its values; zero stays zero."""
    size: Tensor = image.flatten(1).norm(dim=1) / math.sqrt(image[0].numel())
    return image / size.clamp_min(1e-30).reshape(-1, 1, 1, 1)
