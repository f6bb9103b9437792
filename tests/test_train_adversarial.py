"""Structured PGD in training is that of evaluation, to the bit and at the cost it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from degradation_cases import Upscaler, batch, distance, made, small_context
from torch import Tensor

from srbench.attacks import RandomNoise, StructuredPGD
from srbench.attacks.objectives import Custom
from srbench.errors import BadInput, Unavailable
from srbench.train.data.resize import bicubic_down
from srbench.train.degradations import Context


@pytest.fixture
def context() -> Context:
    return small_context()


def test_adversarial_is_structured_pgd_to_the_bit(context: Context) -> None:
    whole = batch()
    lr = made(context, kind="adversarial")(whole)
    score = Custom(lambda sr, hr: 0.01 * (sr - hr).abs().flatten(1).mean(1) + distance(hr)(sr))
    attack = StructuredPGD(
        context.generator, eps=14 / 255, alpha=1 / 255, steps=2, structure=1.5, objective=score, seed=7
    )
    clean = bicubic_down(whole.hr, quantize=True)
    assert torch.equal(lr, attack(clean, whole.hr, whole.ids))
    assert (lr - clean).abs().max() <= 14 / 255 + 1e-6
    assert (lr - clean).abs().mean() > 5 / 255


def test_options_reach_the_attack(context: Context) -> None:
    whole = batch()
    table = {"kind": "adversarial", "eps": 8, "alpha": "2/255", "steps": 3, "structure": 2, "loss": "l1"}
    attack = StructuredPGD(
        context.generator, eps=8 / 255, alpha=2 / 255, steps=3, structure=2, objective="l1", seed=7
    )
    wanted = attack(bicubic_down(whole.hr), whole.hr, whole.ids)
    assert torch.equal(made(context, **table, quantize=False)(whole), wanted)
    assert torch.equal(made(context, **table, quantize=False)(replace(whole, score=None)), wanted)


def test_no_steps_is_structured_random_noise_without_running_the_generator(context: Context) -> None:
    whole = replace(batch(), score=None)
    generator = Upscaler()
    lr = made(replace(context, generator=generator), kind="adversarial", steps=0)(whole)
    wanted = RandomNoise(generator, eps=14 / 255, structure=1.5, seed=7)
    assert torch.equal(lr, wanted(bicubic_down(whole.hr, quantize=True), None, whole.ids))
    assert generator.calls == 0


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_attack_costs_one_pass_and_one_score_a_step(steps: int, context: Context) -> None:
    generator, scored = Upscaler(), []
    whole = batch()

    def score(sr: Tensor) -> Tensor:
        scored.append(sr.requires_grad)
        return distance(whole.hr)(sr)

    made(replace(context, generator=generator), kind="adversarial", steps=steps)(replace(whole, score=score))
    assert generator.calls == steps
    assert scored == [True] * steps


def test_percep_without_a_perceptual_loss_is_refused(context: Context) -> None:
    degradation = made(context, kind="adversarial")
    with pytest.raises(BadInput, match="percep"):
        degradation(replace(batch(), score=None))


def test_a_term_that_is_not_installed_is_missed_when_built(context: Context) -> None:
    with pytest.raises(Unavailable, match="vgg19"):
        made(context, kind="adversarial", loss="l1+vgg19")


def test_percep_is_the_loss_of_training_and_not_vgg19(context: Context) -> None:
    degradation = made(context, kind="adversarial", loss=" Percep + 0.010*l1 ")
    assert degradation.describe()["loss"] == "0.01*l1+percep"
    degradation(batch())


def test_bf16_attack_stays_in_the_ball(context: Context) -> None:
    whole = batch()
    lr = made(context, kind="adversarial", precision="bf16")(whole)
    clean = bicubic_down(whole.hr, quantize=True)
    assert lr.dtype == torch.float32 and (lr - clean).abs().max() <= 14 / 255 + 1e-6
    # Most signs agree with those of fp32; the noise is the same.
    assert (lr == made(context, kind="adversarial")(whole)).float().mean() > 0.8
