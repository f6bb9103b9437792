"""Attack by projected gradient ascent from structured noise, as Castillo et al. 2021 do (eq. 2 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor

from srbench.attacks.base import SRAttack, worst_of
from srbench.attacks.checked import at_least, step_length, whole
from srbench.attacks.passes import AttackPasses, restarted
from srbench.attacks.problem import Problem

PRESETS = {
    "rsr": {
        "kind": "StructuredPGD",
        "about": "Two steps of 1/255 from structured noise are taken, with the values of the authors' code "
        "(Castillo et al. 2021, eq. 2 and 4).",
        "eps": 14,
        "perceptual": ["vgg19", "lpips-alex", "lpips-squeeze", "lpips-lite"],
        "objective": "0.01*l1+{perceptual}",
        "options": {"alpha": "1/255", "steps": 2, "structure": 1.5, "restarts": 1, "momentum": 0.0},
    },
    "rsr-paper": {
        "kind": "StructuredPGD",
        "about": "The attack is rsr with the unweighted sum of both losses that the paper writes.",
        "eps": 14,
        "perceptual": ["vgg19", "lpips-alex", "lpips-squeeze", "lpips-lite"],
        "objective": "l1+{perceptual}",
        "options": {"alpha": "1/255", "steps": 2, "structure": 1.5, "restarts": 1, "momentum": 0.0},
    },
}


class StructuredPGD(SRAttack):
    """Ascends the gradient in l-inf, from noise that is uniform on a coarse grid.

    The source is Castillo et al. 2021, *Generalized Real-World Super-Resolution through Adversarial
    Robustness*, eq. 2 and 4. Images, radius and errors are those of :class:`~srbench.attacks.base.SRAttack`.

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

    >>> import torch
    >>> from srbench.attacks import StructuredPGD
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 32, 32), 0.5)
    >>> attack = StructuredPGD(torch.nn.Upsample(scale_factor=4), eps=14 / 255, objective="l1", steps=30)
    >>> attack(lr, hr).sub(lr).abs().mul(255).round().unique()
    tensor([14.])
    """

    options: ClassVar[tuple[str, ...]] = ("alpha", "steps", "structure", "restarts", "momentum")

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
        at_least("structure", structure, 1)
        at_least("momentum", momentum, 0)
        self.alpha = step_length(alpha, 1 / 255)
        self.steps = whole("steps", steps)
        self.structure = structure
        self.restarts = whole("restarts", restarts)
        self.momentum = momentum

    def perturb(self, problem: Problem) -> Tensor:
        runs = (self._ascend(problem, self.start(problem, str(r))) for r in range(self.restarts))
        return worst_of(problem, runs, self.restarts)

    def asks(self) -> AttackPasses:
        return restarted(AttackPasses(gradients=self.steps), self.restarts)

    @classmethod
    def l2_form(cls, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return PGD in l2, from the same noise and with the same step."""
        # A step of 1/255 in every value is one of 1/255 in root mean square.
        shared = {name: options[name] for name in ("alpha", "steps", "structure", "restarts")}
        return "PGDL2", shared | {"start": "random"}

    def start(self, problem: Problem, stream: str) -> Tensor:
        """Return the structured start of one restart, (N,3,H,W)."""
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
    """Return each image's gradient divided by its mean absolute value; zero stays zero.

    >>> import torch
    >>> from srbench.attacks.structured_pgd import unit_mean
    >>> unit_mean(torch.tensor([1.0, -3.0]).reshape(1, 1, 1, 2)).flatten()
    tensor([ 0.5000, -1.5000])
    """
    size = gradient.abs().flatten(1).mean(1).clamp_min(1e-30)
    return gradient / size.reshape(-1, 1, 1, 1)
