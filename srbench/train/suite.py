"""Train a suite, one process a run: ``python -m srbench.train.suite mini-zoo`` or ``ablation-mini``."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from srbench.errors import BadInput, SrbenchError
from srbench.support.toml import read_toml
from srbench.train import recipe as recipes
from srbench.train.recipe import Recipe


class _Run(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)


class Suite(BaseModel):
    """What is trained together.

    Attributes:
        defaults: recipe and settings of every run that does not say otherwise.
        runs: in the order in which they begin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: _Run = _Run()
    runs: tuple[_Run, ...] = Field(min_length=1)

    def recipes(self, changes: Mapping[str, Any] | None = None) -> list[Recipe]:
        """The runs' recipes.

        Args:
            changes: settings by dotted key, above those of the suite.

        Raises:
            BadInput: an unknown recipe or setting, or two runs of one name.
        """
        found = []
        for run in self.runs:
            settings = recipes.flat(self.defaults.settings) | recipes.flat(run.settings) | dict(changes or {})
            found.append(recipes.load(run.recipe or self.defaults.recipe, settings))
        names = [recipe.name for recipe in found]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise BadInput(f"two runs are called {doubled[0]}: give one of them another name")
        return found


def names() -> list[str]:
    """The suites srbench ships."""
    files = resources.files("srbench.train.suites").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str) -> Suite:
    """A shipped suite.

    Raises:
        BadInput: no such suite.
    """
    if name not in names():
        raise BadInput(f"there is no suite '{name}': choose {' or '.join(names())}")
    return Suite.model_validate(read_toml(resources.files("srbench.train.suites") / f"{name}.toml"))


def train(
    wanted: Sequence[Recipe], out: Path, *, jobs: int, threads: int = 1, zoo: Path | None = None
) -> Iterator[tuple[Path, float]]:
    """Train every recipe into ``out/NAME``; finished runs are kept, begun ones go on.

    A recipe whose ``init`` is the name of another one waits for that, and starts from its result.

    Args:
        jobs: runs at once, each a process of its own, so that neither their order nor their number moves a
            weight.
        threads: torch threads of each; their number can move a weight.
        zoo: the folder ``zoo`` of a checkout: finished runs are packed there at once, and later ones start
            from the packed weights, as from those of an installed srbench.

    Yields:
        The directory of each run as it finishes, and the seconds it took just now.

    Raises:
        SrbenchError: what a run failed with, after those in work have ended.
    """
    names = {recipe.name for recipe in wanted}
    waiting = list(wanted)
    done: set[str] = set()
    # Forked children would inherit torch's threads in an unknown state; a child that has trained may know an
    # older zoo.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, max_tasks_per_child=1) as pool:
        working: dict[Future[float], str] = {}
        while waiting or working:
            for recipe in [r for r in waiting if r.init not in names or r.init in done]:
                waiting.remove(recipe)
                from_run = recipe.init in names and zoo is None
                told = recipe.model_copy(update={"init": str(out / recipe.init)}) if from_run else recipe
                working[pool.submit(_train, told, out / recipe.name, threads)] = recipe.name
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
                if zoo is not None:
                    from srbench.train.ship import ship

                    ship(out / name, zoo)
                done.add(name)
                yield out / name, seconds


def _train(recipe: Recipe, folder: Path, threads: int) -> float:
    from rich.console import Console

    from srbench.train.export import CARD
    from srbench.train.job import RECIPE, Request
    from srbench.train.job import train as run

    begun = (folder / RECIPE).is_file()
    if begun and (differing := recipes.differences(recipes.load(str(folder / RECIPE)), recipe)):
        raise BadInput(f"{folder} was begun with other settings: {'; '.join(differing)}")
    if (folder / CARD).is_file():
        return 0.0
    start = time.monotonic()
    with Path(os.devnull).open("w", encoding="utf-8") as quiet:
        run(Request(recipe, folder, resume=begun, threads=threads), Console(file=quiet))
    return time.monotonic() - start


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a suite and print what each run took."""
    parser = argparse.ArgumentParser(prog="python -m srbench.train.suite", description=__doc__)
    parser.add_argument("suite", choices=names())
    parser.add_argument("--data", help="training images: dead-leaves, directories; by commas")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="directory of runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at once")
    parser.add_argument("--iterations", type=int, help="of every run")
    parser.add_argument("--zoo", type=Path, help="pack the models into this folder zoo of a checkout")
    given = parser.parse_args(arguments)
    changes: dict[str, Any] = {}
    if given.data:
        changes["data.sources"] = [part for part in given.data.split(",") if part]
    if given.iterations:
        changes["schedule.iterations"] = given.iterations
    try:
        wanted = load(given.suite).recipes(changes)
        for folder, seconds in train(wanted, given.out, jobs=given.jobs, zoo=given.zoo):
            print(f"{folder}: {seconds / 60:.1f} minutes", flush=True)
    except SrbenchError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
