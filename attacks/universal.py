"""Attack many images by one noise (the universal attack of Choi et al. 2019)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, ClassVar

import torch
from torch import Tensor

from srbench.attacks.base import SRAttack, ZeroGradient
from srbench.attacks.checked import at_least, step_length, whole
from srbench.attacks.noise import structured_uniform
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import Problem
from srbench.errors import BadInput

PRESETS = {
    "universal": {
        "kind": "UniversalPerturbation",
        "about": "One noise for all images of a set, found on the first eight of them in ten rounds (Choi et "
        "al. 2019): the images it was found on are among those it is measured on.",
        "eps": 8,
        "objective": "mse",
        "options": {"alpha": None, "steps": 10, "size": None, "images": 8},
    },
}


class UniversalPerturbation(SRAttack):
    """Repeats ``noise <- clip(noise + alpha / T * sign(mean over images of the raw gradients))`` T times.

    The source is Choi et al. 2019, *Evaluating Robustness of Deep Image Super-Resolution against Adversarial
    Attacks*. Images, radius and errors are those of :class:`~srbench.attacks.base.SRAttack`. It is fitted on
    one set, which takes a gradient of each image in each step, and then added to another:
    ``attack.fit(pairs); adversarial = attack(lr)``. Where images differ in size the noise is a tile repeated
    from the upper left corner; with images of one size it is the attack as published.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        alpha: length of the whole way; None is eps.
        steps: T, 1 or more; every step goes over all images.
        size: rows and columns of the noise; None takes the largest height and width among the images.
        images: on the command line, how many images of a data set it is fitted on, the first by their ids.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import UniversalPerturbation
    >>> attack = UniversalPerturbation(torch.nn.Upsample(scale_factor=4), eps=0.25, steps=4)
    >>> pairs = [(torch.full((2, 3, 8, 8), 0.5), torch.zeros(2, 3, 32, 32))]
    >>> attack.fit(pairs)(torch.full((1, 3, 12, 10), 0.25)).unique()
    tensor([0.5000])
    """

    fitted: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("alpha", "steps", "size", "images")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        alpha: float | None = None,
        steps: int = 50,
        size: tuple[int, int] | None = None,
        images: int = 8,
        objective: Any = "mse",
        **settings: Any,
    ) -> None:
        super().__init__(model, norm="linf", objective=objective, **settings)
        at_least("size", min(size or (1, 1)), 1)
        self.alpha = step_length(alpha, self.threat.eps)
        self.steps = whole("steps", steps)
        self.size = size
        self.images = whole("images", images)
        self.noise: Tensor | None = None

    def fit(self, images: Iterable[tuple[Tensor, Tensor | None]]) -> UniversalPerturbation:
        """Find the noise.

        Args:
            images: batches of LR (N,3,H,W) and HR (N,3,4H,4W) or None; each batch may be of another size.
                All are held in memory, with the objective's features of HR.

        Returns:
            Itself, with ``noise`` (1,3,h,w) set.

        Raises:
            BadInput: no images, wrong shapes, or no gradient.
            RunFailed: NaN or infinite values in the model's output or gradient.
        """
        with ExitStack() as stack:
            problems = [stack.enter_context(self.opened(lr, hr, None)) for lr, hr in images]
            if not problems:
                raise BadInput("no images to fit a universal perturbation on")
            rows, columns = self.size or tuple(
                max(problem.x.shape[axis] for problem in problems) for axis in (-2, -1)
            )
            noise = problems[0].x.new_zeros(1, 3, rows, columns)
            if any(problem.hr is None for problem in problems):
                start = structured_uniform(noise, ["universal"], structure=1, seed=self.seed, stream="0")
                noise = start * self.threat.eps
            for _ in range(self.steps):
                total = torch.zeros_like(noise)
                for problem in problems:
                    gradient, _ = problem.gradient(_tiled(noise, problem.x))
                    total += _folded(gradient, rows, columns)
                noise = (noise + self.alpha / self.steps * total.sign()).clamp(
                    -self.threat.eps, self.threat.eps
                )
            for problem in problems:
                problem.check(_tiled(noise, problem.x))
            self.noise = noise
            blind = [image for problem in problems for image in problem.unsteered()]
            if len(blind) == sum(len(problem.x) for problem in problems):
                warnings.warn(self._lacked(["all"]), ZeroGradient, stacklevel=2)
        return self

    def perturb(self, problem: Problem) -> Tensor:
        if self.noise is None:
            raise BadInput("a universal perturbation has to be fitted first: call fit(images)")
        return self.threat.project(_tiled(self.noise.to(problem.x), problem.x), problem.x)

    def asks(self) -> AttackPasses:
        """Return no pass: noise that is fitted is only added."""
        return AttackPasses()


def _tiled(noise: Tensor, x: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=noise.device) % noise.shape[-2]
    columns = torch.arange(width, device=noise.device) % noise.shape[-1]
    return noise[:, :, rows][..., columns].expand_as(x)


def _folded(gradient: Tensor, rows: int, columns: int) -> Tensor:
    """Return the sum over images and over the places that share one value of the noise, (1,3,h,w)."""
    total = gradient.sum(0, keepdim=True)
    height, width = total.shape[-2:]
    device = total.device
    folded = total.new_zeros(1, 3, rows, width)
    folded.index_add_(2, torch.arange(height, device=device) % rows, total)
    result = total.new_zeros(1, 3, rows, columns)
    return result.index_add_(3, torch.arange(width, device=device) % columns, folded)
