"""Where a robust training's time goes, what its attack costs, and the authors' order of work.

    python benchmarks/training_speed.py --recipe rsr-mini --iterations 20
    python benchmarks/training_speed.py --recipe rsr --device cuda --batch 16 --perceptual vgg19

Prints the share of each stage of an iteration (data, attack, generator, perceptual, discriminator, backward,
optimizer); the attack's time over that of a forward of the generator on the same batch, with the objective's
own cost apart; and images per second beside a straightforward fp32 loop in the authors' order of operations
(NCHW memory, features of HR computed at every step of the attack and again for the loss, parameters not
frozen during the attack), same networks, batch and machine, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srbench.attacks.noise import structured_uniform
from srbench.train import degradations, losses
from srbench.train import recipe as recipes
from srbench.train.data.crops import Crops
from srbench.train.data.resize import bicubic_down
from srbench.train.data.sources import open_sources
from srbench.train.degradations import Context
from srbench.train.perceptual import Perceptual, choose_perceptual
from srbench.train.processes import Processes
from srbench.train.recipe import TrainingRecipe
from srbench.train.start import make_state
from srbench.train.state import State
from srbench.train.trainer import Trainer


class Clock:
    """Seconds by stage; on a GPU every stage waits for the device, so that its work is its own."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.device = device

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.wait()
        start = time.perf_counter()
        yield
        self.wait()
        self.seconds[name] += time.perf_counter() - start

    def of(self, work: Callable[[], object], repeats: int = 5) -> float:
        """Median seconds of some work, after a warm-up."""
        work()
        found = []
        for _ in range(repeats):
            self.wait()
            start = time.perf_counter()
            work()
            self.wait()
            found.append(time.perf_counter() - start)
        return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recipe", default="rsr-mini")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--init", default="scratch")
    parser.add_argument("--perceptual", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    changes: dict[str, Any] = {"init": given.init, "losses.perceptual_net": given.perceptual}
    if given.batch:
        changes["data.batch"] = given.batch
    recipe = recipes.load(given.recipe, changes)
    processes = Processes(given.device, given.threads)
    clock = Clock(processes.device)
    crops = Crops(open_sources(recipe.data.sources, patch=recipe.data.patch), recipe.data.patch, recipe.seed)
    state = make_state(recipe, processes)
    perceptual = choose_perceptual(recipe.losses.perceptual_net, discriminator=state.discriminator)
    with tempfile.TemporaryDirectory() as scratch:
        context = Context(state.generator, recipe.seed, Path(scratch), crops.batch, processes.device, print)
        degradation = degradations.make_degradation(degradations.parse(recipe.degradation), context)
        degradation.prepare()
        trainer = Trainer(recipe, state, degradation, perceptual, processes)
        print(f"{recipe.name}: batch {recipe.data.batch}, {recipe.precision}, perceptual {perceptual.text}")
        _ours_and_theirs(recipe, trainer, perceptual, crops, clock, given.iterations)
    attack_cost(recipe, state, perceptual, clock, crops)
    processes.close()


def _ours_and_theirs(
    recipe: TrainingRecipe,
    trainer: Trainer,
    perceptual: Perceptual,
    crops: Crops,
    clock: Clock,
    iterations: int,
) -> None:
    size = recipe.data.batch
    ours, theirs = [], []
    for turn in range(iterations + 2):
        indices = range(turn * size, (turn + 1) * size)
        if turn == 2:  # two turns of each to warm up
            clock.seconds.clear()
            ours.clear()
            theirs.clear()
        trainer.stage = clock.stage
        start = time.perf_counter()
        with clock.stage("data"):
            hr = crops.batch(indices)
        trainer.step(hr, indices)
        clock.wait()
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        plain_step(recipe, trainer.state, perceptual, crops.batch(indices).to(clock.device))
        clock.wait()
        theirs.append(time.perf_counter() - start)
    whole = sum(ours)
    for name, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:14s} {100 * seconds / whole:5.1f} %  {1000 * seconds / iterations:8.1f} ms")
    fast, slow = statistics.median(ours), statistics.median(theirs)
    print(
        f"images per second {size / fast:.2f}, authors' order in fp32 {size / slow:.2f}: {slow / fast:.2f}x"
    )


def plain_step(recipe: TrainingRecipe, state: State, perceptual: Perceptual, hr: Tensor) -> None:
    """One iteration as RSR_model.py orders it: fp32, NCHW, nothing shared, nothing frozen."""
    eps = 14 / 255
    lr = bicubic_down(hr, quantize=True).clamp(0, 1)
    ids = [str(i) for i in range(len(hr))]
    delta = eps * structured_uniform(lr, ids, structure=1.5, seed=0, stream="plain")
    for _ in range(2):
        delta = delta.detach().requires_grad_(True)
        sr = state.generator((lr + delta).clamp(0, 1))
        (0.01 * F.l1_loss(sr, hr) + _distance(perceptual, sr, hr)).backward()
        assert delta.grad is not None
        delta = (delta + delta.grad.sign() / 255).clamp(-eps, eps).detach()
        delta = torch.minimum(torch.maximum(delta, -lr), 1 - lr)
    state.optimizer_g.zero_grad()
    sr = state.generator(lr + delta)
    weights = recipe.losses
    loss = weights.l1 * F.l1_loss(sr, hr) + weights.perceptual * _distance(perceptual, sr, hr)
    if state.discriminator is not None:
        real, fake = state.discriminator(hr), state.discriminator(sr)
        loss = loss + weights.gan * losses.generator_gan(real.detach(), fake)
    loss.backward()
    state.optimizer_g.step()
    if state.discriminator is not None and state.optimizer_d is not None:
        state.optimizer_d.zero_grad()
        losses.discriminator_gan(state.discriminator(hr), state.discriminator(sr.detach())).backward()
        state.optimizer_d.step()


def _distance(perceptual: Perceptual, sr: Tensor, hr: Tensor) -> Tensor:
    score = perceptual.bind(hr)
    return score(sr).mean() if score else sr.new_zeros(())


def attack_cost(
    recipe: TrainingRecipe, state: State, perceptual: Perceptual, clock: Clock, crops: Crops
) -> None:
    """The attack alone, in forwards of the generator, beside what its steps and its objective explain."""
    from srbench.attacks import StructuredPGD, parse_objective

    hr = crops.batch(range(recipe.data.batch)).to(clock.device, memory_format=torch.channels_last)
    lr = bicubic_down(hr, quantize=True).clamp(0, 1)
    objective = perceptual.objective or parse_objective("l1")
    generator = state.generator.requires_grad_(False)
    precision = recipe.precision

    def forward() -> Tensor:
        with torch.no_grad(), torch.autocast(hr.device.type, torch.bfloat16, enabled=precision == "bf16"):
            found: Tensor = generator(lr)
        return found.float()

    def judged() -> None:
        seen = forward_sr.requires_grad_(True)
        torch.autograd.grad(objective.bind(hr)(seen).sum(), seen)

    attack = StructuredPGD(generator, eps=14 / 255, objective=objective, precision=precision)
    forward_sr = forward()
    one = clock.of(forward)
    cost, whole = clock.of(judged), clock.of(lambda: attack(lr, hr))
    allowed = 2 * 2.1 * one + 2 * cost
    print(
        f"attack {whole / one:.2f} forwards; 2 steps x 2.1 and the objective (twice, with HR's features) are "
        f"{allowed / one:.2f}, the objective alone {cost / one:.2f}"
    )


if __name__ == "__main__":
    main()
