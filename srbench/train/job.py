"""Run one training from its recipe to its entry in the zoo: build, resume, iterate, validate, export."""

from __future__ import annotations

import errno
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput, Interrupted, RunFailed
from srbench.support.home import write_atomic
from srbench.support.toml import read_toml, to_toml
from srbench.train import degradations
from srbench.train import recipe as recipes
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.degradations import Context
from srbench.train.export import export
from srbench.train.logs import Log
from srbench.train.perceptual import choose_perceptual
from srbench.train.processes import Processes
from srbench.train.recipe import TrainingRecipe
from srbench.train.schedule import learning_rate
from srbench.train.start import fingerprint, make_state, unfinished_start
from srbench.train.state import Checkpoints, NotWritten, State
from srbench.train.stopping import stop_asked
from srbench.train.trainer import Trainer
from srbench.train.validation import Validation

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

RECIPE = "recipe.toml"
"""This file of a run has every setting; its directory can be resumed."""

_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
"""The system answers with one of these where a file cannot be written."""


@dataclass(frozen=True)
class TrainingRequest:
    """Says what to train, and where.

    Attributes:
        recipe: every setting that can move a weight.
        folder: the run's directory; it becomes an entry of the zoo.
        resume: go on with what is there.
        device, threads: how the machine is used.
    """

    recipe: TrainingRecipe
    folder: Path
    resume: bool = False
    device: str = "cpu"
    threads: int = 0


def train(request: TrainingRequest, console: Console | None = None) -> State:
    """Train to the last iteration and export; ``examples/train_a_few_iterations.py`` calls it.

    Returns:
        The final state.

    Raises:
        BadInput: the run exists and is not to be resumed, or is to be and differs; data, initial weights or
            settings that cannot be used.
        RunFailed: a loss that is not finite, or a file that cannot be written; the last checkpoint is kept.
        Interrupted: by SIGINT or SIGTERM; everything up to the iteration in work is saved.
    """
    try:
        return _train(request, console)
    except OSError as error:
        if error.errno not in _WRITING:
            raise
        raise RunFailed(
            f"{request.folder} cannot be written ({error.strerror}): mend that and go on with "
            f"--resume {request.folder}; checkpoints already there are whole"
        ) from error


def _train(request: TrainingRequest, console: Console | None) -> State:
    recipe, folder = request.recipe, request.folder
    processes = Processes(request.device, request.threads)
    content = _checkpoint_to_resume(request)
    processes.wait()  # until all have looked, nobody writes
    crops = _crops(recipe, recipe.data.patch)
    source = crops.source
    state = make_state(recipe, processes, initial=content is None)
    if content is not None:
        if content.get("data") != source.content_hash:
            raise BadInput(f"the images of {folder} have changed since it began: it cannot be resumed")
        state.restore(content)
    if processes.main:
        write_atomic(folder / RECIPE, to_toml(recipe.model_dump(mode="json")))
    log = Log(
        folder,
        processes,
        done=state.iteration,
        total=recipe.schedule.iterations,
        every=recipe.log_every,
        console=console,
    )
    with closing(log):
        if content is None and (line := unfinished_start(recipe.init)):
            log.say(line)
        trainer = _trainer(request, state, crops, processes, log)
        start = str(content.get("init", "")) if content is not None else fingerprint(recipe.init)
        lengths = _lengths(content, state.iteration, recipe.schedule.iterations)
        if state.iteration and lengths[-1][0] == state.iteration:
            log.say(
                f"the run was to have {lengths[-2][1]} iterations and goes on to {lengths[-1][1]}; the "
                "learning rate is from here on that of the longer one"
            )
        extra = {"data": source.content_hash, "init": start, "lengths": lengths}
        _iterate(request, trainer, crops, processes, log, extra)
        if processes.main:
            facts = {
                "data": {"sources": source.describe(), "hash": source.content_hash},
                "init": {"name": Path(recipe.init).name, "sha256": start},
                "degradation": trainer.degradation.describe(),
                "perceptual": trainer.perceptual.text,
                "minutes": round(state.seconds / 60, 2),
                "processes": processes.count,
                "best": {"score": state.best, "iteration": state.best_iteration},
            }
            if len(lengths) > 1:
                facts["lengths"] = lengths
            export(folder, recipe, state.exported(), facts)
    processes.close()
    return state


def _lengths(content: dict[str, Any] | None, iteration: int, total: int) -> list[list[int]]:
    """Return from which iteration on it was to have how many in all: one pair unless it was made longer."""
    lengths: list[list[int]] = list(content.get("lengths", ())) if content else []
    if not lengths or lengths[-1][1] != total:
        lengths.append([iteration if lengths else 0, total])
    return lengths


