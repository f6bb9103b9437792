"""``srbench train`` and ``srbench train-robust``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli import app
from srbench.cli.console import err, out, words

if TYPE_CHECKING:
    from srbench.train.recipe import Recipe

Data = Annotated[
    str | None, typer.Option("--data", help="Training images: dead-leaves, directories; by commas.")
]
Init = Annotated[
    str | None, typer.Option("--init", help="scratch, a model, a checkpoint file or a run's directory.")
]
Source = Annotated[
    str | None,
    typer.Option("--source", help="LR images of the source domain: a directory, mini:ntire or mini:aim."),
]
Eps = Annotated[str | None, typer.Option("--eps", help="Radius of the attack in levels of 255.")]
Alpha = Annotated[str | None, typer.Option("--alpha", help="Step of the attack in levels of 255.")]
Steps = Annotated[int | None, typer.Option("--steps", min=0, help="Steps of the attack; 0: noise alone.")]
Structure = Annotated[
    float | None, typer.Option("--structure", help="Size of the noise's blocks, in pixels.")
]
AttackLoss = Annotated[
    str | None, typer.Option("--attack-loss", help="What the attack makes large, such as l1 or l1+percep.")
]
PaperLosses = Annotated[
    bool, typer.Option("--paper-losses", help="Unweighted sums, as in Eq. 3 and 4 of the paper.")
]
Perceptual = Annotated[
    str | None, typer.Option("--perceptual", help="auto, vgg19, lpips-alex, lpips-squeeze, features or none.")
]
Iterations = Annotated[int | None, typer.Option("--iterations", min=1, help="Optimizer steps.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch", min=1, help="Crops per step, all processes together.")
]
Patch = Annotated[int | None, typer.Option("--patch", min=32, help="Side of the HR crops in pixels.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Learning rate at the start.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Of weights, crops and noise.")]
Precision = Annotated[str | None, typer.Option("--precision", help="fp32 or bf16.")]
Every = Annotated[
    int | None, typer.Option("--validate-every", min=1, help="Steps between validations and checkpoints.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="Torch threads; 0: all cores.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the run and of the model it makes.")]
Out = Annotated[Path, typer.Option("--out", help="Directory of runs.")]
Resume = Annotated[
    Path | None, typer.Option("--resume", help="A run's directory: go on where its last checkpoint is.")
]


@app.command("train-robust")
def train_robust(
    recipe: Annotated[str, typer.Option(help="A recipe's name or TOML file.")] = "rsr-mini",
    data: Data = None,
    init: Init = None,
    source: Source = None,
    eps: Eps = None,
    alpha: Alpha = None,
    steps: Steps = None,
    structure: Structure = None,
    attack_loss: AttackLoss = None,
    paper_losses: PaperLosses = False,
    perceptual: Perceptual = None,
    iterations: Iterations = None,
    batch: BatchSize = None,
    patch: Patch = None,
    lr: Rate = None,
    seed: Seed = None,
    precision: Precision = None,
    validate_every: Every = None,
    device: Device = "auto",
    threads: Threads = 0,
    name: Name = None,
    out_dir: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Train RSR: every batch is attacked by structured-noise PGD against the generator as it is."""
    train(
        recipe,
        data,
        init,
        source,
        eps,
        alpha,
        steps,
        structure,
        attack_loss,
        paper_losses,
        perceptual,
        iterations,
        batch,
        patch,
        lr,
        seed,
        precision,
        validate_every,
        device,
        threads,
        name,
        out_dir,
        resume,
    )


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or TOML file.")],
    data: Data = None,
    init: Init = None,
    source: Source = None,
    eps: Eps = None,
    alpha: Alpha = None,
    steps: Steps = None,
    structure: Structure = None,
    attack_loss: AttackLoss = None,
    paper_losses: PaperLosses = False,
    perceptual: Perceptual = None,
    iterations: Iterations = None,
    batch: BatchSize = None,
    patch: Patch = None,
    lr: Rate = None,
    seed: Seed = None,
    precision: Precision = None,
    validate_every: Every = None,
    device: Device = "auto",
    threads: Threads = 0,
    name: Name = None,
    out_dir: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Train a model by a recipe; it ends as a directory that srbench evaluate takes as a model."""
    from srbench.evaluate import pick_device
    from srbench.train import recipe as recipes
    from srbench.train.job import RECIPE, Request
    from srbench.train.job import train as run

    changes: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "init": init,
        "precision": precision,
        "data.sources": words(data) or None,
        "data.batch": batch,
        "data.patch": patch,
        "losses.perceptual_net": perceptual,
        "optimizer.lr": lr,
        "schedule.iterations": iterations,
        "validation.every": validate_every,
        "degradation.source": source,
        "degradation.eps": eps,
        "degradation.alpha": alpha,
        "degradation.steps": steps,
        "degradation.structure": structure,
        "degradation.loss": attack_loss,
    }
    if paper_losses:
        changes |= {"losses.l1": 1.0, "losses.perceptual": 1.0, "losses.gan": 1.0}
        changes["degradation.loss"] = attack_loss or "l1+percep"
    given = {key: list(value) if isinstance(value, tuple) else value for key, value in changes.items()}
    wanted = recipes.override(
        recipes.load(str(resume / RECIPE) if resume else recipe),
        {key: value for key, value in given.items() if value is not None},
    )
    folder = resume or out_dir / wanted.name
    run(Request(wanted, folder, resume is not None, pick_device(device), threads), err())
    from accelerate import PartialState

    if PartialState().is_main_process:
        _show(wanted, folder)


def _show(recipe: Recipe, folder: Path) -> None:
    """The start and the result on the mini sets."""
    from srbench import evaluate as job
    from srbench.leaderboard import terminal

    start = () if recipe.init == "scratch" else (recipe.init,)
    request = job.Request(models=(*start, str(folder)), track="mini")
    result = job.run(job.prepare(request))
    for table in result.tables:
        terminal.show(out(), table)
    err().print(f"srbench evaluate --models {folder} measures it on anything", style="dim", highlight=False)
