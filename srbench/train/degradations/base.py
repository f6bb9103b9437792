"""Define what the trainer and every degradation agree on: a batch, a context, one call from HR to LR."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn


class Table(BaseModel):
    """Serves as the base of a degradation's settings: a TOML table whose ``kind`` names the degradation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str

    def needs_perceptual(self) -> bool:
        """Tell whether the degradation uses the perceptual loss of the training, :attr:`Batch.score`."""
        return False


@dataclass(frozen=True)
class Batch:
    """Holds the HR side of one training batch.

    Attributes:
        hr: (N,3,P,P), RGB in [0,1].
        ids: one per sample, the decimal text of its global index; they seed whatever is drawn.
        score: the perceptual loss already bound to ``hr``: SR (N,3,P,P) to (N,), differentiable; None where
            training has none.
        score_text: what ``score`` is, such as ``lpips-alex``; empty where there is none.
    """

    hr: Tensor
    ids: tuple[str, ...]
    score: Callable[[Tensor], Tensor] | None = None
    score_text: str = ""

    def select(self, positions: Sequence[int]) -> Batch:
        """Return the samples at ``positions``; their score is the same numbers as within the whole batch."""
        chosen = torch.tensor(positions, dtype=torch.long, device=self.hr.device)
        score = self.score
        part: Callable[[Tensor], Tensor] | None = None
        if score is not None:
            # The score is bound to the whole batch, so the others stand in with their own HR.
            def part(sr: Tensor) -> Tensor:
                whole = self.hr.to(sr.dtype).index_copy(0, chosen, sr)
                return score(whole).index_select(0, chosen)

        hr = self.hr.index_select(0, chosen)
        return replace(self, hr=hr, ids=tuple(self.ids[p] for p in positions), score=part)


@dataclass(frozen=True)
class Context:
    """Holds what a degradation may use of the run it serves.

    Attributes:
        generator: the very network being trained, not wrapped for parallel training.
        seed: of the run; with a sample's id it decides everything drawn for that sample.
        folder: where a degradation keeps what it trained; None: nowhere, it is trained for this run only.
        crops: HR crops (N,3,P,P) in [0,1] of the training data by index, for degradations that learn.
        device: where ``generator`` is.
        report: shows one line of progress.
        crops_of: HR crops (N,3,S,S) in [0,1] of the same training data by index and by another side S than
            that of ``crops``; None where the training data can give none.
    """

    generator: nn.Module
    seed: int
    folder: Path | None
    crops: Callable[[Sequence[int]], Tensor]
    device: torch.device
    report: Callable[[str], None]
    crops_of: Callable[[Sequence[int], int], Tensor] | None = None


class Degradation(ABC):
    """Makes the LR input of a batch. The same seed and id give the same LR, in whatever batch they come.

    Attributes:
        samples: of how many LR images the SR of a sample is the per-value median. With more than one, or with
            several such groups for each sample, LR is (G*samples*N,3,P/4,P/4): group by group, and in it copy
            by copy of the whole batch; the losses are means over the groups.
    """

    samples: int = 1

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Collect or train what is needed before the first batch; a second call costs nothing.

        Raises:
            BadInput: the source domain is not there or does not fit the settings.
        """

    @abstractmethod
    def __call__(self, batch: Batch) -> Tensor:
        """Make LR (N,3,P/4,P/4) in [0,1], detached, on the device of ``batch.hr``; see ``samples`` for more.

        Raises:
            BadInput: the batch lacks something the settings ask for.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return settings and what was collected, with hashes, as JSON types; complete once prepared."""


@dataclass(frozen=True)
class DegradationKind:
    """Puts a degradation beside its settings: the ``KIND`` of its module, by which it is found.

    Attributes:
        settings: a :class:`Table` whose ``kind`` has the name as its default.
        degradation: the class; called with such settings and a :class:`Context`. It may raise BadInput where
            the settings cannot be had, such as a perceptual term whose weights are not installed.
    """

    settings: type[Table]
    degradation: Callable[[Any, Context], Degradation]

    @property
    def name(self) -> str:
        """Return what the ``kind`` of a recipe's table says."""
        return str(self.settings.model_fields["kind"].default)
