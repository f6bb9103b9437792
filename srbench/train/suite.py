"""Train a suite, one process a run: ``srbench maintain suite mini-zoo``, for one."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from srbench.errors import BadInput
from srbench.support.toml import read_toml
from srbench.train import recipe as recipes
from srbench.train.recipe import TrainingRecipe
from srbench.zoo.refs import RUN_CARD


class SuiteRun(BaseModel):
    """Says what one run of a suite trains: a recipe, and settings above it.

    With several ``seeds`` it is as many runs, ``NAME-seed0`` and on, each of its own seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    seeds: int = Field(default=1, ge=1)


@dataclass(frozen=True)
class Training:
    """Hold the recipe of one run, and the name of the model that it or one of its siblings becomes."""

    recipe: TrainingRecipe
    model: str


class Suite(BaseModel):
    """Says what is trained together.

    Attributes:
        defaults: recipe and settings of every run that does not say otherwise.
        runs: in the order in which they begin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: SuiteRun = SuiteRun()
    runs: tuple[SuiteRun, ...] = Field(min_length=1)

    def trainings(self, changes: Mapping[str, Any] | None = None) -> list[Training]:
        """Return what is trained, in order; runs that differ in the seed alone become one model.

        Args:
            changes: settings by dotted key, above those of the suite.

        Raises:
            BadInput: an unknown recipe or setting, or two runs of one name.
        """
        complete = []
        for run in self.runs:
            settings = recipes.flat(self.defaults.settings) | recipes.flat(run.settings) | dict(changes or {})
            recipe = recipes.load(run.recipe or self.defaults.recipe, settings)
            for number in range(run.seeds):
                own = {"name": f"{recipe.name}-seed{number}"} if run.seeds > 1 else {}
                seeded = recipe.model_copy(update={"seed": recipe.seed + number, **own})
                complete.append(Training(seeded, recipe.name))
        names = [training.recipe.name for training in complete]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise BadInput(f"two runs are called {doubled[0]}: give one of them another name")
        return complete


def names() -> list[str]:
    """Return the names of the suites that come with srbench."""
    files = resources.files("srbench.train.suites").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str) -> Suite:
    """Load a shipped suite.

    Raises:
        BadInput: no such suite.
    """
    if name not in names():
        raise BadInput(f"there is no suite '{name}': choose {' or '.join(names())}")
    return Suite.model_validate(read_toml(resources.files("srbench.train.suites") / f"{name}.toml"))


def train_all(
    wanted: Sequence[Training], out: Path, *, jobs: int, threads: int = 1, zoo: Path | None = None
) -> Iterator[tuple[Path, float]]:
    """Train every recipe into ``out/NAME``; finished runs are kept, begun ones go on.

    A recipe whose ``init`` is the name of another one waits for that, and starts from its result.

    Args:
        jobs: runs at once, each a process of its own, so that neither their order nor their number moves a
            weight.
        threads: torch threads of each; their number can move a weight.
        zoo: the folder ``zoo`` of a checkout: a model is packed there once its runs are finished, of several
            the :func:`median` one, and later ones start from the packed weights, as from those of an
            installed srbench.

    Yields:
        The directory of each run as it finishes, and the seconds it took just now.

    Raises:
        SrbenchError: what a run failed with, after those in work have ended.
    """
    models: dict[str, list[str]] = {}
    for training in wanted:
        models.setdefault(training.model, []).append(training.recipe.name)
    waiting = [training.recipe for training in wanted]
    names = {recipe.name for recipe in waiting}
    done: set[str] = set()
    # Forked children would inherit torch's threads in an unknown state; a child that has trained may know an
    # older zoo.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, max_tasks_per_child=1) as pool:
        working: dict[Future[float], str] = {}
        try:
            while waiting or working:
                for recipe in [r for r in waiting if r.init not in names or r.init in done]:
                    waiting.remove(recipe)
                    init = str(out / recipe.init) if recipe.init in names and zoo is None else recipe.init
                    started = recipe.model_copy(update={"init": init})
                    working[pool.submit(_train, started, out / recipe.name, threads)] = recipe.name
                if not working:
                    raise BadInput(f"{waiting[0].name} starts from itself by way of {waiting[0].init}")
                ended, _ = wait(working, return_when=FIRST_COMPLETED)
                for future in ended:
                    name = working.pop(future)
                    try:
                        seconds = future.result()
                    except BaseException:
                        for other in working:
                            other.cancel()
                        raise
                    done.add(name)
                    model, runs = next((model, runs) for model, runs in models.items() if name in runs)
                    if zoo is not None and done.issuperset(runs):
                        from srbench.train.ship import ship

                        ship(median([out / run for run in runs]), zoo, model)
                    yield out / name, seconds
        except (KeyboardInterrupt, GeneratorExit):
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()  # it saves first
            raise


def median(runs: Sequence[Path]) -> Path:
    """Return the run whose last validation is the median one, so that no test image chooses a seed.

    Of an even number it is the worse one of the middle two.

    Args:
        runs: directories of finished runs.
    """
    from srbench.train.logs import last_validation

    return sorted(runs, key=last_validation)[len(runs) // 2]


def _train(recipe: TrainingRecipe, folder: Path, threads: int) -> float:
    from srbench.train.job import RECIPE, TrainingRequest, train

    begun = (folder / RECIPE).is_file()
    if begun and (differing := recipes.differences(recipes.load(str(folder / RECIPE)), recipe)):
        raise BadInput(f"{folder} was begun with other settings: {'; '.join(differing)}")
    if (folder / RUN_CARD).is_file():
        return 0.0
    start = time.monotonic()
    train(TrainingRequest(recipe, folder, resume=begun, threads=threads))
    return time.monotonic() - start
