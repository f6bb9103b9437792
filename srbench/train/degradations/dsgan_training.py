"""Train a DSGAN: it keeps colours and gives textures of the source domain."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.attacks.noise import generator
from srbench.attacks.objectives import Objective
from srbench.attacks.objectives_from_text import parse_objective
from srbench.errors import BadInput, RunFailed
from srbench.support.scales import SCALE
from srbench.train.degradations.base import Context
from srbench.train.degradations.clean import bicubic_lr
from srbench.train.degradations.dsgan import DSGAN, Norm, build_dsgan, build_texture_discriminator, draw_noise
from srbench.train.degradations.source_domain import FIRST_CROP, SourceDomain
from srbench.train.frequency import high_pass, low_pass

FIRST_INPUT = FIRST_CROP + 10**8
"""A DSGAN that learns to degrade training crops takes those from this index on."""
_LINES = 20


@dataclass(frozen=True)
class DSGANPlan:
    """Says what a DSGAN is trained with; see the settings of ``frequency-separation``.

    Attributes:
        net: objective of the perceptual term as text, empty for none.
        pairs: ``source`` or ``training``: what is degraded while it learns.
        precision: ``fp32`` or ``bf16``.
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
    discriminator_norm: Norm = "batch"
    pairs: str = "source"
    high_pass_scale: float = 1.0
    noise_channels: int = 0
    average: float = 0.0
    discriminator_lr: float = 0.0
    checks: int = 0
    precision: str = "fp32"


