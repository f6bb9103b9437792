"""What holds of every degradation: the same LR in every batch, the generator untouched; and mixtures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from degradation_cases import FS, P, Upscaler, batch, made, noisy, one, small_context, two_sources

from srbench.datasets import degrade
from srbench.errors import BadInput
from srbench.train import degradations
from srbench.train.data.resize import bicubic_down
from srbench.train.degradations import Context
from srbench.train.degradations.frequency_separation import (
    FrequencySeparation,
)
from srbench.train.degradations.mixture import Mixture


@pytest.fixture
def context() -> Context:
    return small_context()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_sources(tmp_path)


def tables(folder: Path) -> list[dict[str, Any]]:
    noise = {"kind": "noise-injection", "source": str(folder), "patch": 12, "stride": 4}
    return [
        {"kind": "clean"},
        {"kind": "clean", "quantize": False},
        {"kind": "adversarial"},
        {"kind": "adversarial", "steps": 0},
        noise,
        {**FS, "source": str(folder)},
        {"kind": "mixture", "parts": [{"kind": "clean"}, {"kind": "adversarial"}, {**noise, "weight": 2}]},
        {"kind": "blind"},
        {"kind": "blind-bsrgan"},
        {"kind": "adversarial-after", "first": {"kind": "blind"}},
        {"kind": "gaussian", "sigmas": ["20"], "samples": 1},
    ]


EACH = range(11)


@pytest.mark.parametrize("number", EACH)
def test_a_batch_is_its_samples_one_by_one_and_the_seed_decides(
    number: int, folder: Path, context: Context
) -> None:
    table = tables(folder)[number]
    assert {t["kind"] for t in tables(folder)} == set(degradations.KINDS)
    degradation, whole = made(context, **table), batch(6)
    lr = degradation(whole)
    assert lr.shape == (6, 3, P // 4, P // 4)
    assert lr.dtype == torch.float32 and not lr.requires_grad
    assert table["kind"] == "gaussian" or (lr.min() >= 0 and lr.max() <= 1)
    alone = torch.cat([degradation(one(whole, i)) for i in range(6)])
    assert torch.equal(lr, alone)
    assert torch.equal(lr, made(context, **table)(whole))
    other = made(replace(context, seed=8), **table)(whole)
    assert torch.equal(lr, other) == (table["kind"] == "clean")


@pytest.mark.parametrize("number", EACH)
def test_global_random_state_and_generator_are_untouched(number: int, folder: Path, context: Context) -> None:
    generator = Upscaler().train()
    generator.first.bias.requires_grad_(False)  # type: ignore[union-attr]
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    asked = [parameter.requires_grad for parameter in generator.parameters()]
    torch.manual_seed(1)
    np.random.seed(1)
    state, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    made(replace(context, generator=generator), **tables(folder)[number])(batch())
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == legacy).all()  # type: ignore[index]
    assert generator.training
    assert [parameter.requires_grad for parameter in generator.parameters()] == asked
    assert all(parameter.grad is None for parameter in generator.parameters())
    for key, value in generator.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize("number", EACH)
def test_settings_survive_a_round_trip_and_are_told(number: int, folder: Path, context: Context) -> None:
    settings = degradations.parse(tables(folder)[number])
    dumped = settings.model_dump(mode="json")
    assert degradations.parse(dumped) == settings
    facts = made(context, **dumped).describe()
    assert set(dumped) <= set(facts)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({}, "needs a kind"),
        ({"kind": "clen"}, "'clen'.*adversarial, adversarial-after, .*clean"),
        ({"kind": "clean", "quantise": True}, "'quantise'.*did you mean 'quantize'"),
        ({"kind": "adversarial", "eps": 0.05}, "'eps'.*ambiguous"),
        ({"kind": "adversarial", "steps": -1}, "'steps'"),
        ({"kind": "adversarial", "structure": 0.5}, "'structure'"),
        ({"kind": "adversarial", "loss": "l1+fsim"}, "'loss'.*'fsim'.*percep, l1"),
        ({"kind": "adversarial", "loss": "0*l1"}, "'loss'"),
        ({"kind": "noise-injection"}, "'source'"),
        ({"kind": "frequency-separation", "source": "x", "low_pass": 4}, "'low_pass': 4 is even"),
        ({"kind": "mixture", "parts": []}, "'parts'"),
        ({"kind": "mixture", "parts": [{"kind": "clean", "weight": 0}]}, "'parts'.*above 0"),
        ({"kind": "mixture", "parts": [{"kind": "clean", "x": 0}]}, "'parts'.*'x'"),
    ],
)
def test_wrong_settings_are_named(table: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named) as error:
        degradations.parse(table)
    assert "\n" not in str(error.value)


def test_clean_is_the_published_lr_to_the_bit(context: Context) -> None:
    whole = batch()
    pixels = (whole.hr * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    wanted = np.stack([degrade.bicubic(image) for image in pixels])
    lr = made(context, kind="clean")(whole)
    assert torch.equal((lr * 255).round().to(torch.uint8).permute(0, 2, 3, 1), torch.from_numpy(wanted))
    assert torch.equal(lr, torch.from_numpy(wanted).permute(0, 3, 1, 2).float() / 255)
    free = made(context, kind="clean", quantize=False)(whole)
    assert torch.equal(free, bicubic_down(whole.hr))
    assert not torch.equal(free, lr)


def test_a_mixture_keeps_its_proportions_and_its_samples_places(context: Context) -> None:
    parts = [{"kind": "clean"}, {"kind": "adversarial", "steps": 0, "weight": 3}]
    mixture = made(context, kind="mixture", parts=parts)
    assert isinstance(mixture, Mixture)
    owners = [mixture.part_of(str(i)) for i in range(2000)]
    assert set(owners) == {0, 1}
    # Four standard deviations of a binomial of 2000 draws with p = 3/4.
    assert np.mean(owners) == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 2000) ** 0.5)
    whole = batch(12)
    assert len(set(owners[:12])) == 2
    each = [made(context, **{k: v for k, v in part.items() if k != "weight"})(whole) for part in parts]
    wanted = torch.stack([each[owner][i] for i, owner in enumerate(owners[:12])])
    assert torch.equal(mixture(whole), wanted)


def test_a_score_of_some_samples_is_that_of_the_whole_batch() -> None:
    whole = batch(5)
    assert whole.score is not None
    part = whole.select([3, 1])
    assert part.ids == ("3", "1") and part.score is not None
    sr = noisy(5, 40)
    some = sr[[3, 1]].requires_grad_()
    scores = part.score(some)
    assert torch.equal(scores, whole.score(sr)[[3, 1]])
    (gradient,) = torch.autograd.grad(scores.sum(), some)
    alone = sr.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(whole.score(alone).sum(), alone)
    assert torch.equal(gradient, wanted[[3, 1]])
    assert replace(whole, score=None).select([0]).score is None


def test_parts_of_a_mixture_keep_what_they_train_apart(
    tmp_path: Path, folder: Path, context: Context
) -> None:
    parts = [FS | {"source": str(folder)}, FS | {"source": "mini:ntire", "source_images": 2}]
    mixture = made(replace(context, folder=tmp_path), kind="mixture", parts=parts)
    hashes = [part["dsgan_hash"] for part in mixture.describe()["parts"]]
    assert hashes[0] != hashes[1]
    for name in ("part-1", "part-2"):
        assert (tmp_path / name / "dsgan.safetensors").is_file()
    assert isinstance(made(context, **parts[0]), FrequencySeparation)
