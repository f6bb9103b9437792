"""What becomes of a plan: the outcome of a run, what runs plans, and how a cell fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from srbench.errors import RunFailed, SrbenchError
from srbench.store.record import refusal

if TYPE_CHECKING:
    from srbench.run.plan import Cell


POLL = 0.5
"""A cell that another run is at is looked at again after so many seconds."""
MOST_FAILED = 3
"""A cell is given up after so many images that failed: a network would fail on the next ones too."""
_NAMED = 8
"""A line names so many images at most; a network's cell is given up long before."""


@dataclass
class Outcome:
    """An outcome says what a run did.

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

    def add(self, later: Outcome) -> None:
        """Count a later run in."""
        self.measured += later.measured
        self.kept += later.kept
        self.failures += later.failures
        self.out_of_memory += later.out_of_memory
        self.notices += later.notices


class Runner(Protocol):
    """Runs plans: :class:`srbench.run.engine.Engine` in this process, others on several devices or machines.

    Attributes:
        on_image: called with the cell and how many of its images are done or were already there.
        on_wait: called with a line when only cells are left that other runs are at.
    """

    on_image: Callable[[Cell, int], None]
    on_wait: Callable[[str], None]

    @property
    def device(self) -> str:
        """Where models run."""

    def run(self, plan: Sequence[Cell]) -> Outcome:
        """Measure what the store lacks; RunFailed if the store cannot be written."""


class CellFailed(RunFailed):
    """One cell could not be finished; its earlier records are kept.

    Attributes:
        reasons: by image that failed, why, in order.
        measured: images of it that were measured before.
        out_of_memory: whether smaller tiles would help.
    """

    def __init__(self, cell: Cell, reasons: Mapping[str, str], measured: int, out_of_memory: bool) -> None:
        super().__init__(told(cell, reasons))
        self.reasons = dict(reasons)
        self.measured = measured
        self.out_of_memory = out_of_memory


def cell_failure(cell: Cell, failures: Sequence[tuple[str, Exception]], measured: int = 0) -> CellFailed:
    """Make the failure of a cell of those of its images.

    Args:
        failures: ids and what went wrong, in order.
        measured: images of the cell that were measured.
    """
    reasons = {image: reason(error) for image, error in failures}
    return CellFailed(cell, reasons, measured, any(is_out_of_memory(error) for _, error in failures))


def told(cell: Cell, reasons: Mapping[str, str]) -> str:
    """Say in one line which images of a cell failed and why; equal reasons are said once."""
    images: dict[str, list[str]] = {}
    for image, why in reasons.items():
        images.setdefault(why, []).append(image)
    said = [f"image{'s' * (len(ids) > 1)} {_some(ids, ', ')}: {why}" for why, ids in images.items()]
    return f"{cell}, {_some(said, '; ')}"


def waits_for(cells: Sequence[Cell]) -> str:
    """Say that a run waits, and for which cells."""
    named = _some([str(cell) for cell in cells], "; ")
    return f"waiting for another run on this store, which measures {named}"


def _some(parts: Sequence[str], between: str) -> str:
    """Join parts of a line, the first eight of many; the rest is counted."""
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return between.join(parts[:_NAMED]) + more


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch, numpy or Python says that there is no more memory."""
    text = str(error).lower()
    says_so = "out of memory" in text or "can't allocate" in text or "unable to allocate" in text
    return isinstance(error, MemoryError) or says_so


def reason(error: Exception) -> str:
    """Return why an image could not be measured, in one line and with what helps."""
    if is_out_of_memory(error):
        return "out of memory: try --tile 256, --workers 1 or --precision bf16"
    if isinstance(error, ValidationError):
        return f"what was measured is no record ({refusal(error)})"
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text if isinstance(error, SrbenchError) else f"{type(error).__name__}: {text}"
