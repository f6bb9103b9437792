"""``srbench attack``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli import app
from srbench.cli.console import err, following, out, report_failures, words

if TYPE_CHECKING:
    from srbench.attack_run import Point
    from srbench.attacks.checks import Verdict
    from srbench.engine import Measured


@app.command()
def attack(
    model: Annotated[str, typer.Argument(help="A model's name, checkpoint file or module.path:factory.")],
    eps: Annotated[
        str, typer.Option(help="Radii in levels of 255, separated by commas: 14 or 2,4,8,14.")
    ] = "14",
    preset: Annotated[str, typer.Option(help="random, rsr, rsr-paper, ifgsm-choi or strong.")] = "rsr",
    steps: Annotated[int | None, typer.Option(min=1, help="Gradient steps.")] = None,
    alpha: Annotated[str | None, typer.Option(help="Step size in levels of 255.")] = None,
    structure: Annotated[
        float | None, typer.Option(help="Size of the starting noise's blocks, in pixels.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="Objective, such as l1, mse, lpips-alex, 0.01*l1+vgg19.")
    ] = None,
    restarts: Annotated[int | None, typer.Option(min=1, help="Random restarts; the worst is kept.")] = None,
    dataset: Annotated[
        str, typer.Option(help="A data set's name, pairs:LR_DIR:HR_DIR or folder:DIR.")
    ] = "ntire",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N images.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Images in work at once; 0: one per core.")] = 0,
    store: Annotated[Path | None, typer.Option(help="Directory of records.")] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write attacked images, noise, pictures and curves here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Find the LR noise that damages a model most, show it, measure it, and check that the attack is strong.

    Random noise of the same radius stands beside every attack: damage that noise does too is no attack.
    """
    from srbench import attack_run as job
    from srbench.attacks.threat import parse_eps
    from srbench.errors import BadInput

    changes: dict[str, Any] = {
        "steps": steps,
        "structure": structure,
        "objective": loss,
        "restarts": restarts,
    }
    if alpha is not None:
        changes["alpha"] = parse_eps(alpha)
    request = job.Request(
        model=model,
        dataset=dataset,
        preset=preset,
        eps=words(eps),
        changes=tuple((key, value) for key, value in changes.items() if value is not None),
        limit=limit,
        device=device,
        workers=workers,
        store=store,
        again=out_dir is not None,
    )
    clean: dict[str, dict[str, float | None]] = {}

    def picture(measured: Measured) -> None:
        from srbench.pictures import save_image

        if not measured.attacked.settings:
            clean[measured.record.image] = measured.record.metrics
        elif out_dir is not None and not measured.record.attack.startswith("random"):
            folder = out_dir / measured.record.attack.replace("/", "-")
            save_image(folder, measured, clean.get(measured.record.image, {}))

    console = err()
    with console.status("checking inputs and loading metrics"):
        prepared = job.prepare(request, picture)
    for notice in prepared.notices:
        console.print(notice, style="yellow", highlight=False)
    with following(prepared.engine, prepared.plan, "attack"):
        outcome = job.run(prepared)
    report_failures(outcome)
    found = job.records(prepared)
    curve = job.points(prepared, found)
    if not curve:
        raise BadInput("no radius has records of every image: run the command again")
    verdicts = job.checks(prepared, found)
    if out_dir is not None:
        from srbench.pictures import save_curves

        cell = prepared.plan[0]
        save_curves(out_dir / "curves.png", f"{cell.model.name} on {cell.dataset.name}, {preset}", curve)
    _report(curve, verdicts, out_dir, as_json)


def _report(curve: list[Point], verdicts: list[Verdict], out_dir: Path | None, as_json: bool) -> None:
    import dataclasses
    import json

    from srbench.attack_run import area_under_curve
    from srbench.home import write_atomic
    from srbench.metrics import metric

    content = {
        "curve": [dataclasses.asdict(point) for point in curve],
        "area_under_curve": {name: area_under_curve(curve, name) for name in curve[0].metrics},
        "checks": [dataclasses.asdict(verdict) for verdict in verdicts],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    if out_dir is not None:
        write_atomic(out_dir / "attack.json", text)
    if as_json:
        typer.echo(text, nl=False)
        return
    from rich.table import Table

    names = [name for name in ("psnr", "ssim", "lpips", "fsim", "niqe") if name in curve[0].metrics][:4]
    table = Table(title="Clean, random noise and attack", title_justify="left", title_style="bold")
    table.add_column("eps", justify="right", no_wrap=True)
    for name in names:
        for column in ("clean", "random", "attack"):
            heading = f"{metric(name).title} {metric(name).arrow}\n{column}"
            table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("LR PSNR\nattack", "SR PSNR\nrandom", "SR PSNR\nattack", "gain\nrandom", "gain\nattack"):
        table.add_column(heading, justify="right", no_wrap=True)
    for point in curve:
        cells = [f"{v:.{metric(n).decimals}f}" for n in names for v in point.metrics[n]]
        sr = [f"{value:.2f}" for value in (point.lr_psnr[1], *point.sr_psnr, *point.gain)]
        table.add_row(f"{point.eps:g}", *cells, *sr)
    screen = out()
    screen.print(table)
    checked = Table(title="Is the attack strong?", title_justify="left", title_style="bold")
    for heading in ("Check", "", "Finding"):
        checked.add_column(heading, overflow="fold")
    for verdict in verdicts:
        checked.add_row(
            verdict.name, "[green]ok[/green]" if verdict.ok else "[red]flag[/red]", verdict.detail
        )
    screen.print(checked)
