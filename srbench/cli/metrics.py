"""``srbench metrics``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import app
from srbench.cli.console import out

if TYPE_CHECKING:
    from srbench.metrics.weights import Weight

metrics_app = typer.Typer(help="List metrics, install the weights some need.", invoke_without_command=True)
app.add_typer(metrics_app, name="metrics")


@metrics_app.callback()
def metrics(context: typer.Context) -> None:
    """List every metric, its definition, and whether the weights it needs are here."""
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from srbench.metrics import registry
    from srbench.metrics.backbones import PERCEPTUAL

    table = Table(title="Metrics", title_justify="left")
    for heading in ("Name", "Needs", "Better", "Definition", "Weights", "Status"):
        table.add_column(heading, overflow="fold")
    cures = []
    for metric in registry().values():
        lacking = [weight for weight in metric.weights if weight.find() is None]
        table.add_row(
            metric.name,
            "SR and HR" if metric.kind == "FR" else "SR alone",
            "higher" if metric.higher_is_better else "lower",
            metric.source,
            ", ".join(weight.name for weight in metric.weights) or "none",
            "missing" if lacking else "[green]ready[/green]",
        )
        cures += [_cure(metric.name, weight) for weight in lacking]
    cures += [_cure(name, weight) for name, weight in PERCEPTUAL.items() if weight.find() is None]
    screen = out()
    screen.print(table)
    for line in cures:
        screen.print(line, highlight=False, soft_wrap=True, markup=False)


def _cure(name: str, weight: Weight) -> str:
    source = weight.files[0]
    by_hand = f"--from {source.filename} after fetching {source.url}"
    return f"{name}: srbench metrics install {name}, or with {by_hand}"


@metrics_app.command()
def install(
    name: Annotated[str, typer.Argument(help="A metric from `srbench metrics`; all; recommended.")],
    source: Annotated[
        list[Path] | None, typer.Option("--from", help="A weight file fetched by hand; may be repeated.")
    ] = None,
) -> None:
    """Fetch the weights a metric needs, or take them from files, and check their sha256.

    all stands for every metric, recommended for those a board is made with; vgg19, vgg16-conv5_3 and
    lpips-squeeze are networks of attacks and trainings.
    """
    from srbench.errors import BadInput
    from srbench.metrics import installing

    if name in (installing.ALL, installing.RECOMMENDED):
        if source:
            raise BadInput(f"--from is for one metric: say which one {source[0]} is for, not {name}")
        installing.install_group(name, typer.echo)
    else:
        installing.install(name, source or (), typer.echo)
