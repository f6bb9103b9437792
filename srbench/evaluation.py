"""The main job, top to bottom: names -> plan of cells -> per-image records in a store.

:func:`evaluate` is all of it. :func:`prepare` turns names into a plan that is ready to run, with every input
checked; :func:`run` measures what the store lacks and reads the records back. What a leaderboard makes of the
records is :mod:`srbench.boards`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srbench.run.options import MeasuringOptions
from srbench.support.scales import checked_scale

if TYPE_CHECKING:
    from srbench.run.outcome import Outcome
    from srbench.run.prepared import PreparedRun
    from srbench.store.record import Record
    from srbench.zoo import ModelRef


@dataclass(frozen=True)
class EvaluationRequest(MeasuringOptions):
    """What to evaluate, and how to run it; see ``srbench evaluate --help`` for the meaning of each."""

    models: tuple[str | ModelRef, ...] = ("all",)
    datasets: tuple[str, ...] = ("ntire", "aim")
    attacks: tuple[str, ...] = ("none",)
    metrics: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation did.

    Attributes:
        records: of the plan, cell by cell.
        dataset_order: the data sets as the user named them.
        metrics: those that are shown, in the order of the tables.
    """

    outcome: Outcome
    records: list[Record]
    dataset_order: list[str]
    metrics: list[str]


def evaluate(request: EvaluationRequest) -> Evaluation:
    """Measure models on data sets under attacks: the whole job.

    >>> done = evaluate(EvaluationRequest(models=("bicubic",), limit=1, metrics=("psnr",), track="mini"))
    >>> [(record.dataset, record.image) for record in done.records]
    [('ntire-mini2', 'astronaut-0-128'), ('aim-mini2', 'astronaut-0-128')]

    Raises:
        BadInput: as :func:`prepare`.
        RunFailed: the store cannot be written.
    """
    return run(prepare(request))


def prepare(request: EvaluationRequest) -> PreparedRun:
    """Turn names into a plan that is ready to run; every input is checked, nothing is measured.

    Raises:
        BadInput: an unknown name, a broken file, a set that does not pair up, …
    """
    from srbench import attacks, datasets, protocols, zoo
    from srbench.run.plan import make_plan
    from srbench.run.prepared import prepare_run

    scale = checked_scale(request.scale)
    protocol = protocols.protocol(request.protocol, scale)
    specs = attacks.resolve(request.attacks)
    models = zoo.resolve(request.models, scale, stand_in=request.stand_in)
    sets, notices = datasets.resolve(request.datasets, track=request.track, scale=scale)
    for model in models:
        if model.outputs is not None:
            notices += model.outputs.check(sets)
    plan = make_plan(
        models,
        sets,
        specs,
        protocol,
        precision=request.precision,
        tile=request.fixed_tile,
        halo=request.halo,
        limit=request.limit,
    )
    prepared = prepare_run(plan, protocol, request, metrics=request.metrics)
    prepared.notices[:0] = [*(model.note for model in models if model.note), *notices]
    return prepared


def run(prepared: PreparedRun) -> Evaluation:
    """Measure what the store lacks, and read the plan's records back.

    Raises:
        RunFailed: the store cannot be written.
    """
    outcome = prepared.run()
    return Evaluation(outcome, prepared.records(), prepared.dataset_order, prepared.metrics)
