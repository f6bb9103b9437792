"""Do one iteration: HR crops, LR by the recipe's degradation with the generator as it is, G step, D step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from srbench.train import losses
from srbench.train.degradations import Batch, Degradation
from srbench.train.frequency import high_pass
from srbench.train.perceptual import Perceptual
from srbench.train.processes import Processes
from srbench.train.recipe import TrainingRecipe
from srbench.train.schedule import learning_rate
from srbench.train.state import State

COLUMNS = ("loss_g", "l1", "perceptual", "gan", "loss_d", "d_real", "d_fake")
""":meth:`Trainer.step` returns these: the losses before their weights, and D's mean logits."""


class Trainer:
    """Takes one recipe's optimizer steps.

    Args:
        recipe: every setting.
        state: networks and optimizers on the device of ``processes``; changed in place.
        degradation: prepared, over ``state.generator``.
        perceptual: the perceptual loss; over ``state.discriminator`` where it is that one's features.

    Attributes:
        degradation, perceptual: the arguments of these names.
        stage: called with a stage's name around its work: for measuring.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        state: State,
        degradation: Degradation,
        perceptual: Perceptual,
        processes: Processes,
    ) -> None:
        self.recipe, self.state = recipe, state
        self.degradation, self.perceptual, self._processes = degradation, perceptual, processes
        self._part = processes.share(recipe.data.batch, recipe.accumulate)
        self.stage: Callable[[str], AbstractContextManager[object]] = lambda name: nullcontext()

    def step(self, hr: Tensor, indices: Sequence[int]) -> Tensor:
        """Do one iteration.

        Args:
            hr: this process's HR crops (N,3,P,P) in [0,1], on any device.
            indices: their global sample indices.

        Returns:
            The :data:`COLUMNS` of this process as one tensor on the device; NaN where a loss is not used.

        Raises:
            RunFailed: the attack met NaN or infinite values.
        """
        state, recipe = self.state, self.recipe
        self._set_learning_rate()
        hr = hr.to(self._processes.device, non_blocking=True, memory_format=torch.channels_last)
        batches = list(zip(hr.split(self._part), _split(indices, self._part), strict=True))
        row = hr.new_full((len(COLUMNS),), float("nan"))
        state.optimizer_g.zero_grad(set_to_none=True)
        pairs = []
        totals = []
        for images, ids in batches:
            groups, parts = self._generator_part(images, ids)
            pairs += [(images, sr) for sr in groups]
            totals.append(parts)
        self._finish(state.generator, state.optimizer_g)
        row[:4] = torch.stack(totals).mean(0)
        if state.discriminator is not None and state.optimizer_d is not None and recipe.losses.gan:
            with self.stage("discriminator"):
                state.optimizer_d.zero_grad(set_to_none=True)
                judged = torch.stack([self._discriminator_part(*pair, len(pairs)) for pair in pairs])
                row[4:] = judged.mean(0)
            self._finish(state.discriminator, state.optimizer_d)
        state.iteration += 1
        if recipe.ema:
            with self.stage("optimizer"):
                state.update_average(recipe.ema)
        return row

    def _generator_part(self, hr: Tensor, indices: Sequence[int]) -> tuple[list[Tensor], Tensor]:
        """Add the gradients of one part of the batch; return its SRs, detached, and the four losses of G."""
        generator, weights = self.state.generator, self.recipe.losses
        score = _BoundPerceptual(self.perceptual, hr, self._autocast) if self.perceptual.objective else None
        with self.stage("degradation"):
            ids = tuple(str(i) for i in indices)
            lr = self.degradation(Batch(hr, ids, score, self.perceptual.text if score else ""))
        with self.stage("generator"):
            with self._autocast():
                sr = generator(lr.contiguous(memory_format=torch.channels_last))
            groups = _medians(sr.float(), len(hr), self.degradation.samples)
            zero = groups[0].new_zeros(())
            l1 = _mean(losses.l1(sr, hr, weights.l1_low_pass) for sr in groups) if weights.l1 else zero
        perceptual = gan = zero
        if weights.perceptual and score is not None:
            with self.stage("perceptual"):
                perceptual = _mean(score(sr).mean() for sr in groups)
        if weights.gan and self.state.discriminator is not None:
            with self.stage("discriminator"), _frozen(self.state.discriminator):
                with torch.no_grad():
                    real = self._judge(hr)
                gan = _mean(losses.generator_gan(real, self._judge(sr)) for sr in groups)
        with self.stage("backward"):
            total = weights.l1 * l1 + weights.perceptual * perceptual + weights.gan * gan
            (total / self.recipe.accumulate).backward()
        nan = zero.new_full((), float("nan"))
        used = (True, weights.l1, weights.perceptual, weights.gan)
        shown = [v if on else nan for v, on in zip((total, l1, perceptual, gan), used, strict=True)]
        return [sr.detach() for sr in groups], torch.stack(shown).detach()

    def _discriminator_part(self, hr: Tensor, sr: Tensor, parts: int) -> Tensor:
        real, fake = self._judge(hr), self._judge(sr)
        loss = losses.discriminator_gan(real, fake, self.recipe.losses.detach_means)
        (loss / parts).backward()
        return torch.stack([loss, real.mean(), fake.mean()]).detach()

    def _judge(self, images: Tensor) -> Tensor:
        """Return the discriminator's logits in fp32."""
        assert self.state.discriminator is not None
        width = self.recipe.losses.gan_high_pass
        seen = high_pass(images, width) if width else images
        with self._autocast():
            logits: Tensor = self.state.discriminator(seen)
        return logits.float()

    def _finish(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        with self.stage("optimizer"):
            self._processes.average_gradients(module)
            optimizer.step()

    def _set_learning_rate(self) -> None:
        settings = self.recipe.optimizer
        rates = (settings.lr, settings.lr_discriminator or settings.lr)
        for optimizer, rate in zip((self.state.optimizer_g, self.state.optimizer_d), rates, strict=True):
            for group in optimizer.param_groups if optimizer else ():
                group["lr"] = learning_rate(self.recipe.schedule, rate, self.state.iteration)

    def _autocast(self) -> torch.autocast:
        enabled = self.recipe.precision == "bf16"
        return torch.autocast(self._processes.device.type, torch.bfloat16, enabled=enabled)


class _BoundPerceptual:
    """Binds the perceptual loss to HR at its first use, and once: attack and generator step share it."""

    def __init__(
        self, perceptual: Perceptual, hr: Tensor, autocast: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._perceptual, self._hr, self._autocast = perceptual, hr, autocast
        self._score: Callable[[Tensor], Tensor] | None = None

    def __call__(self, sr: Tensor) -> Tensor:
        with self._autocast():
            if self._score is None:
                self._score = self._perceptual.bind(self._hr)
                assert self._score is not None
            return self._score(sr.float()).float()


class _frozen(AbstractContextManager[None]):  # noqa: N801 - used as a function
    """Lets a network's parameters ask for no gradient inside, so that none is computed."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __enter__(self) -> None:
        self._module.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        self._module.requires_grad_(True)


def _medians(sr: Tensor, count: int, samples: int) -> list[Tensor]:
    """Return the SR (N,3,P,P) of each group, the per-value median of its copies; see Degradation.samples."""
    if samples == 1:
        return list(sr.split(count))
    return [group.unflatten(0, (samples, count)).median(0).values for group in sr.split(samples * count)]


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(0)


def _split(indices: Sequence[int], size: int) -> list[Sequence[int]]:
    return [indices[i : i + size] for i in range(0, len(indices), size)]
