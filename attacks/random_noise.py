"""Perturb by structured random noise: every attack has to beat it at the same radius."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor

from srbench.attacks.base import SRAttack, worst_of
from srbench.attacks.checked import at_least, whole
from srbench.attacks.passes import AttackPasses, restarted
from srbench.attacks.problem import Problem
from srbench.attacks.threat import Norm

PRESETS = {
    "random": {
        "kind": "RandomNoise",
        "about": "Structured noise without a gradient step is the row every attack is read against.",
        "eps": 14,
        "options": {"structure": 1.5, "restarts": 1},
    },
}


class RandomNoise(SRAttack):
    """Perturbs by uniform noise on a coarse grid: StructuredPGD without its steps.

    The source is the start of Castillo et al. 2021, eq. 4. In l2 the noise is scaled to the full radius
    before it is clipped to the range. Images, radius and errors are those of
    :class:`~srbench.attacks.base.SRAttack`.

    Args:
        model: only run where ``restarts`` is above 1.
        structure: side of a noise cell in LR pixels, 1 or more.
        restarts: independent draws; the worst of them is kept for each image.
        **settings: those of :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import RandomNoise
    >>> noise = RandomNoise(torch.nn.Upsample(scale_factor=4), eps=8 / 255, structure=2, seed="mine")
    >>> noise(torch.full((1, 3, 8, 8), 0.5), ids=["0801"]).sub(0.5).abs().max() <= 8 / 255
    tensor(True)
    """

    needs_gradient: ClassVar[bool] = False
    is_noise: ClassVar[bool] = True
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")
    options: ClassVar[tuple[str, ...]] = ("structure", "restarts")

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
        self.structure = structure
        self.restarts = whole("restarts", restarts)

    def perturb(self, problem: Problem) -> Tensor:
        draws = (self._draw(problem, str(r)) for r in range(self.restarts))
        return worst_of(problem, draws, self.restarts)

    def asks(self) -> AttackPasses:
        return restarted(AttackPasses(), self.restarts)

    @classmethod
    def l2_form(cls, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the same class: its noise is scaled to the radius in l2."""
        return cls.__name__, dict(options)

    def _draw(self, problem: Problem, stream: str) -> Tensor:
        # The same stream as StructuredPGD's start: what the steps add is then seen on the same noise.
        noise = problem.start("random", self.structure, stream)
        if self.threat.norm == "l2":
            noise = unit_rms(noise) * self.threat.eps
        return self.threat.project(noise, problem.x)


def unit_rms(image: Tensor) -> Tensor:
    """Return each image divided by the root mean square of its values; zero stays zero.

    >>> import torch
    >>> from srbench.attacks.random_noise import unit_rms
    >>> unit_rms(torch.tensor([1.0, 7.0]).reshape(1, 1, 1, 2)).flatten()
    tensor([0.2000, 1.4000])
    """
    size: Tensor = image.flatten(1).norm(dim=1) / math.sqrt(image[0].numel())
    return image / size.clamp_min(1e-30).reshape(-1, 1, 1, 1)
