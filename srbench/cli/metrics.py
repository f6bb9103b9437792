"""``srbench metrics``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli.app import app
from srbench.cli.console import out

metrics_app = typer.Typer(help="List metrics, install the weights some need.", invoke_without_command=True)
app.add_typer(metrics_app, name="metrics")


@metrics_app.callback()
def metrics(context: typer.Context) -> None:
    """List every metric, its definition, and whether the weights it needs are here."""
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from srbench.metrics import registry

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
        for weight in lacking:
            source = weight.files[0]
            fetch = f"srbench metrics install {metric.name}"
            cures.append(
                f"{metric.name}: {fetch}, or with --from {source.filename} after fetching {source.url}"
            )
    screen = out()
    screen.print(table)
    for line in cures:
        screen.print(line, highlight=False, soft_wrap=True, markup=False)


@metrics_app.command()
def install(
    name: Annotated[str, typer.Argument(help="A metric from `srbench metrics`.")],
    source: Annotated[
        list[Path] | None, typer.Option("--from", help="A weight file fetched by hand; may be repeated.")
    ] = None,
) -> None:
    """Fetch the weights a metric needs, or take them from files, and check their sha256."""
    from srbench.errors import BadInput
    from srbench.metrics import metric

    weights = metric(name).weights
    if not weights:
        typer.echo(f"{name} needs no weights")
        return
    for file in source or []:
        failures = []
        for weight in weights:
            try:
                typer.echo(f"{weight.name}: {weight.install(file)}")
                break
            except BadInput as error:
                failures.append(str(error))
        else:
            raise BadInput(failures[0])
    for weight in weights:
        if source and weight.find() is None:
            raise BadInput(f"{name} also needs {weight.name}: give another --from")
        typer.echo(f"{weight.name}: {weight.locate()}")
