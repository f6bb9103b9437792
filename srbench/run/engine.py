"""The engine: runs the cells of a plan in this process, image by image, and appends their records."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from srbench.attacks.certificate import Certificate
from srbench.errors import BadInput, RunFailed
from srbench.run.certified import certify as certify_image
from srbench.run.chance import Chance, chance, seeded
from srbench.run.image import ImageMeter, Loaded, Measured, as_tensor
from srbench.run.memory_fit import at_once
from srbench.run.outcome import MOST_FAILED, POLL, Outcome, cell_failure, is_out_of_memory, waits_for
from srbench.run.perturb import make_perturbation, super_resolve
from srbench.run.schedule import Lookahead
from srbench.run.settings import Settings
from srbench.store import pictures
from srbench.store.claims import Busy
from srbench.store.record import Record
from srbench.support.sigterm import terminated

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.run.instruments import Instruments
    from srbench.run.plan import Cell
    from srbench.store.address import RecordStore, Writer
    from srbench.zoo import ModelRef, SRModel


class Engine:
    """Runs plans against a store.

    Args:
        store: where records go.
        instruments: the metrics.
        settings: how to use the machine.
        on_image: called with the cell after each image that is done or was already there.
        on_measured: called with each image just measured, in order, before its record is stored.
        again: which images to measure although their records are there.
    """

    def __init__(
        self,
        store: RecordStore,
        instruments: Instruments,
        settings: Settings,
        on_image: Callable[[Cell, int], None] = lambda cell, images: None,
        on_measured: Callable[[Measured], None] | None = None,
        again: Callable[[Cell, str], bool] = lambda cell, image: False,
    ) -> None:
        self._store = store
        self._instruments = instruments
        self._settings = settings
        self.on_image = on_image
        self.on_wait: Callable[[str], None] = warnings.warn
        self._on_measured = on_measured
        self._again = again
        self._pictures = store.folder if settings.keep_images else None
        self._meter = ImageMeter(instruments, settings, self._pictures)
        self._settled = False
        self._loaded: tuple[ModelRef, str, SRModel, dict[str, float], Chance] | None = None

    @property
    def device(self) -> str:
        """Where models run."""
        return self._settings.device

    def run(self, plan: Sequence[Cell]) -> Outcome:
        """Measure every cell. A cell that fails is reported and the others go on.

        A cell that another run is at is left to it, waited for at the end, and taken over if that run dies.

        Raises:
            RunFailed: the store cannot be written.
        """
        outcome = Outcome()
        if self._settings.rerun == "never":
            return outcome
        self._store.check_writable()
        busy = [cell for cell in plan if not self._run(cell, outcome)]
        if busy:
            self.on_wait(waits_for(busy))
        while busy:
            time.sleep(POLL)
            busy = [cell for cell in busy if not self._run(cell, outcome)]
        self._loaded = None
        return outcome

    def _run(self, cell: Cell, outcome: Outcome) -> bool:
        """Measure what a cell lacks; False where another run is at it."""
        if not self.todo(cell):
            self._store.settle(cell.path)  # a run may have died before it could
            self._keep(cell, {}, outcome)
            return True
        try:
            with self._store.writer(cell.path) as writer:
                todo = self.todo(cell)  # another run may have measured some before this one had the lock
                self._keep(cell, todo, outcome)
                done, failures = self._record(writer, cell, todo) if todo else (0, [])
        except Busy:
            return False
        outcome.measured += done
        if failures:
            failure = cell_failure(cell, failures)
            outcome.failures.append(str(failure))
            if failure.out_of_memory:
                outcome.out_of_memory.append((cell, str(failure)))
        return True

    def _keep(self, cell: Cell, todo: dict[str, list[str]], outcome: Outcome) -> None:
        """Count the images of a cell that need not be measured."""
        kept = len(cell.images) - len(todo)
        outcome.kept += kept
        self.on_image(cell, kept)

    def todo(self, cell: Cell) -> dict[str, list[str]]:
        """Return the images to measure, each with its metrics: those wanted and those its old record has."""
        wanted = self._instruments.names(paired=cell.dataset.kind == "paired")
        records = {record.image: record for record in self._store.read(cell.path)}
        todo = {}
        for image in cell.images:
            old = records[image].metrics if image in records else {}
            lacking = [name for name in wanted if name not in old or self._stale(cell, records[image], name)]
            again = (
                self._settings.rerun == "always"
                or self._again(cell, image)
                or self._unpictured(cell, image)
                or (image in records and self._other_samples(records[image]))
            )
            if lacking or image not in records or again:
                earlier = [name for name in old if name not in wanted and self._instruments.ensure(name)]
                todo[image] = wanted + earlier
        return todo

    def _stale(self, cell: Cell, record: Record, name: str) -> bool:
        """Return whether a metric was measured with settings that are not, or may not be, those of today."""
        recorded = record.metric_settings.get(name)
        # The hash of the protocol, which is part of the cell, covers the settings it was published with.
        if recorded is None:
            return name not in cell.protocol.metrics
        return recorded != cell.protocol.known[name].hash

    def _other_samples(self, record: Record) -> bool:
        return bool(record.stochastic) and record.samples != self._settings.samples

    def _unpictured(self, cell: Cell, image: str) -> bool:
        if self._pictures is None:
            return False
        return not pictures.complete(self._pictures, cell.path, image, attacked=bool(cell.attack.hash))

    def measure(self, cell: Cell, todo: dict[str, list[str]]) -> int:
        """Measure images of a cell and store their records, in the order of ``todo``.

        Args:
            todo: metrics by image, as :meth:`todo` gave them.

        Returns:
            How many.

        Raises:
            CellFailed: some cannot be measured; the others are stored, unless too many failed.
            BadInput: the model cannot be loaded.
            RunFailed: the store cannot be written.
        """
        with self._store.writer(cell.path) as writer:
            done, failures = self._record(writer, cell, todo)
        if failures:
            raise cell_failure(cell, failures, done) from failures[0][1]
        return done

    def _record(
        self, writer: Writer, cell: Cell, todo: dict[str, list[str]]
    ) -> tuple[int, list[tuple[str, Exception]]]:
        """How many images were measured and stored, and what went wrong with others."""
        loaded, done, failures = self._load(cell), 0, list[tuple[str, Exception]]()
        with closing(self._measured(cell, loaded, todo)) as results:
            for image, made in results:
                if isinstance(made, Record):
                    writer.append(made)
                    done += 1
                    self.on_image(cell, 1)
                    continue
                failures.append((image, made))
                tells = loaded.model is not None and len(failures) == MOST_FAILED
                if is_out_of_memory(made) or tells:
                    break
        return done, failures

    def _load(self, cell: Cell) -> Loaded:
        """The cell's model, the last of which stays loaded, with the cell's attack on it."""
        from srbench.zoo.cost import cost

        with _torch_threads(self._settings.threads):
            if not self._settled:
                self._instruments.settle()
                self._settled = True
        if cell.model.outputs is not None:
            return Loaded(None, partial(_made_elsewhere, cell, self._settings.device), {}, None)
        if self._loaded is None or self._loaded[:2] != (cell.model, cell.precision):
            self._loaded = None  # let go of the previous model before the next one takes memory
            model = cell.model.load(self._settings.device, cell.precision)
            if self._settings.channels_last:
                model.channels_last()
            with _torch_threads(self._settings.threads):
                draws = chance(model, self._settings.device)
            self._loaded = (cell.model, cell.precision, model, cost(model), draws)
        _, _, model, counted, draws = self._loaded
        if isinstance(cell.attack, Certificate):
            if cell.tile is not None:
                raise BadInput(f"{cell}: a certificate is of whole images, not of tiles: use --tile whole")
            certify = partial(certify_image, cell.attack, model)
            return Loaded(model, partial(_whole, model), counted, None, draws, certify)
        device = self._settings.device
        fixed = seeded(model.name, cell.attack.hash, cell.dataset.content_hash) if draws else nullcontext()
        with _torch_threads(self._settings.threads), fixed:
            first = partial(_first, cell, device)
            attack = make_perturbation(cell.attack, model, device, cell.tile, cell.halo, first)

        def network(image: str, lr: Tensor) -> Tensor:
            return super_resolve(model, lr, cell.tile, cell.halo)

        return Loaded(model, network, counted, attack, draws)

    def _measured(
        self, cell: Cell, loaded: Loaded, todo: dict[str, list[str]]
    ) -> Generator[tuple[str, Record | Exception]]:
        """Images in the order of ``todo``, by several workers a few images ahead: records, or what failed."""
        settings = self._settings
        # Random numbers are the process's: a model that draws some runs on one image at a time.
        workers = 1 if loaded.chance else min(settings.worker_count, len(todo))
        if workers > 1:
            workers = at_once(cell, loaded.model, settings.device, workers, settings.memory)
        pending: dict[str, Future[Measured]] = {}
        queue = Lookahead(todo, cell.dataset.lr_size, workers, cell.scale)
        with _torch_threads(settings.threads), _threads(workers) as pool:
            try:
                for image in todo:
                    for begun in queue.ahead(image, len(pending)):
                        pending[begun] = pool.submit(self._meter.measure, cell, loaded, begun, todo[begun])
                    made = self._made(pending[image])
                    del pending[image]
                    yield image, made
            except KeyboardInterrupt:
                _end(pool)
                for image, future in pending.items():
                    # Those that had to wait for an earlier one to be recorded.
                    if future.done() and not future.cancelled() and not future.exception():
                        yield image, self._made(future)
                raise

    def _made(self, future: Future[Measured]) -> Record | Exception:
        """What became of an image."""
        try:
            measured = future.result()
        except Exception as error:
            return error
        if self._on_measured:
            self._on_measured(measured)
        return measured.record


def _first(cell: Cell, device: str, count: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield LR (1,3,H,W) and HR of the first images of a cell's data set, whatever the cell's own limit."""
    for image in cell.dataset.ids[:count]:
        loaded = cell.dataset.load(image)
        hr = None if loaded.hr is None else as_tensor(loaded.hr).to(device)
        yield as_tensor(loaded.lr).to(device), hr


def _whole(model: SRModel, image: str, lr: Tensor) -> Tensor:
    sr: Tensor = model(lr)
    return sr


def _made_elsewhere(cell: Cell, device: str, image: str, lr: Tensor) -> Tensor:
    """SR of an image, read from its file; of the size that it has to have."""
    assert cell.model.outputs is not None
    sr = as_tensor(cell.model.outputs.image(cell.dataset, image)).to(device)
    (high, wide), (height, width) = sr.shape[-2:], (cell.scale * side for side in lr.shape[-2:])
    if (high, wide) != (height, width):
        raise RunFailed(f"its SR is {wide} x {high}, and {cell.scale} times the LR is {width} x {height}")
    return sr


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        _end(pool)


def _end(pool: ThreadPoolExecutor) -> None:
    """Begin nothing more and wait for what has begun; SIGTERM does not wait for an attack of minutes."""
    pool.shutdown(wait=not terminated(), cancel_futures=True)


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
