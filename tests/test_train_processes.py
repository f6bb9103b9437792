"""Two processes give the averaged gradients one process gives with the whole batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

# Run by every process: one step of a recipe; the main process saves the gradients it left.
STEP = """
import sys
import torch
from srbench.train import degradations, recipe as recipes
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.start import make_state
from srbench.train.perceptual import choose_perceptual
from srbench.train.processes import Processes
from srbench.train.trainer import Trainer

recipe, processes = recipes.load(sys.argv[1]), Processes("cpu", threads=1)
crops = Crops(open_sources(recipe.data.sources, patch=recipe.data.patch), recipe.data.patch, recipe.seed)
state = make_state(recipe, processes)
context = degradations.Context(
    state.generator, recipe.seed, None, crops.batch, processes.device, lambda line: None
)
degrade = degradations.make_degradation(degradations.parse(recipe.degradation), context)
perceptual = choose_perceptual(recipe.losses.perceptual_net, discriminator=state.discriminator)
indices = processes.indices(0, recipe.data.batch)
losses = Trainer(recipe, state, degrade, perceptual, processes).step(crops.batch(indices), indices)
losses = processes.average(losses)
modules = {"G": state.generator, "D": state.discriminator}
gradients = {f"{of}.{name}": p.grad for of, module in modules.items() if module
    for name, p in module.named_parameters()}
if processes.main:
    torch.save({"processes": processes.count, "losses": losses, "gradients": gradients}, sys.argv[2])
processes.close()
"""

# Without gradient steps: a sign that rounding turns moves a pixel by a level.
RECIPE = """
name = "tiny"
accumulate = {accumulate}
[generator]
num_feat = 8
num_block = 1
[data]
patch = 64
batch = 4
[degradation]
kind = "adversarial"
steps = 0
[losses]
{losses}
[discriminator]
kind = "patchgan"
num_feat = 8
norm = "none"
[schedule]
iterations = 1
"""


L1 = 'l1 = 1.0\nperceptual_net = "none"'
GAN = 'l1 = 0.2\nperceptual = 1.0\nperceptual_net = "features"\ngan = 0.1'


def step(folder: Path, processes: int, accumulate: int = 1, losses: str = GAN) -> dict[str, Any]:
    """One step's losses and gradients."""
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE.format(accumulate=accumulate, losses=losses))
    (folder / "step.py").write_text(STEP)
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command += [str(folder / name) for name in ("step.py", "recipe.toml", "found.pt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    outcome: dict[str, Any] = torch.load(folder / "found.pt", weights_only=True)
    return outcome


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    one, two = (step(tmp_path / str(count), count) for count in (1, 2))
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"].tolist() == pytest.approx(one["losses"].tolist(), rel=1e-5)
    largest = max(float(gradient.abs().max()) for gradient in one["gradients"].values())
    assert largest > 1e-2  # or a difference of 1e-6 would say nothing
    for name, gradient in one["gradients"].items():
        torch.testing.assert_close(two["gradients"][name], gradient, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.slow
def test_a_batch_in_two_parts_has_the_gradients_of_a_whole_one(tmp_path: Path) -> None:
    """With L1: the means of the relativistic GAN are over a part."""
    whole, parts = (step(tmp_path / str(count), 1, count, L1) for count in (1, 2))
    for name, gradient in whole["gradients"].items():
        # A bias sums a sign per pixel in fp32, and in another order where the batch is divided.
        apart = float((parts["gradients"][name] - gradient).norm())
        assert apart < 1e-3 * float(gradient.norm()), name
