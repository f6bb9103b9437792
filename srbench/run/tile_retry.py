"""Run a plan, and where memory runs out although the images were thought to fit, again in smaller tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from srbench.run import memory_fit

if TYPE_CHECKING:
    from srbench.run.outcome import Outcome, Runner
    from srbench.run.plan import Cell


def run_with_smaller_tiles(runner: Runner, plan: list[Cell], halo: int | None) -> Outcome:
    """Run a plan, with smaller tiles for the models whose images turn out not to fit.

    Args:
        plan: cells of models that needed smaller tiles are replaced in place, all of a model's.
        halo: of the smaller tiles; None if tiles may not be changed.

    Raises:
        RunFailed: the store cannot be written.
    """
    outcome, notices = runner.run(plan), dict[str, str]()
    while halo is not None and (failed := outcome.out_of_memory):
        outcome.out_of_memory = []
        changed: list[Cell] = []
        for name in dict.fromkeys(cell.model.name for cell, _ in failed):
            side = _smaller([cell for cell, _ in failed if cell.model.name == name])
            if side is None:
                continue
            notices[name] = f"{name} ran out of memory: all of its images were run in tiles of {side}"
            lines = {line for cell, line in failed if cell.model.name == name}
            outcome.failures = [line for line in outcome.failures if line not in lines]
            for place, cell in enumerate(plan):
                if cell.model.name == name:
                    plan[place] = memory_fit.tiled(cell, side, halo)
                    changed.append(plan[place])
        if not changed:
            break
        outcome.add(runner.run(changed))
    outcome.notices += notices.values()
    return outcome


def _smaller(cells: Sequence[Cell]) -> int | None:
    """The next tile below what these were run with; None if there is none."""
    side = min(cell.tile or max(memory_fit.largest_size(cell)) for cell in cells)
    return next((smaller for smaller in memory_fit.SIDES if smaller < side), None)
