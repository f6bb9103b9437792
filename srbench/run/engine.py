"""Run a plan: for each image decode, super-resolve, measure, and append one record, in order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from srbench.errors import RunFailed, SrbenchError
from srbench.run.cache import Memory
from srbench.run.memory_fit import at_once, is_out_of_memory
from srbench.run.perturb import attack_image, build, super_resolve
from srbench.run.schedule import Lookahead
from srbench.store import pictures as kept
from srbench.store import provenance
from srbench.store.record import Record

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.datasets.base import LoadedImage
    from srbench.run.instruments import Instruments
    from srbench.run.perturb import Attacked, Perturbation
    from srbench.run.plan import Cell
    from srbench.store.address import RecordStore
    from srbench.zoo import ModelRef, SRModel

Rerun = Literal["only-missing", "always", "never"]
DECODED_BYTES = 512 << 20
NOISE_BYTES = 128 << 20
CLEAN_BYTES = 128 << 20
MAX_WORKERS = 8


@dataclass(frozen=True)
class Settings:
    """How a run uses the machine; none of it is part of a record's identity.

    Attributes:
        device: "cpu" or "cuda" (or "cuda:1" …).
        rerun: "only-missing" measures what the store lacks, "always" everything, "never" nothing.
        workers: images in work at once; 0 means one per core, at most eight.
        threads: torch threads per worker. A worker's thread count can move a metric in its last digits,
            so it does not depend on the number of workers.
        channels_last: have networks' images lie pixel by pixel; faster for many, and other last digits.
        memory: GiB that the run may take, None for a share of what there is.
        keep_images: keep the SR, and the LR where it was attacked, as 8-bit PNG beside the records; an
            image whose picture is missing is measured again.
    """

    device: str = "cpu"
    rerun: Rerun = "only-missing"
    workers: int = 0
    threads: int = 1
    channels_last: bool = False
    memory: float | None = None
    keep_images: bool = False

    @property
    def worker_count(self) -> int:
        return self.workers or min(os.cpu_count() or 1, MAX_WORKERS)


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        measured: images measured now.
        kept: images whose records were already there.
        failures: one line per cell that could not be finished.
        out_of_memory: the cells among these that need more memory, each with its line.
        notices: what was not done as planned, a line each.
    """

    measured: int = 0
    kept: int = 0
    failures: list[str] = field(default_factory=list)
    out_of_memory: list[tuple[Cell, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class Runner(Protocol):
    """Runs plans: :class:`Engine` in this process, others on several devices or machines.

    Attributes:
        on_image: called with the cell and how many of its images are done or were already there.
    """

    on_image: Callable[[Cell, int], None]

    @property
    def device(self) -> str:
        """Where models run."""

    def run(self, plan: Sequence[Cell]) -> Outcome:
        """Measure what the store lacks; RunFailed if the store cannot be written."""


@dataclass(frozen=True)
class Measured:
    """One image as it was measured, for whoever wants more than the record.

    Attributes:
        attacked: the LR image and what the attack did.
        sr, hr: (1,3,4H,4W); SR unclipped, HR in [0,1] or None.
    """

    record: Record
    attacked: Attacked
    sr: Tensor
    hr: Tensor | None


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
        self._on_measured = on_measured
        self._again = again
        # An image is decoded once for all models; noise made on one is kept for those it transfers to, and
        # what a model makes of the clean image for its other attacks.
        self._decoded: Memory[LoadedImage] = Memory(DECODED_BYTES, _size)
        self._noise: Memory[Tensor] = Memory(NOISE_BYTES, lambda lr: lr.nbytes)
        self._clean: Memory[Tensor] = Memory(CLEAN_BYTES, lambda sr: sr.nbytes)
        self._loaded: tuple[ModelRef, str, SRModel] | None = None
        self._cost: dict[str, float] = {}

    @property
    def device(self) -> str:
        """Where models run."""
        return self._settings.device

    def run(self, plan: Sequence[Cell]) -> Outcome:
        """Measure every cell. A cell that fails is reported and the others go on.

        Raises:
            RunFailed: the store cannot be written.
        """
        outcome = Outcome()
        if self._settings.rerun == "never":
            return outcome
        self._store.check_writable()
        for cell in plan:
            todo = self.todo(cell)
            outcome.kept += len(cell.images) - len(todo)
            self.on_image(cell, len(cell.images) - len(todo))
            if not todo:
                self._store.settle(cell.path)  # a run may have died before it could
                continue
            try:
                outcome.measured += self.measure(cell, todo)
            except CellFailed as failure:
                outcome.measured += failure.measured
                outcome.failures.append(str(failure))
                if failure.out_of_memory:
                    outcome.out_of_memory.append((cell, str(failure)))
        self._loaded = None
        return outcome

    def todo(self, cell: Cell) -> dict[str, list[str]]:
        """Images to measure, each with its metrics: those wanted now and those its old record has."""
        wanted = self._instruments.names(paired=cell.dataset.kind == "paired")
        known = {record.image: record for record in self._store.read(cell.path)}
        todo = {}
        for image in cell.images:
            old = known[image].metrics if image in known else {}
            lacking = [name for name in wanted if name not in old]
            again = self._settings.rerun == "always" or self._again(cell, image) or self._unkept(cell, image)
            if lacking or image not in known or again:
                earlier = [name for name in old if name not in wanted and self._instruments.ensure(name)]
                todo[image] = wanted + earlier
        return todo

    def _unkept(self, cell: Cell, image: str) -> bool:
        if not self._settings.keep_images or self._store.folder is None:
            return False
        return not kept.complete(self._store.folder, cell.path, image, attacked=bool(cell.attack.hash))

    def measure(self, cell: Cell, todo: dict[str, list[str]]) -> int:
        """Measure images of a cell and store their records, in the order of ``todo``.

        Args:
            todo: metrics by image, as :meth:`todo` gave them.

        Returns:
            How many.

        Raises:
            CellFailed: one of them cannot be measured; those before it are stored.
            BadInput: the model cannot be loaded.
            RunFailed: the store cannot be written.
        """
        model, done = self._load(cell), 0
        with self._store.writer(cell.path) as writer:
            try:
                for record in self._records(cell, model, todo):
                    writer.append(record)
                    done += 1
                    self.on_image(cell, 1)
            except SrbenchError as error:
                if isinstance(error, CellFailed):
                    error.measured = done
                raise
        return done

    def _load(self, cell: Cell) -> SRModel:
        """The cell's model; the last one stays loaded."""
        from srbench.zoo.cost import cost

        if self._loaded is None or self._loaded[:2] != (cell.model, cell.precision):
            self._loaded = None  # let go of the previous model before the next one takes memory
            model = cell.model.load(self._settings.device, cell.precision)
            if self._settings.channels_last:
                model.channels_last()
            self._loaded, self._cost = (cell.model, cell.precision, model), cost(model)
        return self._loaded[2]

    def _records(self, cell: Cell, model: SRModel, todo: dict[str, list[str]]) -> Iterator[Record]:
        """Records in the order of ``todo``, computed by several workers a few images ahead."""
        settings = self._settings
        workers = min(settings.worker_count, len(todo))
        if workers > 1:
            workers = at_once(cell, model, settings.device, workers, settings.memory)
        pending: dict[str, Future[Measured]] = {}
        queue = Lookahead(todo, cell.dataset.lr_size, workers)
        attack = build(cell.attack, model, settings.device, cell.tile, cell.halo)
        with _torch_threads(settings.threads), ThreadPoolExecutor(workers) as pool:
            try:
                for image in todo:
                    for begun in queue.ahead(image, len(pending)):
                        pending[begun] = pool.submit(self._measure, cell, model, attack, begun, todo[begun])
                    try:
                        measured = pending.pop(image).result()
                    except Exception as error:
                        raise CellFailed(
                            f"{cell}, image {image}: {_reason(error)}", is_out_of_memory(error)
                        ) from error
                    if self._on_measured:
                        self._on_measured(measured)
                    yield measured.record
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _measure(
        self, cell: Cell, model: SRModel, attack: Perturbation | None, image: str, names: list[str]
    ) -> Measured:
        import torch

        data = cell.dataset
        loaded = self._decoded.get((data.content_hash, image), lambda: data.load(image))
        lr = as_tensor(loaded.lr).to(self._settings.device)
        hr = None if loaded.hr is None else as_tensor(loaded.hr)
        run_as = (data.content_hash, cell.precision, str(cell.tile), str(cell.halo))
        own = (cell.model.name, cell.model.weights_sha256, *run_as, image)

        def clean() -> Tensor:
            return self._clean.get(own, lambda: super_resolve(model, lr, cell.tile, cell.halo))

        attacked = attack_image(attack, lr, hr, image, run_as, self._noise, clean)
        with torch.inference_mode():
            seen = attacked.lr
            started = time.perf_counter()
            sr = super_resolve(model, seen, cell.tile, cell.halo)
            if sr.device.type == "cuda":
                torch.cuda.synchronize(sr.device)
            seconds = time.perf_counter() - started
            expected = (1, 3, 4 * lr.shape[-2], 4 * lr.shape[-1])
            if tuple(sr.shape) != expected:
                raise RunFailed(f"the model made {tuple(sr.shape)} where {expected} was due")
            if not bool(torch.isfinite(sr).all()):
                raise RunFailed("the model's output has NaN or infinite values")
            if attack is None:
                self._clean.get(own, lambda: sr)
            values, notes = self._instruments.measure(names, sr, hr)
            effect = attacked.effect(sr)
            saved: dict[str, float | None] = {}
            if attacked.saved is not None:
                as_file = super_resolve(model, attacked.saved, cell.tile, cell.halo)
                saved, _ = self._instruments.measure(names, as_file, hr)
            if self._settings.keep_images and self._store.folder is not None:
                kept.save(self._store.folder, cell.path, image, sr, seen if cell.attack.hash else None)
        card = cell.model.card
        record = Record(
            model=cell.model.name,
            model_title=card.title,
            training_domain=card.domain,
            weights_sha256=cell.model.weights_sha256,
            dataset=cell.dataset.name,
            dataset_domain=cell.dataset.domain,
            dataset_kind=cell.dataset.kind,
            dataset_hash=cell.dataset.content_hash,
            dataset_images=len(cell.dataset.ids),
            image=image,
            attack=cell.attack.name,
            attack_hash=cell.attack.hash,
            attack_settings=attacked.settings,
            effect=effect,
            saved=saved,
            flags=attacked.flags,
            protocol=cell.protocol.name,
            protocol_hash=cell.protocol.hash,
            metrics=values,
            notes=notes,
            lr_size=(lr.shape[-2], lr.shape[-1]),
            sr_size=(sr.shape[-2], sr.shape[-1]),
            precision=cell.precision,
            tile=cell.tile,
            halo=cell.halo,
            device=_device_name(self._settings.device),
            seconds=round(seconds, 6),
            cost=self._cost,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=provenance.versions(),
            commit=provenance.commit(),
        )
        return Measured(record, attacked, sr, hr)


class CellFailed(RunFailed):
    """One cell could not be finished; its earlier records are kept."""

    measured = 0

    def __init__(self, line: str, out_of_memory: bool = False) -> None:
        super().__init__(line)
        self.out_of_memory = out_of_memory


def _size(image: LoadedImage) -> int:
    return int(image.lr.nbytes) + (0 if image.hr is None else int(image.hr.nbytes))


def as_tensor(pixels: object) -> Tensor:
    """uint8 (H,W,3) to float32 (1,3,H,W) in [0,1]."""
    import numpy as np
    import torch

    # A copy: data sets hand out read-only arrays.
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).unsqueeze(0).float() / 255


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _device_name(device: str) -> str:
    if device == "cpu":
        return "cpu"
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if is_out_of_memory(error):
        return "out of memory: try --tile 256, --workers 1 or --precision bf16"
    return text if isinstance(error, SrbenchError) else f"{type(error).__name__}: {text}"
