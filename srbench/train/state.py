"""Hold what a training carries from one iteration to the next, and keep it on disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srbench.errors import BadInput, RunFailed
from srbench.support.home import atomic_path
from srbench.zoo.contained import unpacked

_FORMAT = 1
_BEST = "best.pt"


class NotWritten(RunFailed):
    """Says that a checkpoint could not be written; those before it are untouched."""


@dataclass
class State:
    """Holds the networks, their optimizers, the moving average, and the iterations done.

    There is no random state in it: every random number follows from the seed and a sample's index.

    Attributes:
        average: the moving average of the generator's weights by name; empty where none is kept.
        seconds: time spent training, over all sessions of the run.
        best: the lowest validation score so far, and the iteration it was reached after.
    """

    generator: nn.Module
    optimizer_g: torch.optim.Optimizer
    discriminator: nn.Module | None = None
    optimizer_d: torch.optim.Optimizer | None = None
    average: dict[str, Tensor] = field(default_factory=dict)
    iteration: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    best_iteration: int = 0

    def update_average(self, decay: float) -> None:
        """Move the average towards the weights; quickly at first, so that the random start is forgotten."""
        decay = min(decay, (1 + self.iteration) / (10 + self.iteration))
        for name, value in self.generator.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def exported(self) -> dict[str, Tensor]:
        """Return the weights a run is about: the average where one is kept, else the generator's."""
        return self.average or self.generator.state_dict()

    def finite(self) -> bool:
        """Tell whether no weight is NaN or infinite."""
        modules = [self.generator] + ([self.discriminator] if self.discriminator else [])
        return all(bool(torch.isfinite(p).all()) for module in modules for p in module.parameters())

    def content(self) -> dict[str, Any]:
        """Return the state as tensors and plain values."""
        return {
            "format": _FORMAT,
            "iteration": self.iteration,
            "seconds": self.seconds,
            "best": self.best,
            "best_iteration": self.best_iteration,
            "generator": self.generator.state_dict(),
            "optimizer_g": self.optimizer_g.state_dict(),
            "discriminator": self.discriminator.state_dict() if self.discriminator else None,
            "optimizer_d": self.optimizer_d.state_dict() if self.optimizer_d else None,
            "average": self.average,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Take over what :meth:`content` gave; BadInput where it is of other networks or optimizers."""
        try:
            self._restore(content)
        # Every part of torch has its own way to say that something does not fit.
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise BadInput(
                f"the last checkpoint is not one of this training ({_brief(error)}): remove it, and the one "
                "before it is taken"
            ) from error

    def _restore(self, content: dict[str, Any]) -> None:
        self.generator.load_state_dict(content["generator"])
        self.optimizer_g.load_state_dict(content["optimizer_g"])
        if self.discriminator is not None and self.optimizer_d is not None:
            self.discriminator.load_state_dict(content["discriminator"])
            self.optimizer_d.load_state_dict(content["optimizer_d"])
        for name, value in self.average.items():
            value.copy_(content["average"][name])
        self.iteration, self.seconds = int(content["iteration"]), float(content["seconds"])
        self.best, self.best_iteration = float(content["best"]), int(content["best_iteration"])


class Checkpoints:
    """Keeps the checkpoints of a run: the last few by iteration, and ``best.pt``.

    Args:
        folder: where they are.
        keep: how many beside the best.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def paths(self) -> list[Path]:
        """Return the checkpoints by iteration, latest first."""
        numbered = [path for path in self.folder.glob("*.pt") if path.stem.isdigit()]
        return sorted(numbered, key=lambda path: int(path.stem), reverse=True)

    def save(self, content: dict[str, Any], *, best: bool) -> Path:
        """Write a checkpoint so that it is there whole or not at all, then drop the oldest.

        Raises:
            NotWritten: it cannot be written; the checkpoints before it are untouched.
        """
        path = self.folder / f"{content['iteration']:08d}.pt"
        try:
            with atomic_path(path) as temporary:
                torch.save(content, temporary)
                _to_disk(temporary)
            if best:
                with atomic_path(self.folder / _BEST) as temporary:
                    _same_file(path, temporary)
            for old in self.paths()[self.keep :]:
                old.unlink(missing_ok=True)
        except (OSError, RuntimeError) as error:
            # torch reports a full disk as a RuntimeError of its archive writer.
            previous = next((p for p in self.paths() if p != path), None)
            last = f"the last checkpoint is {previous}" if previous else "there is none before it"
            raise NotWritten(
                f"{path} cannot be written ({_brief(error)}): free space and resume; {last}"
            ) from error
        return path

    def latest(self) -> tuple[Path, dict[str, Any]] | None:
        """Return the latest checkpoint that can be read; None where the run has none.

        Raises:
            BadInput: there are checkpoints, and none can be read.
        """
        paths = self.paths()
        for path in paths:
            content = read_checkpoint(path)
            if content is not None:
                return path, content
        if paths:
            raise BadInput(f"no checkpoint in {self.folder} can be read: start the training again")
        return None


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return a checkpoint's content on the CPU, or None if it is damaged or no checkpoint of a training."""
    try:
        content = unpacked(path, everything=True)
    except (BadInput, OSError):
        return None
    return content if isinstance(content, dict) and content.get("format") == _FORMAT else None


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _same_file(path: Path, other: Path) -> None:
    """Give a file a second name; a copy where the file system has no hard links."""
    other.unlink()
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _brief(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else " ".join(str(error).split())[:120]
