"""A plan made ready to run: tiles that fit, metrics loaded, the store opened, a runner chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srbench.errors import BadInput
from srbench.run.engine import Engine
from srbench.run.instruments import Instruments
from srbench.run.memory_fit import fit
from srbench.run.options import RunOptions, default_store, pick_device
from srbench.run.settings import Settings
from srbench.run.tile_retry import run_with_smaller_tiles
from srbench.run.workers.choose import choose_runner
from srbench.store.address import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from srbench.protocols.schema import Protocol
    from srbench.run.image import Measured
    from srbench.run.instruments import Missing
    from srbench.run.outcome import Outcome, Runner
    from srbench.run.plan import Cell
    from srbench.store.record import Record


@dataclass
class PreparedRun:
    """A checked plan: every input was opened, no model has run yet.

    Attributes:
        plan: the cells; running may replace some by ones with smaller tiles.
        runner: what runs them.
        local: the engine of this process, which is the runner unless workers are.
        notices: what is not as asked for, a line each.
        missing_metrics: metrics that cannot be computed here.
        metrics: names of the metrics to show, in the order of the tables.
        store: the directory or address of the records.
        retry_halo: halo of the smaller tiles that are tried where memory runs out; None if tiles are fixed.
    """

    plan: list[Cell]
    runner: Runner
    local: Engine
    notices: list[str]
    missing_metrics: list[Missing]
    metrics: list[str]
    store: Path | str
    retry_halo: int | None

    @property
    def dataset_order(self) -> list[str]:
        """The data sets as the user named them."""
        return list(dict.fromkeys(cell.dataset.name for cell in self.plan))

    @property
    def unmeasured(self) -> list[str]:
        """One line for each metric that cannot be computed here: why not, and the command that cures it."""
        from srbench.metrics import metric

        return [
            f"{metric(m.name).title} was not measured ({m.reason}): srbench metrics install {m.name}"
            for m in self.missing_metrics
        ]

    def run(self) -> Outcome:
        """Measure what the store lacks.

        Raises:
            RunFailed: the store cannot be written.
        """
        return run_with_smaller_tiles(self.runner, self.plan, self.retry_halo)

    def records(self) -> list[Record]:
        """Return the records in the store that belong to the plan, in the order of its cells and images.

        In the store they are in the order in which they were first measured, which an image that failed at
        first, for want of disk say, and the next run made good puts out of order.
        """
        store, records = open_store(self.store), []
        for cell in self.plan:
            card = cell.model.card
            # No part of the identity: what the user calls the model now counts.
            said = {"model_title": card.title, "training_domain": card.domain}
            found = {record.image: record for record in store.read(cell.path)}
            records += [found[image].model_copy(update=said) for image in cell.images if image in found]
        return records


def prepare_run(
    plan: list[Cell],
    protocol: Protocol,
    options: RunOptions,
    *,
    metrics: Sequence[str] | None = None,
    on_measured: Callable[[Measured], None] | None = None,
    again: Callable[[Cell, str], bool] = lambda cell, image: False,
) -> PreparedRun:
    """Make a plan ready to run; nothing is measured.

    Args:
        plan: cells of whole images, or in the tile the options ask for.
        metrics: what is measured in place of the protocol's defaults.
        on_measured, again: as for :class:`srbench.run.engine.Engine`; workers elsewhere know nothing of them.

    Raises:
        BadInput: an unknown metric, a device or store that is not there.
    """
    if isinstance(options.samples, bool) or not isinstance(options.samples, int) or options.samples < 1:
        raise BadInput(f"samples {options.samples!r}: give a whole number of outputs per image, 1 or more")
    on_cluster = options.placement.engine == "ray"
    # On a cluster the devices are elsewhere; here metrics are only asked for their names.
    device = "cpu" if on_cluster else pick_device(options.device)
    notices: list[str] = []
    # What a cluster's machines have is known by whoever asks for it.
    if options.tile == "auto" and (not on_cluster or options.memory is not None):
        plan, notices = fit(plan, device, options.memory, options.halo)
    instruments = Instruments(protocol, metrics, device)
    place = options.store or default_store()
    store = open_store(place)
    if options.keep_images and store.folder is None:
        raise BadInput(
            f"--keep-images keeps pictures in a directory, and {place} is none: name one with --store"
        )
    settings = Settings(
        device=device,
        rerun=options.rerun,
        workers=options.workers,
        threads=options.threads,
        channels_last=options.channels_last,
        samples=options.samples,
        memory=options.memory,
        keep_images=options.keep_images,
    )
    engine = Engine(store, instruments, settings, on_measured=on_measured, again=again)
    names = instruments.names(paired=True)
    return PreparedRun(
        plan=plan,
        runner=choose_runner(options.placement, engine, settings, store, place, plan, names),
        local=engine,
        notices=notices,
        missing_metrics=instruments.missing,
        metrics=list(dict.fromkeys([*(metrics or protocol.default), *names])),
        store=place,
        retry_halo=options.halo if options.tile == "auto" else None,
    )
