"""``srbench evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import MEASURE, app
from srbench.cli.console import err, following, out, print_line, report_failures, say
from srbench.cli.groups import expand_options
from srbench.cli.options import Full, Json, Limit, Metrics, Protocol, RunFlags, Scale, Track, TrackOption
from srbench.cli.panels import OUTPUT, WHAT
from srbench.support.words import words

if TYPE_CHECKING:
    from srbench.evaluation import EvaluationRequest
    from srbench.run.prepared import PreparedRun


@app.command(rich_help_panel=MEASURE)
@expand_options
def evaluate(
    models: Annotated[
        str,
        WHAT.value(
            "--models",
            "NAMES",
            "all, names, wildcards, checkpoints, module.path:factory, outputs:DIR (SR images made "
            "elsewhere), NAME=any of these; by commas. "
            "Behind one of your own: range=255, key=net_g, domain=…, title=…",
        ),
    ] = "all",
    datasets: Annotated[
        str,
        WHAT.value("--datasets", "NAMES", "Names, pairs:LR_DIR:HR_DIR or folder:DIR, by commas."),
    ] = "ntire,aim",
    attacks: Annotated[
        str, WHAT.value("--attacks", "NAMES", "Presets such as none, random, rsr, strong or jpeg; by commas.")
    ] = "none",
    protocol: Protocol = "rsr",
    metrics: Metrics = None,
    track: TrackOption = Track.auto,
    limit: Limit = None,
    scale: Scale = "4",
    samples: Annotated[
        int,
        WHAT.value(
            "--samples", "N", "Outputs per image of a model that draws random numbers: mean, spread.", min=1
        ),
    ] = 1,
    out_dir: Annotated[
        Path | None, OUTPUT.value("--out", "DIR", "Write leaderboard.md/.csv/.json and records.csv here.")
    ] = None,
    full: Full = False,
    as_json: Json = False,
    *,
    run: RunFlags,
) -> None:
    """Measure models on data sets and print the cross-dataset leaderboard.

    Every image is one record in the store; an interrupted run resumes with the same command.
    """
    from srbench import evaluation as job
    from srbench.boards import files, terminal
    from srbench.boards.evaluated import evaluated_tables
    from srbench.errors import BadInput
    from srbench.support.scales import checked_scale

    request = job.EvaluationRequest(
        models=words(models),
        datasets=words(datasets),
        attacks=words(attacks),
        protocol=protocol,
        metrics=words(metrics) or None,
        track=track.value,
        limit=limit,
        samples=samples,
        scale=checked_scale(scale),
        **run.options(),
    )
    with err(run.quiet).status("checking inputs and loading metrics"):
        prepared = job.prepare(request)
    say(prepared.notices, run.quiet)
    with following(prepared.runner, prepared.plan, "evaluate", run.quiet):
        done = job.run(prepared)
    tables = evaluated_tables(done)
    if out_dir is not None:
        files.write_all(out_dir, tables, done.records, _remarks(request, prepared))
    if as_json:
        typer.echo(files.as_json(tables), nl=False)
    else:
        screen = out()
        named = set(request.metrics or ())
        terminal.show_all(screen, tables, asked=done.dataset_order, metrics=named, full=full)
        for line in _remarks(request, prepared) if full else _brief_remarks(request, prepared):
            print_line(screen, line)
    report_failures(done.outcome, prepared.store, run.quiet)
    if not done.records:
        raise BadInput(f"{prepared.store} has no records of this plan: run without --rerun never")


def _remarks(request: EvaluationRequest, prepared: PreparedRun) -> list[str]:
    """Metrics that could not be computed and models that are not installed, each with its cure."""
    lines = prepared.unmeasured
    if absent := _absent(request):
        lines.append(
            f"Not installed: {', '.join(absent)}; `srbench install recommended` gets the usual ones, "
            "`srbench models install NAME` one, and `srbench models` says what each takes"
        )
    return lines


def _brief_remarks(request: EvaluationRequest, prepared: PreparedRun) -> list[str]:
    """The same, a line each."""
    from srbench.metrics import metric

    lines = prepared.unmeasured
    if len(lines) > 1:
        titles = ", ".join(metric(missing.name).title for missing in prepared.missing_metrics)
        lines = [f"Not measured: {titles} (`srbench metrics install NAME`; --full says why)."]
    if absent := _absent(request):
        models = f"{len(absent)} model{'s' * (len(absent) != 1)}"
        lines.append(f"Not installed: {models} (`srbench models`, `srbench install recommended`).")
    return lines


def _absent(request: EvaluationRequest) -> list[str]:
    from srbench import zoo

    return [card.name for card, _ in zoo.missing()] if "all" in request.models else []
