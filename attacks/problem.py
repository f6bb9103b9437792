"""Put one call of an attack, its images, model and bound objective, behind two questions.

How bad is a perturbation (:meth:`Problem.losses`), and which way is worse (:meth:`Problem.gradient`)?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from srbench.attacks.noise import structured_uniform
from srbench.attacks.objectives import Objective, Score
from srbench.attacks.straight_through import gradients_straight_through
from srbench.attacks.threat import ThreatModel
from srbench.errors import BadInput, RunFailed
from srbench.support.scales import LISTED, SCALE, scale_between

Start = Literal["auto", "zero", "random"]
STARTS: tuple[Start, ...] = ("auto", "zero", "random")


@dataclass(eq=False)
class _Shared:
    """Holds what problems over the same batch have in common."""

    scores: dict[Objective, Score] = field(default_factory=dict)
    clean: Tensor | None = None
    # Both are per image, and kept on the device: looking would wait for it at every step.
    finite: Tensor | None = None
    steered: Tensor | None = None  # whether any gradient had a value that is not zero

    def watch(self, losses: Tensor, gradient: Tensor | None = None) -> None:
        finite = torch.isfinite(losses)
        if gradient is not None:
            finite = finite & torch.isfinite(gradient).flatten(1).all(1)
            steered = (gradient != 0).flatten(1).any(1)
            self.steered = steered if self.steered is None else self.steered | steered
        self.finite = finite if self.finite is None else self.finite & finite


@dataclass(eq=False)
class Problem:
    """Holds a batch under attack. Every loss is per image, so that a batch equals its images one by one.

    Attributes:
        model: maps (N,3,H,W) to (N,3,sH,sW), s one of :data:`srbench.support.scales.SCALES`.
        x: clean LR (N,3,H,W) in [0,1].
        hr: target (N,3,sH,sW), or None for the model's own clean output.
        ids: N image ids, which seed the noise.
        objective: what is made large.
        threat: the allowed perturbations.
        seed: seeds the noise, together with the ids.
        bf16: run model and objective under bfloat16 autocast.
        samples: forwards averaged for every loss and gradient.
        straight_through: pass gradients through rounding and clipping inside the model; see
            :mod:`srbench.attacks.straight_through`.
        targeted: HR is what the output is to come near to: losses are the objective's negative.
        blindly: give a gradient of zeros where the model gives none, in place of an error.

    >>> import torch
    >>> from srbench.attacks import RandomNoise
    >>> attack = RandomNoise(torch.nn.Upsample(scale_factor=4), objective="l1")
    >>> with attack.opened(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 32, 32), None) as problem:
    ...     problem.losses(torch.full((2, 3, 8, 8), 0.5))
    tensor([0.5000, 0.5000])
    """

    model: Callable[[Tensor], Tensor]
    x: Tensor
    hr: Tensor | None
    ids: Sequence[str]
    objective: Objective
    threat: ThreatModel
    seed: str | int
    bf16: bool
    samples: int = 1
    straight_through: bool = False
    targeted: bool = False
    blindly: bool = False
    _shared: _Shared = field(default_factory=_Shared)

    def pursuing(self, objective: Objective, seed: str | int) -> Problem:
        """Return the same batch with another objective; targets and features already computed are shared."""
        return replace(self, objective=objective, seed=seed)

    @property
    def scale(self) -> int | None:
        """Return how many times larger HR is; None without HR."""
        return None if self.hr is None else scale_between(self.x.shape, self.hr.shape)

    @property
    def zeros(self) -> Tensor:
        """Return the perturbation that changes nothing, (N,3,H,W)."""
        return torch.zeros_like(self.x)

    def noise(self, structure: float, stream: str) -> Tensor:
        """Return structured noise in [-1, 1); see :func:`srbench.attacks.noise.structured_uniform`."""
        return structured_uniform(self.x, self.ids, structure=structure, seed=self.seed, stream=stream)

    def start(self, kind: Start, structure: float = 1, stream: str = "0") -> Tensor:
        """Return a first perturbation: zero, or uniform in the l-inf ball.

        Raises:
            BadInput: a zero start without HR: the target is then the clean output, where the loss is
                smallest and its gradient zero.
        """
        if kind == "zero" and self.hr is None:
            raise BadInput("a zero start needs HR: against the model's own output its gradient is zero")
        if kind == "zero" or (kind == "auto" and self.hr is not None):
            return self.zeros
        return self.noise(structure, stream) * self.threat.eps

    def losses(self, delta: Tensor) -> Tensor:
        """Return the objective of each image, shape (N,), without gradients."""
        with torch.no_grad():
            lr = self._perturbed(delta)
            losses = self._losses(lr)
            for _ in range(self.samples - 1):
                losses = losses + self._losses(lr)
        losses = losses / self.samples
        self._shared.watch(losses)
        return losses

    def gradient(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient of each image's objective to its perturbation (N,3,H,W), and objectives (N,).

        The perturbed image is clipped to the valid range, so the gradient is zero where it saturates.

        Raises:
            BadInput: the model gives no gradient.
        """
        gradient, losses = self._gradient(delta)
        for _ in range(self.samples - 1):
            more, others = self._gradient(delta)
            gradient, losses = gradient + more, losses + others
        gradient, losses = gradient / self.samples, losses / self.samples
        self._shared.watch(losses, gradient)
        return gradient, losses

    def _gradient(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        leaf = delta.detach().requires_grad_()
        with torch.enable_grad():
            losses = self._losses(self._perturbed(leaf))
            if not losses.requires_grad and self.blindly:
                return torch.zeros_like(delta), losses
            if not losses.requires_grad:
                raise BadInput(
                    "the model gives no gradient to its input (no_grad, inference_mode, a constant output): "
                    "use a black-box attack such as SquareSearch or RandomNoise"
                )
            # Each image's loss depends on that image alone, so the gradient of the sum holds all of them.
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return gradient, losses.detach()

    def super_resolve(self, lr: Tensor) -> Tensor:
        """Return SR of LR (N,3,H,W) in the LR's number type, with its shape checked.

        Raises:
            BadInput: the model is no RGB model of a scale that is measured, or of another than HR.
        """
        with (
            torch.autocast(lr.device.type, torch.bfloat16, enabled=self.bf16),
            gradients_straight_through(self.straight_through and torch.is_grad_enabled()),
        ):
            sr = self.model(lr)
        scale = self.scale or (scale_between(lr.shape, sr.shape) if isinstance(sr, Tensor) else None)
        due = (len(lr), 3, *((scale or SCALE) * side for side in lr.shape[-2:]))
        if not isinstance(sr, Tensor) or tuple(sr.shape) != due:
            made = tuple(sr.shape) if isinstance(sr, Tensor) else type(sr).__name__
            need = f"x{scale}" if scale else LISTED.replace(" and ", " or ")
            raise BadInput(f"the model made {made} where {due} was due: attacks need an RGB model of {need}")
        return sr.to(lr.dtype)

    def score(self, objective: Objective) -> Score:
        """Return an objective bound to the target; it is bound once per batch."""
        scores = self._shared.scores
        if objective not in scores:
            scores[objective] = objective.bind(self._target())
        return scores[objective]

    def check(self, delta: Tensor) -> None:
        """Look once, at the end, whether anything became NaN or infinite on the way.

        Raises:
            RunFailed: it did; the images are named.
        """
        finite = torch.isfinite(delta).flatten(1).all(1)
        if self._shared.finite is not None:
            finite = finite & self._shared.finite
        if not bool(finite.all()):
            bad = ", ".join(i for i, good in zip(self.ids, finite.tolist(), strict=True) if not good)
            raise RunFailed(f"the model's output or gradient has NaN or infinite values (image {bad})")

    def unsteered(self) -> list[str]:
        """Return the ids of the images of which gradients were asked, and every one was zero everywhere."""
        if self._shared.steered is None:
            return []
        return [i for i, steered in zip(self.ids, self._shared.steered.tolist(), strict=True) if not steered]

    def damage(self, delta: Tensor, measures: Sequence[Objective]) -> Tensor:
        """Return measures of SR as metrics take them, shape (len(measures), N).

        SR is clipped to [0,1] and comes from the LR as it would be stored.
        """
        with torch.no_grad():
            sr = self.super_resolve(self.threat.apply(self.x, delta)).clamp(0, 1)
            damage = torch.stack([self.score(measure)(sr) for measure in measures])
        for losses in damage:
            self._shared.watch(losses)
        return damage

    def _losses(self, lr: Tensor) -> Tensor:
        score, sr = self.score(self.objective), self.super_resolve(lr)
        with torch.autocast(lr.device.type, torch.bfloat16, enabled=self.bf16):
            losses = score(sr)
        if losses.shape != (len(lr),):
            raise BadInput(
                f"objective {self.objective} made {tuple(losses.shape)} where one number per image was due"
            )
        return -losses if self.targeted else losses

    def _perturbed(self, delta: Tensor) -> Tensor:
        return (self.x + delta).clamp(self.threat.low, self.threat.high)

    def _target(self) -> Tensor:
        if self.hr is not None:
            return self.hr
        if self._shared.clean is None:
            with torch.no_grad():
                self._shared.clean = self.super_resolve(self.x)
        return self._shared.clean


# Modules that do not care how an image lies in memory.
_LAYOUT_FREE = (
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm2d,
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Identity,
    nn.Upsample,
    nn.PixelShuffle,
)


def convolutional(model: object) -> bool:
    """Return whether a model is a plain convolutional network, which runs faster on channels-last images.

    Others may reshape images by ``view``, which fails on that layout.

    >>> from torch import nn
    >>> from srbench.attacks.problem import convolutional
    >>> convolutional(nn.Conv2d(3, 3, 3)), convolutional(nn.Linear(3, 3))
    (True, False)
    """
    if not isinstance(model, nn.Module):
        return False
    leaves = [module for module in model.modules() if next(module.children(), None) is None]
    return any(isinstance(leaf, nn.Conv2d) for leaf in leaves) and all(
        isinstance(leaf, _LAYOUT_FREE) for leaf in leaves
    )
