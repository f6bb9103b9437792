"""``srbench metrics``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import HAVE, app
from srbench.cli.console import out
from srbench.cli.panels import WHERE

if TYPE_CHECKING:
    from srbench.metrics.weights import Weight

metrics_app = typer.Typer(help="List metrics, install the weights some need.", invoke_without_command=True)
app.add_typer(metrics_app, name="metrics", rich_help_panel=HAVE)


@metrics_app.callback()
def metrics(context: typer.Context) -> None:
    """List every metric, its definition, and whether the weights it needs are here."""
    if context.invoked_subcommand is not None:
        return
    from srbench.metrics import registry
    from srbench.metrics.backbones import PERCEPTUAL
    from srbench.support import screen
    from srbench.support.screen import states_column, words_column

    known = list(registry().values())
    lacking = [[weight for weight in metric.weights if weight.find() is None] for metric in known]
    weights = [", ".join(weight.name for weight in metric.weights) or "none" for metric in known]
    states = ["missing" if lacks else "ready" for lacks in lacking]
    columns = [
        words_column("Name", [metric.name for metric in known]),
        words_column("Needs", ["SR and HR" if metric.kind == "FR" else "SR alone" for metric in known]),
        words_column("Better", ["higher" if metric.higher_is_better else "lower" for metric in known]),
        words_column("Definition", [metric.source for metric in known], gives_way=2, wraps=40),
        words_column("Weights", weights, gives_way=1, wraps=24),
        states_column("Status", states, lambda state: "green" if state == "ready" else ""),
    ]
    cures = [_cure(metric.name, w) for metric, lacks in zip(known, lacking, strict=True) for w in lacks]
    cures += [_cure(name, weight) for name, weight in PERCEPTUAL.items() if weight.find() is None]
    console = out()
    gone = screen.show(console, columns)
    console.print()
    screen.pairs(console, cures)
    if gone:
        screen.line(console, f"No room for: {', '.join(gone)}.")


def _cure(name: str, weight: Weight) -> tuple[str, str]:
    source = weight.files[0]
    by_hand = f"--from {source.filename} after fetching {source.url}"
    return name, f"srbench metrics install {name}, or with {by_hand}"


@metrics_app.command()
def install(
    name: Annotated[str, typer.Argument(help="A metric from `srbench metrics`; all; recommended.")],
    source: Annotated[
        list[Path] | None, WHERE.value("--from", "FILE", "A weight file fetched by hand; may be repeated.")
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
