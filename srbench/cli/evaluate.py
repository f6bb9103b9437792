"""``srbench evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli import app
from srbench.cli.console import err, following, out, report_failures, words
from srbench.run.memory_fit import HALO, parse_tile

if TYPE_CHECKING:
    from srbench.evaluation import Prepared, Request


class Track(StrEnum):
    auto = "auto"
    full = "full"
    mini = "mini"


class Precision(StrEnum):
    fp32 = "fp32"
    bf16 = "bf16"


class EngineName(StrEnum):
    local = "local"
    ray = "ray"


class Rerun(StrEnum):
    only_missing = "only-missing"
    always = "always"
    never = "never"


@app.command()
def evaluate(
    models: Annotated[
        str,
        typer.Option(
            help="all (installed), names, wildcards, checkpoint files, module.path:factory; by commas."
        ),
    ] = "all",
    datasets: Annotated[
        str,
        typer.Option(help="Names, pairs:LR_DIR:HR_DIR or folder:DIR, separated by commas."),
    ] = "ntire,aim",
    attacks: Annotated[str, typer.Option(help="Attack presets, separated by commas.")] = "none",
    protocol: Annotated[str, typer.Option(help="How metrics are computed: rsr or y.")] = "rsr",
    metrics: Annotated[
        str | None, typer.Option(help="Metrics instead of the protocol's defaults, separated by commas.")
    ] = None,
    track: Annotated[
        Track, typer.Option(help="auto: the full set where registered, else the built-in mini one.")
    ] = Track.auto,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N images of each set.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[Precision, typer.Option(help="Precision of the network.")] = Precision.fp32,
    tile: Annotated[
        str, typer.Option(help="auto: whole images where they fit in memory; whole; or the side of LR tiles.")
    ] = "auto",
    halo: Annotated[int, typer.Option(min=0, help="LR pixels around a tile that it is run with.")] = HALO,
    memory: Annotated[
        float | None, typer.Option(min=0.5, help="GiB the run may take; default: three quarters of all.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Images in work at once; 0: one per core, at most 8 (with ray: 1).")
    ] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Torch threads per worker.")] = 1,
    channels_last: Annotated[
        bool,
        typer.Option("--channels-last", help="Another layout in memory: often faster, other last digits."),
    ] = False,
    rerun: Annotated[Rerun, typer.Option(help="What to measure again.")] = Rerun.only_missing,
    keep_images: Annotated[
        bool,
        typer.Option("--keep-images", help="Keep SR and attacked LR images, for the page's explorer."),
    ] = False,
    engine: Annotated[
        EngineName, typer.Option(help="local: here, a process a GPU; ray: on a Ray cluster (srbench[scale]).")
    ] = EngineName.local,
    ray_address: Annotated[
        str | None, typer.Option(help="auto or HOST:PORT of a running Ray cluster; else one is started here.")
    ] = None,
    ray_workers: Annotated[
        int, typer.Option(min=0, help="Ray workers; 0: as many as the cluster has room for.")
    ] = 0,
    worker_gpus: Annotated[
        float | None,
        typer.Option(min=0, help="GPUs of a Ray worker, 0.5 shares one; default: 1 where there are any."),
    ] = None,
    tries: Annotated[
        int, typer.Option(min=1, help="How often an image is tried whose Ray worker or GPU process dies.")
    ] = 3,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1, help="Seconds an image may take until its Ray worker or GPU process is replaced."
        ),
    ] = None,
    store: Annotated[str | None, typer.Option(help="Directory of records, or an address (s3://…).")] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write leaderboard.md/.csv/.json and records.csv here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the leaderboard as JSON.")] = False,
) -> None:
    """Measure models on data sets and print the cross-dataset leaderboard.

    Every image is one record in the store; an interrupted run resumes with the same command.
    """
    from srbench import evaluation as job
    from srbench.boards import files, terminal
    from srbench.errors import BadInput
    from srbench.run.workers.choose import Resources, Wish

    if device not in ("auto", "cpu") and not device.startswith("cuda"):
        raise BadInput(f"--device {device}: use auto, cpu or cuda")
    if engine is not EngineName.ray and (ray_address or ray_workers or worker_gpus is not None):
        raise BadInput("--ray-address, --ray-workers and --worker-gpus belong to --engine ray: add it")
    request = job.Request(
        models=words(models),
        datasets=words(datasets),
        attacks=words(attacks),
        protocol=protocol,
        metrics=words(metrics) or None,
        track=track.value,
        limit=limit,
        device=device,
        precision=precision.value,
        tile=parse_tile(tile, least=16),
        halo=halo,
        memory=memory,
        rerun=rerun.value,
        workers=workers,
        threads=threads,
        channels_last=channels_last,
        keep_images=keep_images,
        store=store,
        where=Wish(
            engine=engine.value,
            several_gpus=True,
            resources=Resources(ray_address, ray_workers, worker_gpus, device),
            tries=tries,
            timeout=timeout,
        ),
    )
    console = err()
    with console.status("checking inputs and loading metrics"):
        prepared = job.prepare(request)
    for notice in prepared.notices:
        console.print(notice, style="yellow", highlight=False, markup=False)
    with following(prepared.engine, prepared.plan, "evaluate"):
        result = job.run(prepared)
    remarks = _remarks(request, prepared)
    if out_dir is not None:
        files.write_all(out_dir, result.tables, result.records, remarks)
    if as_json:
        typer.echo(files.as_json(result.tables), nl=False)
    else:
        screen = out()
        for table in result.tables:
            terminal.show(screen, table)
        for line in remarks:
            screen.print(line, highlight=False, soft_wrap=True, markup=False)
    outcome = result.outcome
    for notice in outcome.notices:
        console.print(notice, style="yellow", highlight=False, markup=False)
    where = f"{outcome.measured} images measured, {outcome.kept} already in {prepared.store}"
    console.print(where, style="dim", highlight=False, markup=False)
    report_failures(outcome)
    if not result.records:
        raise BadInput(f"{prepared.store} has no records of this plan: run without --rerun never")


def _remarks(request: Request, prepared: Prepared) -> list[str]:
    """Metrics that could not be computed and models that are not installed, each with its cure."""
    from srbench import zoo

    lines = prepared.unmeasured
    if "all" in request.models:
        # The download address after the # is for `srbench models`.
        lines += [f"{card.name} is not installed: {s.how.split('  #')[0]}" for card, s in zoo.missing()]
    return lines
