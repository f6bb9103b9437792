"""``srbench figure``: pictures for papers, each as PNG and as PDF."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import READ, app
from srbench.cli.console import err, following, report_failures, say
from srbench.cli.groups import Alias, expand_options
from srbench.cli.options import (
    STORE,
    Device,
    OneAttack,
    OneMetric,
    OnlyDatasets,
    OnlyModels,
    OnlyProtocol,
    Records,
    Scale,
    StoreFolder,
)
from srbench.cli.panels import HOW, OUTPUT, WHAT, WHERE
from srbench.support.words import matches, words

if TYPE_CHECKING:
    from srbench.boards.site.explorer import Box
    from srbench.store.record import Record

figure_app = typer.Typer(help="Make figures for papers, as PNG and PDF.", no_args_is_help=True)
app.add_typer(figure_app, name="figure", rich_help_panel=READ)

Out = Annotated[
    Path | None,
    OUTPUT.value(
        "--out", "FILE", "The files, with or without .png or .pdf.", show_default="the figure's name, here"
    ),
]
Dpi = Annotated[int, OUTPUT.value("--dpi", "N", "Pixels of the PNG per inch.", min=50, max=1200)]


class CurvesBy(StrEnum):
    model = "model"
    attack = "attack"


class MatrixBy(StrEnum):
    domain = "domain"
    model = "model"


@figure_app.command()
@expand_options
def qualitative(
    models: Annotated[
        str, WHAT.value("--models", "NAMES", "As for evaluate: names, wildcards, checkpoints; by commas.")
    ] = "bicubic,*-mini",
    datasets: Annotated[
        str,
        WHAT.value("--datasets", "NAMES", "Data sets, one row of the figure or more each; by commas."),
        Alias("--dataset"),
    ] = "ntire-mini2,aim-mini2",
    images: Annotated[
        str | None,
        WHAT.value("--image", "IDS", "By commas.", show_default="the first image of each set"),
    ] = None,
    crops: Annotated[
        list[str] | None,
        WHAT.value(
            "--crop",
            "X,Y,W,H",
            "In HR pixels; may be repeated.",
            show_default="where the models differ the most",
        ),
    ] = None,
    attacks: Annotated[
        str, WHAT.value("--attacks", "NAMES", "Attacks, by commas."), Alias("--attack")
    ] = "none",
    device: Device = "auto",
    tile: Annotated[
        int | None,
        HOW.value(
            "--tile", "SIDE", "Run in LR tiles of this side, to save memory.", min=16, show_default="whole"
        ),
    ] = None,
    scale: Scale = "4",
    store: Annotated[
        Path | None,
        WHERE.value("--store", "DIR", "Where images kept by evaluate are taken from.", show_default=STORE),
    ] = None,
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
@expand_options
def curves(
    store: StoreFolder = None,
    records: Records = None,
    models: OnlyModels = None,
    datasets: OnlyDatasets = None,
    protocol: OnlyProtocol = None,
    attacks: Annotated[
        str | None,
        WHAT.value("--attacks", "NAMES", "Only these beside random noise; wildcards.", show_default="all"),
    ] = None,
    metric: OneMetric = None,
    by: Annotated[
        CurvesBy, HOW.value("--by", "WHAT", "What each panel shows: a model or an attack.")
    ] = CurvesBy.model,
    out: Out = None,
    dpi: Dpi = 300,
) -> None:
    """A metric over the radius of the attacks, with random noise, and over the severity of corruptions."""
    from srbench.figures import style
    from srbench.figures.curves import draw

    shown = _records(records, store, models, datasets, protocol, attacks)
    _written(style.write(draw(shown, metric, by.value), out or Path("curves"), dpi))


@figure_app.command()
@expand_options
def matrix(
    store: StoreFolder = None,
    records: Records = None,
    models: OnlyModels = None,
    datasets: OnlyDatasets = None,
    protocol: OnlyProtocol = None,
    metric: OneMetric = None,
    attack: OneAttack = "none",
    by: Annotated[
        MatrixBy, HOW.value("--by", "WHAT", "What rows and columns are: domain or model.")
    ] = MatrixBy.domain,
    out: Out = None,
    dpi: Dpi = 300,
) -> None:
    """Training domain by test domain, or model by data set, as a heat map."""
    from srbench.figures import style
    from srbench.figures.matrix import draw

    shown = _records(records, store, models, datasets, protocol)
    _written(style.write(draw(shown, metric, attack, by.value), out or Path("matrix"), dpi))


@figure_app.command()
@expand_options
def ablation(
    store: StoreFolder = None,
    records: Records = None,
    datasets: OnlyDatasets = None,
    protocol: OnlyProtocol = None,
    metric: OneMetric = None,
    attack: OneAttack = "none",
    suite: Annotated[
        str, WHAT.value("--suite", "NAME", "The suite of trainings that was measured.")
    ] = "ablation-mini",
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
    from srbench.entries.sources import read_records
    from srbench.run.options import default_store

    asked = (*words(attacks), "none", "random*") if words(attacks) else ()

    def chosen(record: Record) -> bool:
        return (
            matches(record.model, words(models))
            and matches(record.dataset, words(datasets))
            and matches(record.protocol, words(protocol))
            and matches(record.attack, asked)
        )

    return read_records(csv, store or default_store(), chosen).records
