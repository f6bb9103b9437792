"""Compute the learning rate from the iteration alone, so that a resumed run needs no memory of it."""

from __future__ import annotations

import math

from srbench.train.recipe import ScheduleSettings


def learning_rate(schedule: ScheduleSettings, lr: float, iteration: int) -> float:
    """Return the learning rate of one iteration.

    Args:
        lr: the rate at the start.
        iteration: counted from 0.

    Returns:
        With milestones, ``lr`` times ``gamma`` for every milestone reached (MultiStep); with restarts, a
        cosine from ``lr`` to ``lr_floor`` over each of the equal periods (SGDR, Loshchilov and Hutter 2017).
    """
    if schedule.restarts:
        period = schedule.iterations / schedule.restarts
        wave = (1 + math.cos(math.pi * (iteration % period) / period)) / 2
        return schedule.lr_floor + (lr - schedule.lr_floor) * wave
    reached = sum(iteration >= (m if m >= 1 else m * schedule.iterations) for m in schedule.milestones)
    return float(lr * schedule.gamma**reached)
