"""``srbench maintain``: make anew what comes with srbench and what is committed beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from srbench.cli.app import TRAIN, app
from srbench.cli.groups import expand_options
from srbench.cli.options import Precision
from srbench.cli.panels import HOW, OUTPUT, WHAT, WHERE
from srbench.run.cost_model import ATTACKS, GPU, RRDBNET_MACS
from srbench.support.words import words

maintain_app = typer.Typer(
    help="Make what comes with srbench anew: trained models, weights, committed tables.", no_args_is_help=True
)
app.add_typer(maintain_app, name="maintain", rich_help_panel=TRAIN)

Runs = Annotated[list[Path], typer.Argument(help="Directories of finished runs.")]
DATA = WHAT.value("--data", "NAMES", "Training images: dead-leaves, directories; by commas.")


@maintain_app.command()
@expand_options
def suite(
    name: Annotated[str, typer.Argument(help="mini-zoo, generalist-mini or ablation-mini.")],
    data: Annotated[str | None, DATA] = None,
    out: Annotated[Path, OUTPUT.value("--out", "DIR", "Directory of runs.")] = Path("runs"),
    jobs: Annotated[int, WHERE.value("--jobs", "N", "Runs at once; 0: one per core.", min=0)] = 0,
    iterations: Annotated[int | None, HOW.value("--iterations", "N", "Of every run.", min=1)] = None,
    zoo: Annotated[
        Path | None, OUTPUT.value("--zoo", "DIR", "Pack the models into this folder zoo of a checkout.")
    ] = None,
) -> None:
    """Train a suite, one process a run; finished runs are kept, begun ones go on."""
    from srbench.train.suite import load, train_all

    changes: dict[str, Any] = {"data.sources": list(words(data)) or None, "schedule.iterations": iterations}
    wanted = load(name).trainings({key: value for key, value in changes.items() if value is not None})
    for folder, seconds in train_all(wanted, out, jobs=jobs or os.cpu_count() or 1, zoo=zoo):
        typer.echo(f"{folder}: {seconds / 60:.1f} minutes")


@maintain_app.command()
@expand_options
def ship(
    runs: Runs, zoo: Annotated[Path, OUTPUT.value("--zoo", "DIR", "The folder zoo of a checkout.")]
) -> None:
    """Pack finished runs as models that come with srbench: fp16 weights and a card."""
    from srbench.train.ship import ship as pack

    for run in runs:
        typer.echo(pack(run, zoo))


@maintain_app.command()
@expand_options
def account(runs: Runs) -> None:
    """Print what trainings took and gave, as CSV."""
    import csv
    import sys

    from srbench.train import account as accounts

    rows = accounts.account(runs)
    writer = csv.DictWriter(sys.stdout, accounts.COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


@maintain_app.command()
@expand_options
def distill(
    data: Annotated[str, DATA] = "dead-leaves",
    pairs: Annotated[int, WHAT.value("--pairs", "N", "Of images, about 200 kB each.", min=16)] = 19200,
    iterations: Annotated[int, HOW.value("--iterations", "N", "Steps of the distillation.", min=1)] = 7000,
    side: Annotated[int, HOW.value("--side", "N", "Of the crops, in pixels.", min=32)] = 128,
    seed: Annotated[int, HOW.value("--seed", "N", "Of weights, crops and pairs.", min=0)] = 0,
    precision: Annotated[
        Precision, HOW.value("--precision", "FORMAT", "Of the convolutions.")
    ] = Precision.bf16,
    threads: Annotated[int, WHERE.value("--threads", "N", "Torch threads; 0: all cores.", min=0)] = 0,
    out: Annotated[
        Path | None, OUTPUT.value("--out", "FILE", "The file of weights.", show_default="the one that ships")
    ] = None,
) -> None:
    """Distil lpips-lite from LPIPS-Alex and write its weights."""
    import torch

    from srbench.metrics.lpips_lite_net import WEIGHTS
    from srbench.train.lite.distill import make_lpips_lite

    if threads:
        torch.set_num_threads(threads)
    make_lpips_lite(
        words(data),
        out or WEIGHTS,
        pairs=pairs,
        iterations=iterations,
        side=side,
        seed=seed,
        bf16=precision is Precision.bf16,
        say=lambda line: typer.echo(line, err=True),
    )
    typer.echo(out or WEIGHTS)


@maintain_app.command()
@expand_options
def entries(
    folder: Annotated[Path, typer.Argument(help="The folder of the entries.")] = Path("leaderboards/entries"),
) -> None:
    """Write the page of a folder of entries, README.md."""
    from srbench.entries.board import write_board

    typer.echo(write_board(folder))


@maintain_app.command()
@expand_options
def reports(
    folder: Annotated[Path, typer.Argument(help="The folder of the reports.")] = Path("leaderboards"),
) -> None:
    """Write the reports of a folder, such as mini.md, whose records are there."""
    from srbench.boards.reports import write_reports

    for page in write_reports(folder):
        typer.echo(page)


@maintain_app.command()
@expand_options
def cost(
    models: Annotated[int, WHAT.value("--models", "N", "How many models.", min=1)] = 1000,
    datasets: Annotated[int, WHAT.value("--datasets", "N", "How many data sets.", min=1)] = 50,
    images: Annotated[int, WHAT.value("--images", "N", "Images of a data set.", min=1)] = 100,
    attacks: Annotated[str, WHAT.value("--attacks", "NAMES", "Attacks, by commas.")] = ",".join(ATTACKS),
    macs: Annotated[float, WHAT.value("--macs", "NUMBER", "MAC of the network per LR pixel.")] = RRDBNET_MACS,
    pixels: Annotated[int, WHAT.value("--pixels", "N", "LR pixels of an image.", min=1)] = 510 * 339,
    rate: Annotated[float, WHERE.value("--rate", "NUMBER", "MAC a second of a device.")] = GPU.rate,
    devices: Annotated[str, WHERE.value("--devices", "NUMBERS", "How many, by commas.")] = "1,8,512",
) -> None:
    """Print what a large benchmark would take, from what networks and attacks compute."""
    from dataclasses import replace

    from srbench.run.cost_model import Workload, count_passes, table

    passes = count_passes(words(attacks))
    work = Workload(models, datasets, images, passes, macs, pixels)
    typer.echo(table(work, replace(GPU, rate=rate), [int(count) for count in words(devices)]))
