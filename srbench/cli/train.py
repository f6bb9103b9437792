"""``srbench train`` and ``srbench train-robust``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli.app import TRAIN, app
from srbench.cli.console import err, out, report_failures
from srbench.cli.groups import expand_options
from srbench.cli.panels import WHAT
from srbench.cli.train_help import RecipeCommand
from srbench.cli.train_options import TrainFlags

if TYPE_CHECKING:
    from srbench.train.recipe import TrainingRecipe


@app.command("train-robust", cls=RecipeCommand, rich_help_panel=TRAIN)
@expand_options
def train_robust(
    recipe: Annotated[
        str | None,
        WHAT.value(
            "--recipe",
            "NAME",
            "A recipe's name or TOML file.",
            show_default="rsr-mini, or rsr where --init is of its size",
        ),
    ] = None,
    *,
    flags: TrainFlags,
) -> None:
    """Train RSR: every batch is attacked by structured-noise PGD against the generator as it is.

    At the end the result is measured beside its start on ntire-mini2 and aim-mini2.
    """
    _train(recipe or (None if flags.resume else _robust_recipe(flags.init)), flags)


@app.command(cls=RecipeCommand, rich_help_panel=TRAIN)
@expand_options
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name or TOML file; without one they are listed.")
    ] = None,
    *,
    flags: TrainFlags,
) -> None:
    """Train a model by a recipe; it ends as a directory that srbench evaluate takes as a model."""
    if recipe is None and flags.resume is None:
        _list()
    else:
        _train(recipe, flags)


def _train(recipe: str | None, flags: TrainFlags) -> None:
    from srbench.errors import Interrupted
    from srbench.run.options import pick_device
    from srbench.train.job import TrainingRequest
    from srbench.train.job import train as run
    from srbench.train.stopping import signal_of

    wanted = _wanted(recipe, flags)
    folder = flags.resume or flags.out_dir / wanted.name
    try:
        resumes = flags.resume is not None
        run(TrainingRequest(wanted, folder, resumes, pick_device(flags.device), flags.threads), err())
    except KeyboardInterrupt as stop:
        # Before the first iteration, or pressed again and again.
        raise Interrupted(f"stopped; go on with --resume {folder}", signal_of(stop)) from None
    from accelerate import PartialState

    if PartialState().is_main_process:
        _show(wanted, folder)


def _wanted(recipe: str | None, flags: TrainFlags) -> TrainingRecipe:
    """The recipe, or that of the run that is resumed, with what the options change."""
    from srbench.errors import BadInput
    from srbench.train import recipe as recipes
    from srbench.train.job import RECIPE

    if flags.resume and not (flags.resume / RECIPE).is_file():
        raise BadInput(f"{flags.resume} holds no training: it has no {RECIPE}")
    wanted = recipes.load(recipe or str((flags.resume or Path()) / RECIPE), flags.changes())
    more: dict[str, Any] = {}
    if flags.precision and "precision" in wanted.degradation:
        more["degradation.precision"] = flags.precision
    if flags.paper_losses:
        more |= {"losses.l1": 1.0, "losses.perceptual": 1.0, "losses.gan": 1.0}
        if "loss" in wanted.degradation:
            more["degradation.loss"] = flags.attack_loss or "l1+percep"
    return recipes.override(wanted, more)


def _robust_recipe(init: str | None) -> str:
    """The authors' recipe for a start of full size, else the mini one."""
    if init is None or init == "scratch":
        return "rsr-mini"
    from srbench import zoo
    from srbench.train.start import initial_weights
    from srbench.zoo.loading import load_network

    full_size = zoo.card("rsr").architecture["parameters"]
    return "rsr" if load_network(initial_weights(init)).parameters == full_size else "rsr-mini"


def _list() -> None:
    from srbench.train import recipe as recipes

    for name, summary in recipes.summaries().items():
        typer.echo(f"{name:24}{summary}")


def _show(recipe: TrainingRecipe, folder: Path) -> None:
    """The start and the result on the mini sets."""
    from srbench import evaluation as job
    from srbench.boards import terminal
    from srbench.boards.evaluated import evaluated_tables

    start = () if recipe.init == "scratch" else (recipe.init,)
    done = job.evaluate(job.EvaluationRequest(models=(*start, str(folder)), track="mini"))
    terminal.show_all(out(), evaluated_tables(done), asked=done.dataset_order, hint="srbench evaluate --full")
    report_failures(done.outcome)
    err().print(f"srbench evaluate --models {folder} measures it on anything", style="dim", highlight=False)
