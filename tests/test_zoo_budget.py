"""What building a network may allocate, to the byte and the piece: four times its weights and 1 GiB."""

from __future__ import annotations

import pytest
import torch

from srbench.zoo.budget import Budget, OverBudgetError

GIB = 1 << 30


@pytest.mark.parametrize(
    ("dtype", "each"),
    # Weights are counted in fp32 at least, since that is what they are loaded to.
    [(torch.float32, 4), (torch.float16, 4), (torch.uint8, 4), (torch.float64, 8)],
)
def test_bytes_are_four_times_the_weights_and_a_gibibyte(dtype: torch.dtype, each: int) -> None:
    state = {"a": torch.zeros(10, 100, dtype=dtype), "b": torch.zeros(24, dtype=dtype)}
    allowed = 4 * 1024 * each + GIB
    # Memory that is not written to is not taken.
    with Budget(state):
        torch.empty(allowed, dtype=torch.uint8)
    with pytest.raises(OverBudgetError), Budget(state):
        torch.empty(allowed + 1, dtype=torch.uint8)
    with Budget(state):
        torch.empty(allowed // 2, dtype=torch.uint8)
        torch.empty(allowed // 4 // 2, dtype=torch.float32)
        with pytest.raises(OverBudgetError):
            torch.empty(1, dtype=torch.uint8)


def test_pieces_are_eight_for_each_weight_and_four_thousand() -> None:
    state = {str(number): torch.zeros(1) for number in range(5)}
    with Budget(state):
        for _ in range(4_040):
            torch.empty(0)
        with pytest.raises(OverBudgetError):
            torch.empty(0)


def test_views_and_changes_in_place_are_nothing_new() -> None:
    start = torch.zeros(1000, 1000)
    with Budget({}):
        for _ in range(5_000):
            start.view(-1).add_(1)
    assert start[0, 0] == 5_000


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("body.10000.weight", True), ("body.10001.weight", False), ("b." + "9" * 5000, False)],
)
def test_names_count_to_ten_thousand(name: str, allowed: bool) -> None:
    state = {"first": torch.zeros(1), name: torch.zeros(1)}
    if allowed:
        Budget(state)
    else:
        with pytest.raises(OverBudgetError, match="counts further than any network"):
            Budget(state)
