"""What is handed to workers: images of one cell, at most so many at once, and who gets which next."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

LARGEST = 32
"""A task has at most so many images; records are stored in between, so no more can be lost."""
SHARES = 4
"""Images yet to be handed out would make so many tasks for each worker: small ones near the end."""


@dataclass(frozen=True)
class Task:
    """Images of one cell.

    Attributes:
        cell: its index in the plan.
        todo: metrics by image.
        tries: how often it has failed, or something it was a part of.
    """

    cell: int
    todo: dict[str, list[str]]
    tries: int = 0


def split(cell: int, todo: dict[str, list[str]], size: int, tries: int = 0) -> list[Task]:
    """Split images of a cell into tasks of at most ``size`` images, equal in size as far as that goes."""
    if not todo:
        return []
    images = list(todo)
    count = math.ceil(len(images) / size)
    bounds = [len(images) * part // count for part in range(count + 1)]
    parts = [images[start:stop] for start, stop in itertools.pairwise(bounds)]
    return [Task(cell, {image: todo[image] for image in part}, tries) for part in parts]


def task_size(remaining: int, workers: int) -> int:
    """Return how many images a task gets when ``remaining`` have yet to be handed out."""
    return max(1, min(LARGEST, math.ceil(remaining / (SHARES * workers))))


class Queue:
    """Tasks that wait, by model: a worker that has loaded a model gets that model's tasks first.

    Next come models that no worker has loaded, in the order of the plan, and last those with the most tasks
    left, so that few workers load each model while there are many.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[Task]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def images(self) -> int:
        """How many images the tasks have."""
        return sum(len(task.todo) for waiting in self._waiting.values() for task in waiting)

    def add(self, model: Hashable, tasks: list[Task]) -> None:
        """Append tasks to those of their model."""
        if tasks:
            self._waiting.setdefault(model, deque()).extend(tasks)

    def take(self, loaded: Hashable, elsewhere: set[Hashable]) -> Task | None:
        """Take the next task for a worker; None if there is none.

        Args:
            loaded: the model it has.
            elsewhere: models that other workers have.
        """
        if not self._waiting:
            return None
        fresh = (model for model in self._waiting if model not in elsewhere)
        if loaded in self._waiting:
            model = loaded
        else:
            model = next(fresh, max(self._waiting, key=lambda name: len(self._waiting[name])))
        task = self._waiting[model].popleft()
        if not self._waiting[model]:
            del self._waiting[model]
        return task

    def drop(self, model: Hashable, cell: int) -> list[Task]:
        """Remove the tasks of a cell and return them."""
        waiting = self._waiting.pop(model, deque())
        gone = [task for task in waiting if task.cell == cell]
        self.add(model, [task for task in waiting if task.cell != cell])
        return gone
