"""Models that draw random numbers: found out, seeded by what is measured, said in record and table."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import srbench
from srbench.boards.csv_records import from_frame, read_csv
from srbench.boards.frame import frame
from srbench.errors import BadInput
from srbench.run.chance import chance, seeded
from srbench.zoo.from_python import from_python


class Noisy(nn.Module):
    """Bicubic plus noise of 13 levels, from torch, NumPy, Python, or a generator of its own."""

    def __init__(self, source: str = "torch", std: float = 0.05) -> None:
        super().__init__()
        self.source, self.std = source, std
        self.own = torch.Generator()

    def forward(self, lr: Tensor) -> Tensor:
        sr = nn.functional.interpolate(lr, scale_factor=4, mode="bicubic")
        if self.source == "numpy":
            noise = torch.from_numpy(np.random.standard_normal(sr.shape)).to(sr)
        elif self.source == "python":
            noise = torch.full_like(sr, random.gauss(0, 1))
        elif self.source == "own":
            noise = torch.randn(sr.shape, generator=self.own)
        else:
            noise = torch.randn_like(sr)
        return sr + self.std * noise


def loaded(network: nn.Module) -> srbench.zoo.SRModel:
    ((ref, _),) = from_python({"m": network}).values()
    return ref.load("cpu")


def measured(network: nn.Module, store: Path | None = None, **options: object) -> pd.DataFrame:
    return srbench.evaluate(
        {"m": network},
        datasets=["ntire-mini"],
        metrics=["psnr"],
        **{"limit": 3, "store": store} | options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [("torch", "seeded"), ("numpy", "seeded"), ("python", "seeded"), ("own", "unseeded")],
)
def test_a_model_that_draws_random_numbers_is_found_out(source: str, found: str) -> None:
    assert chance(loaded(Noisy(source)), "cpu") == found


def test_a_model_that_draws_none_is_left_alone() -> None:
    assert chance(loaded(Noisy(std=0.0)), "cpu") == ""
    assert chance(srbench.zoo.resolve(["rsr-mini"])[0].load(), "cpu") == ""


def test_the_look_at_a_model_leaves_all_random_numbers_as_they_were() -> None:
    model = loaded(Noisy())
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    wanted = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    chance(model, "cpu")
    with seeded("anything"):
        torch.rand(9), np.random.rand(9), random.random()
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == wanted


@pytest.mark.parametrize("source", ["torch", "numpy", "python"])
def test_the_same_command_gives_the_same_numbers(source: str) -> None:
    """Whatever was drawn before, in whatever order and with however many workers images are measured."""
    first = measured(Noisy(source), workers=1)
    torch.rand(7), np.random.rand(7), random.random()
    again = measured(Noisy(source), workers=3)
    assert first.psnr.tolist() == again.psnr.tolist()
    alone = measured(Noisy(source), limit=1)
    assert alone.psnr.tolist() == first.psnr.tolist()[:1]
    assert set(first.stochastic) == {"seeded"}


def test_attacks_on_it_are_repeatable_too() -> None:
    options = {"attacks": ["none", "random", "rsr"], "limit": 1}
    first, again = (measured(Noisy(), **options) for _ in range(2))
    assert first.psnr.tolist() == again.psnr.tolist()
    assert len(set(first.psnr)) == 3


def test_samples_give_mean_and_standard_deviation() -> None:
    """Each sample's PSNR is that of the seed it has, so that four are the mean of those four."""
    one, four = measured(Noisy()), measured(Noisy(), samples=4)
    assert set(four.samples) == {4} and four.spread_psnr.min() > 0
    assert "samples" not in one.columns and "spread_psnr" not in one.columns
    ((ref, _),) = from_python({"m": Noisy()}).values()
    data = srbench.datasets.resolve(["ntire-mini"])[0][0]
    image = data.load(data.ids[0])
    lr = torch.from_numpy(image.lr.copy()).permute(2, 0, 1)[None] / 255
    hr = torch.from_numpy(image.hr.copy()).permute(2, 0, 1)[None] / 255
    key = ("m", ref.weights_sha256, data.content_hash, "fp32", "None", "None", image.id)
    values = []
    for sample in range(4):
        with seeded(*key, str(sample)):
            sr = (ref.load("cpu")(lr).clamp(0, 1) * 255).round() / 255
        error = (sr - hr)[..., 4:-4, 4:-4].double().square().mean().item()
        values.append(-10 * np.log10(error))
    assert one.psnr[0] == pytest.approx(values[0], abs=1e-3)
    assert four.psnr[0] == pytest.approx(np.mean(values), abs=1e-3)
    assert four.spread_psnr[0] == pytest.approx(np.std(values, ddof=1), abs=1e-3)


def test_other_samples_are_measured_anew_and_a_fixed_model_is_not(tmp_path: Path) -> None:
    assert set(measured(Noisy(), tmp_path, samples=2).samples) == {2}
    created = measured(Noisy(), tmp_path, samples=2).created
    assert measured(Noisy(), tmp_path, samples=2).created.equals(created)
    assert set(measured(Noisy(), tmp_path, samples=3).samples) == {3}
    fixed = measured(Noisy(std=0.0), tmp_path / "fixed", samples=5)
    assert "samples" not in fixed.columns and "stochastic" not in fixed.columns


def test_the_table_says_it() -> None:
    flags = srbench.leaderboard(measured(Noisy(), samples=2)).tables[0].flags
    assert any("m draws random numbers; 2 outputs an image, whose PSNR has a standard" in f for f in flags)
    flags = srbench.leaderboard(measured(Noisy("own"))).tables[0].flags
    assert any("they follow no seed, so that the same command gives other numbers" in f for f in flags)


def test_it_survives_a_csv_file(tmp_path: Path) -> None:
    """Beside records that have none of it, as those of earlier versions and of other models are."""
    table = pd.concat([measured(Noisy(), samples=2), measured(Noisy(std=0.0))], ignore_index=True)
    records = from_frame(table)
    assert [r.samples for r in records] == [2, 2, 2, 1, 1, 1]
    assert [r.stochastic for r in records] == ["seeded"] * 3 + [""] * 3
    assert records[0].spread["psnr"] > 0 and records[0].threads == 1 and records[0].channels_last is False
    frame(records).to_csv(tmp_path / "records.csv", index=False)
    assert read_csv(tmp_path / "records.csv") == records


@pytest.mark.parametrize("samples", [0, -1, 2.5, True, "3"])
def test_samples_that_cannot_be_are_refused(samples: object) -> None:
    with pytest.raises(BadInput, match=r"samples .*: give a whole number of outputs per image"):
        measured(Noisy(), samples=samples)