class DSGANTraining:
    """Trains one DSGAN, which the plan, the context's seed and the images decide."""

    def __init__(self, plan: DSGANPlan, context: Context, domain: SourceDomain) -> None:
        self._plan, self._context, self._domain = plan, context, domain
        first = generator(context.seed, "generator", "dsgan")
        second = generator(context.seed, "discriminator", "dsgan")
        self.network: DSGAN = build_dsgan(plan.features, plan.blocks, plan.skip, first, plan.noise_channels)
        self._judge: nn.Sequential = build_texture_discriminator(
            plan.discriminator_features, second, plan.discriminator_norm
        )
        # Convolutions in bf16 on a CPU are faster with the channels last.
        order = torch.channels_last if plan.precision == "bf16" else torch.contiguous_format
        for network in (self.network, self._judge):
            network.to(context.device, memory_format=order).train()  # type: ignore[call-overload]
        self._average = copy.deepcopy(self.network).requires_grad_(False) if plan.average else None
        betas = (plan.beta1, 0.999)
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=plan.lr, betas=betas)
            for network in (self.network, self._judge)
        ]
        self._objective: Objective | None = parse_objective(plan.net) if plan.net else None

    def run(self, misses: Callable[[DSGAN], float] | None = None) -> DSGAN:
        """Return the trained generator, in eval mode and frozen.

        Args:
            misses: says by how much a generator misses its source. Where the plan has checks, it is asked so
                many times over the last half, at equal distances, and the best of those generators is kept.

        Raises:
            BadInput: crops larger than the images.
            RunFailed: the loss became NaN or infinite.
        """
        plan, start = self._plan, time.monotonic()
        found: list[tuple[float, DSGAN]] = []
        checks = {plan.iterations - plan.iterations * k // (2 * plan.checks) for k in range(plan.checks)}
        for iteration in range(plan.iterations):
            losses = self._step(iteration)
            done = iteration + 1
            if done % max(1, plan.iterations // _LINES) == 0 or done == plan.iterations:
                self._report(done, losses.tolist(), time.monotonic() - start)
            if misses is not None and done in checks:
                candidate = self._frozen()
                found.append((misses(candidate), candidate))
                self._context.report(
                    f"DSGAN {done}/{plan.iterations}: misses its source by {found[-1][0]:.0%}"
                )
        return min(found, key=lambda pair: pair[0])[1] if found else self._frozen()

    def _frozen(self) -> DSGAN:
        """Return a copy of the generator as it would be kept now."""
        kept = copy.deepcopy(self._average or self.network)
        kept.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return kept.eval().requires_grad_(False)

    def _step(self, iteration: int) -> Tensor:
        plan = self._plan
        factor = decay(iteration, plan.iterations)
        rates = (plan.lr, plan.discriminator_lr or plan.lr)
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        ids = [str(index) for index in self._indices(iteration)]
        lr, real = self._batch(iteration)
        noise = draw_noise(lr, plan.noise_channels, ids, self._context.seed, "dsgan-training-noise")
        with self._autocast():
            degraded: Tensor = self.network(lr, noise)
        self._judge.requires_grad_(False)  # the generator's step asks nothing of its weights
        losses = self._generator_losses(degraded, lr)
        self._optimizers[0].zero_grad(set_to_none=True)
        weights = losses.new_tensor([plan.colour, plan.texture, plan.perceptual])
        (losses * weights).sum().backward()
        self._optimizers[0].step()
        self._judge.requires_grad_(True)
        self._optimizers[1].zero_grad(set_to_none=True)
        fooled = F.softplus(self._judged(degraded.detach())).mean()
        loss = F.softplus(-self._judged(real)).mean() + fooled
        loss.backward()
        self._optimizers[1].step()
        self._follow(iteration)
        return torch.stack([*losses.detach(), loss.detach()])

    def _generator_losses(self, degraded: Tensor, lr: Tensor) -> Tensor:
        """Return colour, texture and perceptual loss, before their weights."""
        width = self._plan.low_pass
        colour = F.l1_loss(low_pass(degraded, width, border=False), low_pass(lr, width, border=False))
        texture = F.softplus(-self._judged(degraded)).mean()
        perceptual = degraded.new_zeros(())
        if self._objective is not None:
            perceptual = self._objective.bind(lr)(degraded).mean()
        return torch.stack([colour, texture, perceptual])

    def _judged(self, lr: Tensor) -> Tensor:
        """Return the discriminator's logits (N,1,H,W) of the high-pass of LR (N,3,H,W)."""
        scale, high = self._plan.high_pass_scale, high_pass(lr, self._plan.low_pass)
        with self._autocast():
            logits: Tensor = self._judge(high if scale == 1 else 0.5 + scale * (high - 0.5))
        return logits.float()

    def _follow(self, iteration: int) -> None:
        """Move the average of the weights towards the weights; the first ones soon count for nothing."""
        if self._average is None:
            return
        share = 1 - min(self._plan.average, (1 + iteration) / (10 + iteration))
        with torch.no_grad():
            pairs = zip(self._average.parameters(), self.network.parameters(), strict=True)
            for mean, latest in pairs:
                mean.lerp_(latest, share)

    def _autocast(self) -> torch.autocast:
        enabled = self._plan.precision == "bf16"
        return torch.autocast(self._context.device.type, dtype=torch.bfloat16, enabled=enabled)

    def _indices(self, iteration: int) -> range:
        return range(iteration * self._plan.batch, (iteration + 1) * self._plan.batch)

    def _batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Return LR to degrade and LR of the source domain, both (N,3,crop,crop)."""
        plan, context, indices = self._plan, self._context, self._indices(iteration)
        real = self._domain.crops(indices, plan.crop, context.seed)
        lr = self._shrunk_source(indices) if plan.pairs == "source" else self._clean(indices)
        return lr.to(context.device), real.to(context.device)

    def _shrunk_source(self, indices: Sequence[int]) -> Tensor:
        """Return crops of the very images that the real crops of these indices are cut from, shrunk by 4."""
        try:
            crops = self._domain.crops(
                indices, SCALE * self._plan.crop, self._context.seed, stream="source-input"
            )
        except BadInput as error:
            raise BadInput(
                f"{error}; or set pairs = 'training', for which the images need not be four times as large"
            ) from error
        return bicubic_lr(crops, quantize=True)

    def _clean(self, indices: Sequence[int]) -> Tensor:
        """Return crops of clean LR of training images."""
        plan, context = self._plan, self._context
        numbers = [FIRST_INPUT + index for index in indices]
        if context.crops_of is not None:
            return bicubic_lr(context.crops_of(numbers, SCALE * plan.crop).to(context.device), quantize=True)
        lr = bicubic_lr(context.crops(numbers).to(context.device), quantize=True)
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
        return torch.stack(cut)

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
