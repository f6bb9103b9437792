"""The two halves of a DSGAN apart, and the parts of an image that they see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from degradation_tables import TABLES, batch, context, crops, made
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.train.degradations import Context, parse
from srbench.train.degradations.dsgan_training import DSGANTraining, decay
from srbench.train.degradations.frequency_separation import FrequencySeparationSettings, _plan
from srbench.train.degradations.source_domain import SourceDomain, open_domain
from srbench.train.frequency import high_pass, low_pass


def test_a_dsgan_that_starts_from_the_identity_keeps_the_image_and_is_kept(tmp_path: Path) -> None:
    untrained = TABLES["frequency"] | {"iterations": 1, "lr": 1e-12, "quantize": False}
    samples = batch(2)
    clean = made(TABLES["clean"])(samples)
    assert torch.allclose(made(untrained)(samples), clean, atol=0.51 / 255)
    lines: list[str] = []
    run = context(tmp_path)
    run = Context(run.generator, run.seed, tmp_path, crops, run.device, lines.append)
    first = made(TABLES["frequency"], run)
    count = len(lines)
    again = made(TABLES["frequency"], run)
    assert lines[count] == "DSGAN for mini:aim: already trained"
    assert not any("left" in line for line in lines[count:])
    assert torch.equal(first(samples), again(samples))
    other = made(TABLES["frequency"] | {"iterations": 3}, run)
    assert other.describe()["dsgan_hash"] != first.describe()["dsgan_hash"]


def dsgan(**changes: Any) -> tuple[DSGANTraining, SourceDomain]:
    """A DSGAN about to be trained, and the domain it learns from."""
    chosen = parse(TABLES["frequency"] | {"iterations": 60, "batch": 4, "lr": 2e-3} | changes)
    assert isinstance(chosen, FrequencySeparationSettings)
    domain = open_domain(chosen.source, context(), count=16)
    return DSGANTraining(_plan(chosen, ""), context(), domain), domain


# The two halves of the GAN apart: each converges, the whole takes thousands of iterations to.
def test_a_dsgans_discriminator_learns_its_domain() -> None:
    training, domain = dsgan(texture=0)  # nothing moves the generator from the identity
    training.run()
    clean, real = made(TABLES["clean"])(batch(32, first=1000)), domain.crops(range(1000, 1032), 16, seed=1)
    with torch.no_grad():
        judged = [training._judge(high_pass(lr, 5)).mean((1, 2, 3)) for lr in (clean, real)]
    in_order = (judged[1][None] > judged[0][:, None]).float().mean()
    assert in_order > 0.95


def test_a_dsgan_gains_the_texture_its_discriminator_asks_for_and_keeps_colours() -> None:
    class LikesGrain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(()))

        def forward(self, high: Tensor) -> Tensor:
            return 255 * (high - 0.5).abs().mean((1, 2, 3)) - 10 + 0 * self.bias

    training, _ = dsgan(texture=0.05)
    training._judge = LikesGrain()  # type: ignore[assignment]
    network, clean = training.run(), made(TABLES["clean"])(batch(8))
    with torch.no_grad():
        degraded = network(clean)
    grain_before, grain_after = ((high_pass(lr, 5) - 0.5).abs().mean() for lr in (clean, degraded))
    assert grain_after > 1.08 * grain_before
    assert (low_pass(degraded, 5) - low_pass(clean, 5)).abs().mean() < 3 / 255


@settings(max_examples=20, deadline=None)
@given(width=st.sampled_from([1, 3, 5, 9]), side=st.integers(9, 24), seed=st.integers(0, 99))
def test_low_and_high_pass_are_the_two_parts_of_an_image(width: int, side: int, seed: int) -> None:
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    low = low_pass(image, width)
    assert torch.allclose(low + 2 * (high_pass(image, width) - 0.5), image, atol=1e-6)
    assert torch.allclose(low_pass(image, width, border=False), F.avg_pool2d(image, width, 1), atol=1e-6)
    with pytest.raises(BadInput, match="odd"):
        low_pass(image, width + 1)


def test_the_learning_rate_falls_over_the_last_half() -> None:
    assert [decay(i, 8) for i in range(9)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]
