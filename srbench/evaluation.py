"""The main job: models x data sets -> records -> leaderboard tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from srbench.errors import BadInput
from srbench.run.engine import Engine, Rerun, Settings
from srbench.run.memory_fit import HALO, Tile, fit
from srbench.run.memory_fit import run as run_fitting
from srbench.run.workers.choose import Wish, choose
from srbench.support.home import home

if TYPE_CHECKING:
    from srbench.boards.table import Table
    from srbench.run.engine import Outcome, Runner
    from srbench.run.instruments import Missing
    from srbench.run.plan import Cell
    from srbench.store.record import Record
    from srbench.zoo import ModelRef

Track = Literal["auto", "full", "mini"]


@dataclass(frozen=True)
class Request:
    """What to evaluate and how; see ``srbench evaluate --help`` for the meaning of each."""

    models: tuple[str | ModelRef, ...] = ("all",)
    datasets: tuple[str, ...] = ("ntire", "aim")
    attacks: tuple[str, ...] = ("none",)
    protocol: str = "rsr"
    metrics: tuple[str, ...] | None = None
    track: Track = "auto"
    limit: int | None = None
    device: str = "auto"
    precision: str = "fp32"
    tile: Tile = "auto"
    halo: int = HALO
    memory: float | None = None
    rerun: Rerun = "only-missing"
    workers: int = 0
    threads: int = 1
    channels_last: bool = False
    keep_images: bool = False
    store: Path | str | None = None
    where: Wish = field(default_factory=Wish)


@dataclass
class Prepared:
    """A checked request: every input was opened, no model has run yet.

    Attributes:
        retry: halo of the smaller tiles that are tried, changing the plan, where memory runs out; or None.
    """

    plan: list[Cell]
    engine: Runner
    notices: list[str]
    missing_metrics: list[Missing]
    metrics: list[str]
    store: Path | str
    retry: int | None = None

    @property
    def unmeasured(self) -> list[str]:
        """One line for each metric that cannot be computed here: why not, and the command that cures it."""
        from srbench.metrics import metric

        return [
            f"{metric(m.name).title} was not measured ({m.reason}): srbench metrics install {m.name}"
            for m in self.missing_metrics
        ]


@dataclass
class Result:
    """Everything a run has to show."""

    outcome: Outcome
    records: list[Record] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def default_store() -> Path:
    """Where records go unless ``--store`` names another place."""
    return home() / "records"


def pick_device(wanted: str) -> str:
    """ "cpu" or "cuda" for a wish of "auto", "cpu" or "cuda".

    Raises:
        BadInput: CUDA was asked for and torch sees none.
    """
    if wanted == "cpu":
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda" if wanted == "auto" else wanted
    if wanted == "auto":
        return "cpu"
    raise BadInput(f"--device {wanted}: torch sees no CUDA device here; use --device cpu")


def prepare(request: Request) -> Prepared:
    """Check every input and load the metrics; nothing is measured.

    Raises:
        BadInput: an unknown name, a broken file, a set that does not pair up, …
    """
    from srbench import attacks, datasets, protocols, zoo
    from srbench.run.instruments import Instruments
    from srbench.run.plan import make_plan
    from srbench.store.address import open_store

    protocol = protocols.protocol(request.protocol)
    specs = attacks.resolve(request.attacks)
    models = zoo.resolve(request.models)
    sets, notices = datasets.resolve(request.datasets, track=request.track)
    # On a cluster the devices are elsewhere; here metrics are only asked for their names.
    device = "cpu" if request.where.engine == "ray" else pick_device(request.device)
    plan = make_plan(
        models,
        sets,
        specs,
        protocol,
        precision=request.precision,
        tile=None if request.tile == "auto" else request.tile,
        halo=request.halo,
        limit=request.limit,
    )
    # What a cluster's machines have is known by whoever asks for it.
    if request.tile == "auto" and (request.where.engine == "local" or request.memory is not None):
        plan, tiled = fit(plan, device, request.memory, request.halo)
        notices += tiled
    instruments = Instruments(protocol, request.metrics, device)
    place = request.store or default_store()
    store = open_store(place)
    if request.keep_images and store.folder is None:
        raise BadInput(
            f"--keep-images keeps pictures in a directory, and {place} is none: name one with --store"
        )
    settings = Settings(
        device=device,
        rerun=request.rerun,
        workers=request.workers,
        threads=request.threads,
        channels_last=request.channels_last,
        memory=request.memory,
        keep_images=request.keep_images,
    )
    shown = [*(request.metrics or protocol.default), *instruments.names(paired=True)]
    return Prepared(
        plan=plan,
        engine=choose(
            request.where,
            Engine(store, instruments, settings),
            place,
            store,
            protocol,
            instruments,
            settings,
            plan,
        ),
        notices=notices,
        missing_metrics=instruments.missing,
        metrics=list(dict.fromkeys(shown)),
        store=place,
        retry=request.halo if request.tile == "auto" else None,
    )


def run(prepared: Prepared) -> Result:
    """Measure what is missing, then compute the tables from the plan's records."""
    outcome = run_fitting(prepared.engine, prepared.plan, prepared.retry)
    records = stored(prepared)
    return Result(outcome, records, tables(prepared, records))


def stored(prepared: Prepared) -> list[Record]:
    """Records in the store that belong to the plan, cell by cell."""
    from srbench.store.address import open_store

    store = open_store(prepared.store)
    found = []
    for cell in prepared.plan:
        wanted = set(cell.images)
        found += [record for record in store.read(cell.path) if record.image in wanted]
    return found


def tables(prepared: Prepared, records: Sequence[Record]) -> list[Table]:
    """The leaderboards of a run, columns in the order the user named the data sets."""
    from srbench.boards.compute import tables as compute

    order = list(dict.fromkeys(cell.dataset.name for cell in prepared.plan))
    return compute(records, dataset_order=order, metrics=prepared.metrics)
