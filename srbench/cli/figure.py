"""``srbench figure``: pictures for papers, each as PNG and as PDF."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import app
from srbench.cli.console import err, following, report_failures, say
from srbench.cli.options import Device, OnlyDatasets, OnlyModels, OnlyProtocol, Records, Scale, StoreFolder
from srbench.support.words import matches, words

if TYPE_CHECKING:
    from srbench.boards.site.explorer import Box
    from srbench.store.record import Record

figure_app = typer.Typer(help="Make figures for papers, as PNG and PDF.", no_args_is_help=True)
app.add_typer(figure_app, name="figure")

Out = Annotated[Path | None, typer.Option("--out", help="The files, with or without .png or .pdf.")]
Dpi = Annotated[int, typer.Option(min=50, max=1200, help="Pixels of the PNG per inch.")]

OneMetric = Annotated[str | None, typer.Option(help="Without: what the leaderboard is ranked by.")]
Attack = Annotated[str, typer.Option(help="The attack whose records are shown.")]


class CurvesBy(StrEnum):
    model = "model"
    attack = "attack"


class MatrixBy(StrEnum):
    domain = "domain"
    model = "model"


@figure_app.command()
def qualitative(
    models: Annotated[
        str, typer.Option(help="As for evaluate: names, wildcards, checkpoints; by commas.")
    ] = "bicubic,*-mini",
    datasets: Annotated[
        str, typer.Option("--dataset", help="Data sets, one row of the figure or more each; by commas.")
    ] = "ntire-mini,aim-mini",
    images: Annotated[
        str | None, typer.Option("--image", help="Ids by commas; without: the first image of each set.")
    ] = None,
    crops: Annotated[
        list[str] | None,
        typer.Option(
            "--crop",
            help="x,y,width,height in HR pixels, may be repeated; without: where the models differ the most.",
        ),
    ] = None,
    attacks: Annotated[str, typer.Option("--attack", help="Attacks, by commas.")] = "none",
    device: Device = "auto",
    tile: Annotated[
        int | None, typer.Option(min=16, help="Run in LR tiles of this side, to save memory.")
    ] = None,
    scale: Scale = "4",
    store: Annotated[Path | None, typer.Option(help="Where images kept by evaluate are taken from.")] = None,
    out: Out = None,
    dpi: Dpi = 300,
) -> None:
    """The same crop of LR, every model's SR and HR, with frames by training domain.

    SR images that `evaluate --keep-images` kept are taken; models run for those that are not there.
    """
    from srbench.figures import gather, style
    from srbench.figures.qualitative import draw
    from srbench.figures.strips import strips
    from srbench.support.scales import checked_scale

    wanted = gather.FigureRequest(
        models=words(models),
        datasets=words(datasets),
        images=words(images),
        crops=tuple(_box(crop) for crop in crops or ()),
        attacks=words(attacks),
        device=device,
        tile=tile,
        store=store,
        scale=checked_scale(scale),
    )
    file = out or Path("qualitative")
    style.stem(file)
    with err().status("checking inputs and loading metrics"):
        prepared = gather.prepare_figure(wanted)
    say(prepared.notices)
    with following(prepared.runner, prepared.todo, "figure"):
        outcome = prepared.runner.run(prepared.todo)
    report_failures(outcome)
    rows = strips(prepared)
    for row in rows:
        crop = ",".join(str(side) for side in row.box)
        why = "" if wanted.crops else ", where the models differ the most"
        line = f"{row.dataset}, {row.image}: --crop {crop}{why}"
        err().print(line, style="dim", highlight=False, markup=False)
    _written(style.write(draw(rows), file, dpi))


def _box(text: str) -> Box:
    from srbench.errors import BadInput

    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(f"--crop {text}: give x,y,width,height in HR pixels, such as 64,64,96,96") from error
    return x, y, width, height


def _written(files: Sequence[Path]) -> None:
    for file in files:
        typer.echo(file)


@figure_app.command()
def curves(
    store: StoreFolder = None,
    records: Records = None,
    models: OnlyModels = None,
    datasets: OnlyDatasets = None,
    protocol: OnlyProtocol = None,
    attacks: Annotated[
        str | None, typer.Option(help="Only these attacks beside random noise (wildcards allowed).")
    ] = None,
    metric: OneMetric = None,
    by: Annotated[CurvesBy, typer.Option(help="What each panel shows.")] = CurvesBy.model,
    out: Out = None,
    dpi: Dpi = 300,
) -> None:
    """A metric over the radius of the attacks, with random noise, and over the severity of corruptions."""
    from srbench.figures import style
    from srbench.figures.curves import draw

    shown = _records(records, store, models, datasets, protocol, attacks)
    _written(style.write(draw(shown, metric, by.value), out or Path("curves"), dpi))


@figure_app.command()
def matrix(
    store: StoreFolder = None,
    records: Records = None,
    models: OnlyModels = None,
    datasets: OnlyDatasets = None,
    protocol: OnlyProtocol = None,
    metric: OneMetric = None,
    attack: Attack = "none",
    by: Annotated[MatrixBy, typer.Option(help="What rows and columns are.")] = MatrixBy.domain,
    out: Out = None,
    dpi: Dpi = 300,
) -> None:
    """Training domain by test domain, or model by data set, as a heat map."""
    from srbench.figures import style
    from srbench.figures.matrix import draw

    shown = _records(records, store, models, datasets, protocol)
    _written(style.write(draw(shown, metric, attack, by.value), out or Path("matrix"), dpi))


@figure_app.command()
def ablation(
    store: StoreFolder = None,
    records: Records = None,
    datasets: OnlyDatasets = None,
    protocol: OnlyProtocol = None,
    metric: OneMetric = None,
    attack: Attack = "none",
    suite: Annotated[str, typer.Option(help="The suite of trainings that was measured.")] = "ablation-mini",
    out: Out = None,
    dpi: Dpi = 300,
) -> None:
    """What radius, steps, structure and loss of the attack do to a robust training."""
    from srbench.figures import style
    from srbench.figures.ablation import draw, suite_settings

    shown = _records(records, store, None, datasets, protocol)
    _written(style.write(draw(shown, suite_settings(suite), metric, attack), out or Path("ablation"), dpi))


def _records(
    csv: Path | None,
    store: Path | None,
    models: str | None,
    datasets: str | None,
    protocol: str | None,
    attacks: str | None = None,
) -> list[Record]:
    """The records asked for; always the clean input and random noise, which attacks are compared with."""
    from srbench.boards.site.build import read_records
    from srbench.run.options import default_store

    asked = (*words(attacks), "none", "random*") if words(attacks) else ()

    def chosen(record: Record) -> bool:
        return (
            matches(record.model, words(models))
            and matches(record.dataset, words(datasets))
            and matches(record.protocol, words(protocol))
            and matches(record.attack, asked)
        )

    return read_records(csv, store or default_store(), chosen)[0]
