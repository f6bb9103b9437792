"""``srbench certify``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import MEASURE, app
from srbench.cli.console import err, following, out, report_failures, say
from srbench.cli.groups import Alias, expand_options
from srbench.cli.options import Json, Limit, Protocol, RunFlags, Scale, Track, TrackOption
from srbench.cli.panels import HOW, OUTPUT, WHAT
from srbench.support.words import words

if TYPE_CHECKING:
    from srbench.robustness.certify import CertifyRun, Point


@app.command(rich_help_panel=MEASURE)
@expand_options
def certify(
    model: Annotated[str, typer.Argument(help="A model's name, checkpoint file or module.path:factory.")],
    sigma: Annotated[
        float,
        HOW.value("--sigma", "SIGMA", "Standard deviation of the noise on the LR, of the range 0 to 1."),
    ] = 0.05,
    n: Annotated[int, HOW.value("--n", "N", "Samples an image.", min=2)] = 100,
    radius: Annotated[
        str, HOW.value("--radius", "NUMBERS", "l2 radii of changes of the LR, by commas.")
    ] = "0.005,0.01,0.02",
    alpha: Annotated[
        float, HOW.value("--alpha", "ALPHA", "Probability that the bounds of an image do not hold.")
    ] = 0.001,
    dataset: Annotated[
        str,
        WHAT.value("--datasets", "NAME", "One data set: its name, pairs:LR_DIR:HR_DIR or degrade:HOW:DIR."),
        Alias("--dataset"),
    ] = "ntire",
    attack_steps: Annotated[
        int, HOW.value("--attack-steps", "N", "Steps of the attack in each ball; 0: none.", min=0)
    ] = 10,
    protocol: Protocol = "rsr",
    track: TrackOption = Track.auto,
    limit: Limit = None,
    scale: Scale = "4",
    out_dir: Annotated[
        Path | None, OUTPUT.value("--out", "DIR", "Write certified.csv, the curve and a map per image here.")
    ] = None,
    as_json: Json = False,
    *,
    run: RunFlags,
) -> None:
    """Guarantee how far the SR image can be from HR, whatever changes the LR image within an l2 radius.

    The model is smoothed: the per-value median over n noisy copies of the LR image. Each radius has the PSNR
    that is guaranteed beside the PSNR under an attack in the same ball.
    """
    from srbench.errors import BadInput
    from srbench.figures.certified import save_curve, save_map
    from srbench.robustness import certify as job
    from srbench.support.scales import checked_scale

    request = job.CertifyRequest(
        model=model,
        sigma=sigma,
        n=n,
        radii=tuple(_radius(text) for text in words(radius)),
        alpha=alpha,
        dataset=dataset,
        attack_steps=attack_steps,
        protocol=protocol,
        track=track.value,
        limit=limit,
        scale=checked_scale(scale),
        **run.options(),
    )
    with err(run.quiet).status("checking inputs"):
        prepared = job.prepare(request, None if out_dir is None else lambda each: save_map(out_dir, each))
    say(prepared.run.notices, run.quiet)
    with following(prepared.run.runner, prepared.run.plan, "certify", run.quiet):
        outcome = prepared.run.run()
    points = job.points(prepared)
    if not points:
        report_failures(outcome)
        raise BadInput("no image has a certificate for every radius: run the command again")
    if out_dir is not None:
        _write(out_dir, points)
        save_curve(out_dir / "certified.png", prepared.model.name, points)
    if as_json:
        import json

        typer.echo(json.dumps([_plain(point) for point in points], indent=1))
    else:
        _show(prepared, points, alpha)
    report_failures(outcome, quiet=run.quiet)


def _radius(text: str) -> float:
    from srbench.errors import BadInput

    try:
        return float(text)
    except ValueError:
        raise BadInput(f"--radius {text}: it has to be a number, an l2 distance such as 0.02") from None


def _plain(point: Point) -> dict[str, float | int | None]:
    return {key: None if math.isnan(value) else value for key, value in asdict(point).items()}


def _write(folder: Path, points: list[Point]) -> None:
    import pandas as pd

    from srbench.support.home import cannot_write, write_atomic

    with cannot_write(folder, "name another --out"):
        table = pd.DataFrame([asdict(point) for point in points])
        write_atomic(folder / "certified.csv", table.to_csv(index=False, lineterminator="\n"))


def _show(prepared: CertifyRun, points: list[Point], alpha: float) -> None:
    from rich.table import Table

    images = points[0].images
    title = f"{prepared.model.name} on {prepared.dataset.name} ({images} image{'s' * (images != 1)})"
    table = Table(title=title, title_justify="left")
    for heading in ("l2 radius", "levels rms", "width", "PSNR clean", "attacked", "guaranteed"):
        table.add_column(heading, justify="right")
    for point in points:
        attacked = "–" if math.isnan(point.attacked) else f"{point.attacked:.2f}"
        table.add_row(
            f"{point.radius:g}",
            f"{point.levels:.3f}",
            f"{point.width:.1f}",
            f"{point.clean:.2f}",
            attacked,
            f"{point.guaranteed:.2f}",
        )
    out().print(table)
    typer.echo(
        "guaranteed: no change of the LR image within the l2 radius (of values from 0 to 1)\n"
        f"gives less, but for a probability of {alpha:g} an image.\n"
        "width: mean distance of the bounds of a value, in levels of 255."
    )
