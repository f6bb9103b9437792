"""What a full-size training takes: operations and memory of an iteration, counted, and hours that follow.

    python benchmarks/training_budget.py --tflops 60 --batch 2

Counts one iteration of every full-size recipe on this machine, with a small batch and random weights in
the place of VGG19's (its size is the same): multiply-accumulates by torch's own counter, and the most bytes
that autograd holds at once for the backward passes, parameters apart. Both grow with the batch and are scaled
to the recipe's. The weights' column is them, their gradients, Adam's moments and, where the recipe averages,
the average. Hours are iterations times operations over the rate given; what a GPU reaches has to be measured
there (benchmarks/training_speed.py). What the recipes of ESRGAN-FS and Impressionism do before the first
iteration (DSGAN, KernelGAN, collecting noise) is left out: LR is bicubic for these.
"""

from __future__ import annotations

import argparse
import weakref
from collections.abc import Iterable

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from srbench.attacks.perceptual import VGG19
from srbench.support.torchvision import prepare_torchvision
from srbench.train import degradations
from srbench.train import recipe as recipes
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.degradations import Context
from srbench.train.perceptual import Perceptual
from srbench.train.processes import Processes
from srbench.train.start import make_state
from srbench.train.trainer import Trainer

RECIPES = ("esrgan-psnr", "esrgan", "random-structured", "rsr", "impressionism", "esrgan-fs")
OWN_INPUT = ("adversarial", "clean")
"""These degradations need nothing prepared; the others are counted with clean input."""


class Held:
    """Counts the bytes that autograd holds for backward passes, each storage once and no parameters."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self.now = self.most = 0
        self._apart = {p.untyped_storage().data_ptr() for module in modules for p in module.parameters()}
        self._users: dict[int, int] = {}

    def pack(self, tensor: Tensor) -> _Kept:
        storage = tensor.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        kept = _Kept(tensor)
        if key not in self._apart and not self._users.get(key):
            self.now += size
            self.most = max(self.most, self.now)
        self._users[key] = self._users.get(key, 0) + 1
        weakref.finalize(kept, self._drop, key, size)
        return kept

    def unpack(self, kept: _Kept) -> Tensor:
        return kept.tensor

    def _drop(self, key: int, size: int) -> None:
        self._users[key] -= 1
        if key not in self._apart and not self._users[key]:
            self.now -= size


class _Kept:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def count(name: str, batch: int) -> tuple[recipes.TrainingRecipe, float, float, float]:
    """Return the recipe, TMAC and GiB held of an iteration of its batch, and GiB of the weights."""
    table = recipes.load(name, {"degradation.source": "x"} if name in ("impressionism", "esrgan-fs") else {})
    changes: dict[str, object] = {"init": "scratch", "data.batch": batch, "data.sources": ["dead-leaves"]}
    recipe = recipes.override(table, changes)
    processes = Processes("cpu", 0)
    crops = Crops(open_sources(recipe.data.sources, patch=recipe.data.patch), recipe.data.patch, recipe.seed)
    state = make_state(recipe, processes)
    used = recipe.losses.perceptual or "percep" in str(recipe.degradation.get("loss"))
    network = _random_vgg19()
    perceptual = Perceptual(VGG19(network) if used else None)
    own = recipe.degradation["kind"] in OWN_INPUT
    kind = recipe.degradation if own else {"kind": "clean"}
    context = Context(state.generator, recipe.seed, None, crops.batch, processes.device, print)  # type: ignore[arg-type]
    degradation = degradations.make_degradation(degradations.parse(kind), context)
    degradation.prepare()
    trainer = Trainer(recipe, state, degradation, perceptual, processes)
    apart = [state.generator, network, *([state.discriminator] if state.discriminator else [])]
    held, counter = Held(apart), FlopCounterMode(display=False)
    with counter, saved_tensors_hooks(held.pack, held.unpack):
        trainer.step(crops.batch(range(batch)), range(batch))
    weights = _bytes(state.generator.parameters()) * (4 + bool(recipe.ema))
    if state.discriminator is not None and recipe.losses.gan:
        weights += _bytes(state.discriminator.parameters()) * 4
    if used:
        weights += _bytes(network.parameters())
    grown = table.data.batch / batch
    return table, counter.get_total_flops() / 2e12 * grown, held.most / 2**30 * grown, weights / 2**30


def _random_vgg19() -> nn.Module:
    prepare_torchvision()
    from torchvision.models import vgg19

    network: nn.Module = vgg19(weights=None).features[:35]
    return network


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=int, default=2, help="of the counted iteration")
    parser.add_argument("--tflops", type=float, default=60.0, help="what the device is taken to reach")
    given = parser.parse_args()
    print("| recipe | iterations | TMAC an iteration | hours | GiB held | GiB of weights |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in RECIPES:
        recipe, tmac, held, weights = count(name, given.batch)
        hours = 2 * tmac * recipe.schedule.iterations / given.tflops / 3600
        print(
            f"| {name} | {recipe.schedule.iterations:,} | {tmac:.2f} | {hours:.1f} | {held:.1f} "
            f"| {weights:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
