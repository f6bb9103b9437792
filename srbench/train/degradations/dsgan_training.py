"""Train a DSGAN: it keeps colours and gives textures of the source domain."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.attacks.noise import generator
from srbench.attacks.objectives import Objective
from srbench.attacks.objectives_from_text import parse_objective
from srbench.datasets.base import SCALE
from srbench.errors import BadInput, RunFailed
from srbench.train.degradations.base import Context
from srbench.train.degradations.clean import bicubic_lr
from srbench.train.degradations.dsgan import DSGAN, build_dsgan, build_texture_discriminator
from srbench.train.degradations.source_domain import FIRST_CROP, SourceDomain
from srbench.train.frequency import high_pass, low_pass

FIRST_INPUT = FIRST_CROP + 10**8
"""The DSGAN learns to degrade the training crops from this index on."""
_LINES = 20


@dataclass(frozen=True)
class DSGANPlan:
    """Says what a DSGAN is trained with; see the settings of ``frequency-separation``.

    Attributes:
        net: objective of the perceptual term as text, empty for none.
    """

    iterations: int
    batch: int
    crop: int
    lr: float
    beta1: float
    low_pass: int
    colour: float
    texture: float
    perceptual: float
    net: str
    features: int
    blocks: int
    skip: bool
    discriminator_features: int


class DSGANTraining:
    """Trains one DSGAN, which the plan, the context's seed and the images decide."""

    def __init__(self, plan: DSGANPlan, context: Context, domain: SourceDomain) -> None:
        self._plan, self._context, self._domain = plan, context, domain
        first = generator(context.seed, "generator", "dsgan")
        second = generator(context.seed, "discriminator", "dsgan")
        self.network: DSGAN = build_dsgan(plan.features, plan.blocks, plan.skip, first)
        self.network.to(context.device).train()
        self._judge: nn.Sequential = build_texture_discriminator(plan.discriminator_features, second)
        self._judge.to(context.device).train()
        betas = (plan.beta1, 0.999)
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=plan.lr, betas=betas)
            for network in (self.network, self._judge)
        ]
        self._objective: Objective | None = parse_objective(plan.net) if plan.net else None

    def run(self) -> DSGAN:
        """Return the trained generator, in eval mode and frozen.

        Raises:
            BadInput: crops larger than the images.
            RunFailed: the loss became NaN or infinite.
        """
        plan, start = self._plan, time.monotonic()
        for iteration in range(plan.iterations):
            losses = self._step(iteration)
            done = iteration + 1
            if done % max(1, plan.iterations // _LINES) == 0 or done == plan.iterations:
                self._report(done, losses.tolist(), time.monotonic() - start)
        return self.network.eval().requires_grad_(False)

    def _step(self, iteration: int) -> Tensor:
        plan = self._plan
        rate = plan.lr * decay(iteration, plan.iterations)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        lr, real = self._batch(iteration)
        degraded = self.network(lr)
        self._judge.requires_grad_(False)  # the generator's step asks nothing of its weights
        losses = self._generator_losses(degraded, lr)
        self._optimizers[0].zero_grad(set_to_none=True)
        weights = losses.new_tensor([plan.colour, plan.texture, plan.perceptual])
        (losses * weights).sum().backward()
        self._optimizers[0].step()
        self._judge.requires_grad_(True)
        self._optimizers[1].zero_grad(set_to_none=True)
        fooled = F.softplus(self._judge(high_pass(degraded.detach(), plan.low_pass))).mean()
        loss = F.softplus(-self._judge(high_pass(real, plan.low_pass))).mean() + fooled
        loss.backward()
        self._optimizers[1].step()
        return torch.stack([*losses.detach(), loss.detach()])

    def _generator_losses(self, degraded: Tensor, lr: Tensor) -> Tensor:
        """Return colour, texture and perceptual loss, before their weights."""
        width = self._plan.low_pass
        colour = F.l1_loss(low_pass(degraded, width, border=False), low_pass(lr, width, border=False))
        texture = F.softplus(-self._judge(high_pass(degraded, width))).mean()
        perceptual = degraded.new_zeros(())
        if self._objective is not None:
            perceptual = self._objective.bind(lr)(degraded).mean()
        return torch.stack([colour, texture, perceptual])

    def _batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Return clean LR and LR of the source domain, both (N,3,crop,crop)."""
        plan, context = self._plan, self._context
        indices = range(iteration * plan.batch, (iteration + 1) * plan.batch)
        hr = context.crops([FIRST_INPUT + index for index in indices]).to(context.device)
        lr = bicubic_lr(hr, quantize=True)
        side = lr.shape[-1]
        if plan.crop > side:
            raise BadInput(
                f"crops of {plan.crop} LR px cannot be cut from training crops of {SCALE * side} HR px, "
                f"which are {side} LR px: set crop of frequency-separation to {side} or less"
            )
        cut = []
        for image, index in zip(lr, indices, strict=True):
            random = generator(context.seed, str(index), "dsgan-crop")
            top, left = torch.randint(side - plan.crop + 1, (2,), generator=random).tolist()
            cut.append(image[:, top : top + plan.crop, left : left + plan.crop])
        real = self._domain.crops(indices, plan.crop, context.seed)
        return torch.stack(cut), real.to(context.device)

    def _report(self, done: int, losses: list[float], seconds: float) -> None:
        if not all(abs(value) < float("inf") for value in losses):  # NaN fails as well
            raise RunFailed(
                f"the DSGAN's loss became NaN or infinite by iteration {done}: "
                "lower lr of frequency-separation"
            )
        colour, texture, perceptual, judge = losses
        left = seconds / done * (self._plan.iterations - done)
        shown = f", perceptual {perceptual:.4f}" if self._objective else ""
        self._context.report(
            f"DSGAN {done}/{self._plan.iterations}: colour {colour:.4f}, texture {texture:.3f}{shown}, "
            f"discriminator {judge:.3f}, {left:.0f} s left"
        )


def decay(iteration: int, iterations: int) -> float:
    """Return the factor of the learning rate: 1 for the first half, then straight down to 0 at the end."""
    half = iterations / 2
    return 1.0 if iteration < half else max(0.0, 1 - (iteration - half) / half)
