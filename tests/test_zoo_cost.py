"""What a network costs, against closed forms and the cards that state it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from srbench import evaluation, zoo
from srbench.boards.csv_records import read_csv
from srbench.boards.frame import frame
from srbench.zoo.cost import MIB, SIDE, cost
from srbench.zoo.memory import needed

PIXELS = SIDE**2


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(7))

    def forward(self, lr: Tensor) -> Tensor:
        raise ValueError("always")


class Looking(nn.Module):
    """Chooses by a value, which a graph without values cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 48, 1, bias=False)

    def forward(self, lr: Tensor) -> Tensor:
        assert float(lr.sum()) == 0
        return nn.functional.pixel_shuffle(self.convolution(lr), 4)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.integers(1, 24), st.sampled_from([1, 3, 5])), min_size=1, max_size=5), st.booleans()
)
def test_a_chain_of_convolutions_has_a_closed_form(layers: list[tuple[int, int]], bias: bool) -> None:
    widths = [3, *(width for width, _ in layers), 48]
    kernels = [*(kernel for _, kernel in layers), 3]
    chain = [
        nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=bias)
        for (inside, outside), kernel in zip(pairwise(widths), kernels, strict=True)
    ]
    costs = cost(nn.Sequential(*chain, nn.PixelShuffle(4)))
    multiplied = sum(a * b * k**2 for (a, b), k in zip(pairwise(widths), kernels, strict=True))
    weights = multiplied + bias * sum(widths[1:])
    assert costs["parameters"] == weights
    assert costs["macs_per_lr_pixel"] == multiplied
    # LR lives throughout; beside it, what a layer reads and writes. The shuffle reads and writes 48.
    beside = [widths[1], *(a + b for a, b in pairwise(widths[1:])), 48 + 48]
    peak = 4 * (weights + PIXELS * (3 + max(beside)))
    assert costs["peak_mib"] == pytest.approx(peak / MIB, abs=0.006)


def test_the_published_generator() -> None:
    """RRDBNet with 64 features and 23 blocks, as Wang et al. 2018 describe it, layer by layer."""
    dense = sum((64 + 32 * i) * 32 for i in range(4)) + (64 + 32 * 4) * 64
    at_lr = 3 * 64 + 23 * 3 * dense + 64 * 64
    above = 4 * 64 * 64 + 16 * (64 * 64 + 64 * 64 + 64 * 3)
    assert zoo.card("rsr").architecture["macs_per_lr_pixel"] == 9 * (at_lr + above)


@pytest.mark.parametrize("name", ["bicubic", "rsr-mini", "realesrgan-general"])
def test_a_card_states_what_is_counted(name: str, request: pytest.FixtureRequest) -> None:
    if not zoo.card(name).packaged and name != "bicubic":
        request.getfixturevalue("shared_weights")
    (ref,) = zoo.resolve([name])
    assert cost(ref.load()).items() <= ref.card.architecture.items()


def test_cards_of_one_architecture_state_one_cost() -> None:
    stated: dict[tuple[object, ...], set[tuple[object, ...]]] = {}
    for card in map(zoo.card, zoo.names()):
        facts = card.architecture
        sizes = ("num_feat", "num_block", "num_conv", "embed_dim", "depth")
        shape = (facts["family"], *(facts.get(key) for key in sizes))
        numbers = tuple(facts.get(key) for key in ("parameters", "macs_per_lr_pixel", "peak_mib"))
        stated.setdefault(shape, set()).add(numbers)
    assert len(stated) > 4
    assert all(len(numbers) == 1 for numbers in stated.values())


def test_what_cannot_be_counted_is_absent() -> None:
    assert cost(Failing()) == {"parameters": 7}
    looking = cost(Looking())
    assert looking["macs_per_lr_pixel"] == 3 * 48
    assert looking["peak_mib"] == pytest.approx(4 * (144 + PIXELS * 99) / MIB, abs=0.006)
    enlarging = cost(nn.Upsample(scale_factor=4))
    assert enlarging["parameters"] == 0
    assert "macs_per_lr_pixel" not in enlarging


def test_counting_leaves_the_network_alone() -> None:
    (ref,) = zoo.resolve(["rsr-mini"])
    model = ref.load()
    lr = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    before = model(lr)
    cost(model)
    assert torch.equal(model(lr), before)
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_records_say_it_and_tables_give_it_back(tmp_path: Path) -> None:
    request = evaluation.EvaluationRequest(
        models=("rsr-mini", "bicubic"),
        datasets=("clean-mini",),
        metrics=("psnr",),
        limit=1,
        store=tmp_path / "store",
    )
    records = evaluation.run(evaluation.prepare(request)).records
    by_model = {record.model: record.cost for record in records}
    assert by_model["rsr-mini"] == {"parameters": 1284355, "macs_per_lr_pixel": 1599840, "peak_mib": 20.99}
    assert set(by_model["bicubic"]) == {"parameters", "peak_mib"}
    frame(records).to_csv(tmp_path / "records.csv", index=False)
    assert [r.cost for r in read_csv(tmp_path / "records.csv")] == [r.cost for r in records]


class Keeps(nn.Module):
    """Keeps a tensor from its first forward pass, as some transformers keep their masks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 48, 3, padding=1)
        self.kept: torch.Tensor | None = None

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        if self.kept is None:
            self.kept = self.conv.weight.mean()
        return nn.functional.pixel_shuffle(self.conv(lr), 4) + self.kept


def test_counting_leaves_nothing_behind_in_the_network() -> None:
    network = Keeps()
    assert cost(network)["macs_per_lr_pixel"] == 3 * 48 * 9
    assert needed(network, 20, 30) > 0 and needed(network, 20, 30, gradient=True) > 0
    assert network.kept is None
    assert network(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)
    assert network.conv.weight.device.type == "cpu"