def _checkpoint_to_resume(request: TrainingRequest) -> dict[str, Any] | None:
    """Return the content of the checkpoint to go on from; None where the run begins."""
    folder, recipe = request.folder, request.recipe
    if not request.resume:
        # One that stopped before its first checkpoint, for want of data say, is begun anew.
        if Checkpoints(folder / "checkpoints", recipe.validation.keep).paths():
            raise BadInput(f"{folder} holds a training: go on with --resume {folder}, or give another --name")
        return None
    if not (folder / RECIPE).is_file():
        raise BadInput(f"{folder} holds no training: it has no {RECIPE}")
    begun = recipes.parse(read_toml(folder / RECIPE))
    length = recipe.schedule.iterations
    longer = begun.schedule.iterations < length
    if longer:
        begun = recipes.override(begun, {"schedule.iterations": length})
    if differing := recipes.differences(begun, recipe):
        raise BadInput(
            f"{folder} was begun with other settings: {'; '.join(differing)}: leave them out (only "
            "--iterations may change, to more), or give the new training another --name"
        )
    latest = Checkpoints(folder / "checkpoints", recipe.validation.keep).latest()
    return latest[1] if latest else None


def _trainer(request: TrainingRequest, state: State, crops: Crops, processes: Processes, log: Log) -> Trainer:
    recipe = request.recipe
    settings = degradations.parse(recipe.degradation)
    needed = recipe.losses.perceptual or settings.needs_perceptual()
    perceptual = choose_perceptual(
        recipe.losses.perceptual_net if needed else "none",
        discriminator=state.discriminator,
        high_pass_width=recipe.losses.gan_high_pass,
    )
    if perceptual.note:
        log.say(perceptual.note)
    context = Context(
        state.generator,
        recipe.seed,
        request.folder / "degradation",
        crops.batch,
        processes.device,
        log.say,
        _crops_of_any_side(recipe),
    )
    degradation = degradations.make_degradation(settings, context)
    with processes.main_first():
        degradation.prepare()
    return Trainer(recipe, state, degradation, perceptual, processes)


def _crops(recipe: TrainingRecipe, side: int) -> Crops:
    """Return the training crops of a recipe, of ``side`` pixels."""
    data = recipe.data
    source = open_sources(data.sources, patch=side, shrink=data.shrink, hold_out=data.hold_out)
    return Crops(source, side, recipe.seed, data.augment)


def _crops_of_any_side(recipe: TrainingRecipe) -> Callable[[Sequence[int], int], Tensor]:
    """Return what cuts HR crops of another side than the recipe's out of the same training images."""

    opened = cache(partial(_crops, recipe))
    return lambda indices, side: opened(side).batch(indices)


def _iterate(
    request: TrainingRequest,
    trainer: Trainer,
    crops: Crops,
    processes: Processes,
    log: Log,
    extra: dict[str, Any],
) -> None:
    recipe, state = request.recipe, trainer.state
    total = recipe.schedule.iterations
    checkpoints = Checkpoints(request.folder / "checkpoints", recipe.validation.keep)
    validation = _validation(recipe, crops, processes) if processes.main else None
    if validation is not None and validation.note:
        log.say(validation.note)
    began, before = time.perf_counter(), state.seconds

    def save(*, validate: bool) -> None:
        log.look()
        if not state.finite():
            raise RunFailed("a weight is not finite")
        state.seconds = before + time.perf_counter() - began
        if validation is None:
            return
        best = False
        if validate:
            with _exported(state):
                score = validation(state.generator)
                log.validated(
                    state.iteration, validation.distance, score, validation.samples(state.generator)
                )
            best = score.mean < state.best
            if best:
                state.best, state.best_iteration = score.mean, state.iteration
        log.flush()
        checkpoints.save(state.content() | extra, best=best)

    def share(iteration: int) -> Sequence[int]:
        return processes.indices(iteration, recipe.data.batch)

    if state.iteration == 0:
        save(validate=True)
    with stop_asked() as stop:
        for iteration, hr in enumerate(crops.batches(state.iteration, total, share), state.iteration):
            rate = learning_rate(recipe.schedule, recipe.optimizer.lr, iteration)
            try:
                log.add(iteration + 1, rate, trainer.step(hr, share(iteration)))
                due = state.iteration % recipe.validation.every == 0 or state.iteration == total
                stopping = processes.any(bool(stop))
                if due or stopping:
                    save(validate=due)
            except NotWritten:
                raise
            except RunFailed as error:
                latest = next(iter(checkpoints.paths()), None)
                # On a GPU the log notices a few iterations late, and then says which it was.
                where = "" if "iteration" in str(error) else f"iteration {iteration + 1}: "
                raise RunFailed(
                    f"{where}{error}: lower --lr; the last good checkpoint is {latest}"
                ) from error
            if stopping and state.iteration < total:
                raise Interrupted(
                    f"stopped and saved after iteration {state.iteration} of {total}: "
                    f"go on with --resume {request.folder}",
                    # Another process of this training may have been told instead.
                    stop[0] if stop else signal.SIGTERM,
                )


def _validation(recipe: TrainingRecipe, crops: Crops, processes: Processes) -> Validation:
    data = recipe.data
    if data.hold_out:
        held_out = open_sources(data.sources, patch=data.patch, hold_out=data.hold_out, held_out=True)
        crops = Crops(held_out, data.patch, recipe.seed)
    return Validation(crops, recipe.validation.images, processes.device, recipe.precision)


@contextmanager
def _exported(state: State) -> Iterator[None]:
    """Give the generator the weights that would be exported, and its own afterwards."""
    if not state.average:
        yield
        return
    own = {name: value.detach().clone() for name, value in state.generator.state_dict().items()}
    state.generator.load_state_dict(state.average)
    try:
        yield
    finally:
        state.generator.load_state_dict(own)
