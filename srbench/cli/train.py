"""``srbench train`` and ``srbench train-robust``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli import app
from srbench.cli.console import err, out, report_failures, words

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
    str | None, typer.Option("--perceptual", help="auto, vgg19, lpips-alex, lpips-lite, features, none, …")
]
GanWeight = Annotated[float | None, typer.Option("--gan-weight", min=0, help="Weight of the GAN loss.")]
Iterations = Annotated[int | None, typer.Option("--iterations", min=1, help="Optimizer steps.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch", min=1, help="Crops per step, all processes together.")
]
Accumulate = Annotated[
    int | None, typer.Option("--accumulate", min=1, help="Parts a process works its share of a batch off in.")
]
Patch = Annotated[int | None, typer.Option("--patch", min=32, help="Side of the HR crops in pixels.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Learning rate at the start.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Of weights, crops and noise.")]
Precision = Annotated[str | None, typer.Option("--precision", help="fp32 or bf16.")]
DomainName = Annotated[
    str | None, typer.Option("--domain", help="What the model is trained for: clean, ntire, aim, dped, …")
]
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
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe's name or TOML file; rsr-mini, or rsr where --init is of its size."),
    ] = None,
    data: Data = None,
    init: Init = None,
    source: Source = None,
    domain: DomainName = None,
    eps: Eps = None,
    alpha: Alpha = None,
    steps: Steps = None,
    structure: Structure = None,
    attack_loss: AttackLoss = None,
    paper_losses: PaperLosses = False,
    perceptual: Perceptual = None,
    gan_weight: GanWeight = None,
    iterations: Iterations = None,
    batch: BatchSize = None,
    accumulate: Accumulate = None,
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
    """Train RSR: every batch is attacked by structured-noise PGD against the generator as it is.

    At the end the result is measured beside its start on ntire-mini and aim-mini.
    """
    given = locals()
    given["recipe"] = recipe or (None if resume else _robust_recipe(init))
    _train(**given)


@app.command()
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name or TOML file; without one they are listed.")
    ] = None,
    data: Data = None,
    init: Init = None,
    source: Source = None,
    domain: DomainName = None,
    eps: Eps = None,
    alpha: Alpha = None,
    steps: Steps = None,
    structure: Structure = None,
    attack_loss: AttackLoss = None,
    paper_losses: PaperLosses = False,
    perceptual: Perceptual = None,
    gan_weight: GanWeight = None,
    iterations: Iterations = None,
    batch: BatchSize = None,
    accumulate: Accumulate = None,
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
    given = locals()
    if recipe is None and resume is None:
        _list()
        return
    _train(**given)


def _train(
    *,
    recipe: str | None,
    data: Data,
    init: Init,
    source: Source,
    domain: DomainName,
    eps: Eps,
    alpha: Alpha,
    steps: Steps,
    structure: Structure,
    attack_loss: AttackLoss,
    paper_losses: PaperLosses,
    perceptual: Perceptual,
    gan_weight: GanWeight,
    iterations: Iterations,
    batch: BatchSize,
    accumulate: Accumulate,
    patch: Patch,
    lr: Rate,
    seed: Seed,
    precision: Precision,
    validate_every: Every,
    device: Device,
    threads: Threads,
    name: Name,
    out_dir: Out,
    resume: Resume,
) -> None:
    from srbench.errors import BadInput
    from srbench.evaluation import pick_device
    from srbench.train import recipe as recipes
    from srbench.train.job import RECIPE, Request
    from srbench.train.job import train as run
    from srbench.train.stopping import Interrupted

    changes: dict[str, Any] = {
        "name": name,
        "domain": domain or (source.removeprefix("mini:") if source and source.startswith("mini:") else None),
        "seed": seed,
        "init": init,
        "precision": precision,
        "accumulate": accumulate,
        "data.sources": list(words(data)) or None,
        "data.batch": batch,
        "data.patch": patch,
        "losses.perceptual_net": perceptual,
        "losses.gan": gan_weight,
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
    if resume and not (resume / RECIPE).is_file():
        raise BadInput(f"{resume} holds no training: it has no {RECIPE}")
    wanted = recipes.load(
        recipe or str((resume or Path()) / RECIPE),
        {key: value for key, value in changes.items() if value is not None},
    )
    more: dict[str, Any] = {}
    if precision and "precision" in wanted.degradation:
        more["degradation.precision"] = precision
    if paper_losses:
        more |= {"losses.l1": 1.0, "losses.perceptual": 1.0, "losses.gan": 1.0}
        if "loss" in wanted.degradation:
            more["degradation.loss"] = attack_loss or "l1+percep"
    wanted = recipes.override(wanted, more)
    folder = resume or out_dir / wanted.name
    try:
        run(Request(wanted, folder, resume is not None, pick_device(device), threads), err())
    except KeyboardInterrupt:
        # Before the first iteration, or pressed again and again.
        raise Interrupted(f"stopped; go on with --resume {folder}") from None
    from accelerate import PartialState

    if PartialState().is_main_process:
        _show(wanted, folder)


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


def _show(recipe: Recipe, folder: Path) -> None:
    """The start and the result on the mini sets."""
    from srbench import evaluation as job
    from srbench.boards import terminal

    start = () if recipe.init == "scratch" else (recipe.init,)
    request = job.Request(models=(*start, str(folder)), track="mini")
    result = job.run(job.prepare(request))
    for table in result.tables:
        terminal.show(out(), table)
    report_failures(result.outcome)
    err().print(f"srbench evaluate --models {folder} measures it on anything", style="dim", highlight=False)
