"""The order in which images are begun: every one once, never too many, no worker idle at the end."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from srbench.run.schedule import AHEAD, HELD_BYTES, SR_BYTES, Lookahead


def simulate(sides: Sequence[int], workers: int) -> tuple[float, int, list[str]]:
    """Run images, one of side s in s * s seconds, on workers; makespan, most begun at once, order begun."""
    names = [str(index) for index in range(len(sides))]
    queue = Lookahead(names, lambda name: (sides[int(name)], sides[int(name)]), workers)
    free, ends, order, now, most = [0.0] * workers, dict[str, float](), list[str](), 0.0, 0
    pending: set[str] = set()
    for due in names:
        for name in queue.ahead(due, len(pending)):
            pending.add(name)
            order.append(name)
            # A pool hands the next in line to the worker that is free first.
            place = min(range(workers), key=free.__getitem__)
            free[place] = max(free[place], now) + sides[int(name)] ** 2
            ends[name] = free[place]
            most = max(most, len(pending))
        now = max(now, ends[due])
        pending.remove(due)
    return max([now, *ends.values()]), most, order


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 5))
def test_every_image_once_and_never_too_many(sides: list[int], workers: int) -> None:
    time, most, order = simulate(sides, workers)
    assert sorted(order, key=int) == [str(index) for index in range(len(sides))]
    assert most <= AHEAD * workers + 1
    assert time >= sum(side**2 for side in sides) / workers - 1e-9
    if len(sides) <= AHEAD * workers:
        # Graham 1969: the longest first takes at most 4/3 of the best, which no schedule can beat by this.
        best = max(sum(s**2 for s in sides) / workers, max((s**2 for s in sides), default=0))
        ordered = sorted((s**2 for s in sides), reverse=True)
        if len(ordered) > workers:
            best = max(best, ordered[workers - 1] + ordered[workers])
        assert time <= best * (4 / 3 - 1 / (3 * workers)) + 1e-9 or time <= best * 4 / 3 + 1e-9


def test_set5_keeps_two_workers_busy() -> None:
    """Five unequal images, the first as large as the rest: with a short look ahead one worker had to wait."""
    sides = [128, 72, 64, 70, 70]
    work = sum(side**2 for side in sides)
    time, _, _ = simulate(sides, 2)
    assert work / time / 2 > 0.9


def test_a_long_set_is_begun_in_its_order_until_the_last() -> None:
    _, _, order = simulate([10] * 30 + [5, 20], 2)
    assert order[:20] == [str(index) for index in range(20)]
    assert order.index("31") < order.index("30")


def test_large_images_are_not_hoarded() -> None:
    side = int((HELD_BYTES / SR_BYTES / 2) ** 0.5) + 1  # not even two fit
    _, most, _ = simulate([side] * 12, 3)
    assert most <= 5
