"""Make what a training starts with: networks, initial weights, optimizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from srbench import zoo
from srbench.errors import BadInput
from srbench.support.home import sha256_file
from srbench.train import recipe as recipes
from srbench.train.discriminators import build_discriminator
from srbench.train.generator import build_generator, load_into
from srbench.train.processes import Processes
from srbench.train.recipe import TrainingRecipe
from srbench.train.state import State
from srbench.zoo.made_elsewhere import is_outputs
from srbench.zoo.runs import RUN_WEIGHTS, is_finished, is_run, latest_checkpoint, unfinished


def make_state(recipe: TrainingRecipe, processes: Processes, *, initial: bool = True) -> State:
    """Make networks with their initial weights, and their optimizers, on the device.

    Args:
        initial: whether the weights of ``recipe.init`` are put in; a run that is resumed needs them no more.

    Raises:
        BadInput: initial weights that are not there or of another architecture.
    """
    generator = build_generator(recipe.generator.num_feat, recipe.generator.num_block, recipe.seed)
    if initial and recipe.init != "scratch":
        load_into(generator, initial_weights(recipe.init))
    generator = _on_device(generator, processes)
    settings = recipe.discriminator
    kind = settings.kind if recipe.losses.gan else "none"
    discriminator: Any = build_discriminator(
        kind, recipe.data.patch, settings.num_feat, settings.norm, recipe.seed
    )
    if discriminator is not None:
        discriminator = _on_device(discriminator, processes)
    average = generator.state_dict() if recipe.ema else {}
    return State(
        generator,
        _adam(generator, recipe),
        discriminator,
        None if discriminator is None else _adam(discriminator, recipe),
        {name: value.detach().clone() for name, value in average.items()},
    )


def fingerprint(init: str) -> str:
    """Return the sha256 of the file a training starts from; "" for random weights."""
    return "" if init == "scratch" else sha256_file(initial_weights(init))


def initial_weights(init: str) -> Path:
    """Return the file of a zoo model's name, a run's directory or a checkpoint's path.

    Of a run that is not finished it is the last checkpoint.

    Raises:
        BadInput: there is none; the message says how to get it.
    """
    if is_outputs(init):
        raise BadInput(f"--init {init}: these are SR images, and a training starts from a network's weights")
    path = Path(init).expanduser()
    if path.is_dir():
        path = latest_checkpoint(path) if is_run(path) and not is_finished(path) else path / RUN_WEIGHTS
    if path.is_file():
        return path
    if init in zoo.names():
        status = zoo.status(init)
        if status.path is not None:
            return status.path
        raise BadInput(f"{init} has no weights here to start from: {status.how or 'choose another --init'}")
    if init in recipes.names():
        raise BadInput(
            f"the training starts from {init}, which is not there: run `srbench train {init}`, then give "
            f"--init runs/{init}"
        )
    raise BadInput(f"--init {init}: no such model, run directory or checkpoint file")


def unfinished_start(init: str) -> str:
    """Say in a line that a training starts from one that has not ended; "" where it does not."""
    return "" if init == "scratch" else unfinished(initial_weights(init))


def _on_device(module: nn.Module, processes: Processes) -> Any:
    if processes.device.type == "cuda" and processes.count > 1:
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    return module.to(processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _adam(module: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    settings = recipe.optimizer
    return torch.optim.Adam(
        module.parameters(),
        lr=settings.lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=next(module.parameters()).device.type == "cuda",
    )
