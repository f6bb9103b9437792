"""An attack takes the passes through the network that it states."""

from __future__ import annotations

import pytest
import torch.nn.functional as F
from every_attack import (
    ALL,
    MAKERS,
    batch,
    needs_gradient,
)
from torch import Tensor, nn

from srbench.attacks import (
    APGD,
    FGSM,
    Ensemble,
    RandomNoise,
    SRAttack,
    StructuredPGD,
    UniversalPerturbation,
)
from srbench.attacks.passes import AttackPasses


class Counter(nn.Module):
    """Nearest-neighbour upscaling that counts images, apart by whether a gradient is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = {True: 0, False: 0}

    def forward(self, x: Tensor) -> Tensor:
        self.counted[x.requires_grad] += len(x)
        return F.interpolate(x, scale_factor=4, mode="nearest")

    def passes(self) -> AttackPasses:
        return AttackPasses(forwards=self.counted[False], gradients=self.counted[True])


@ALL
@pytest.mark.parametrize("samples", [1, 3])
def test_an_attack_takes_the_passes_it_states(name: str, samples: int) -> None:
    model = Counter()
    if name == "Ensemble":  # which takes this for its parts, whatever they say of themselves
        parts = [RandomNoise(model, restarts=2), FGSM(model), APGD(model, steps=3, samples=2)]
        attack: SRAttack = Ensemble(
            model, attacks=[Ensemble(model, attacks=parts), StructuredPGD(model)], samples=samples
        )
    else:
        attack = MAKERS[name](model, samples=samples)
    model.counted = {True: 0, False: 0}
    attack(*batch(1))
    assert model.passes() == attack.passes()
    assert needs_gradient(name) == (attack.passes().gradients > 0) or name == "UniversalPerturbation"


def test_without_hr_there_is_one_pass_more_for_the_target() -> None:
    model = Counter()
    attack = StructuredPGD(model, steps=3)
    attack(batch(1)[0])
    assert model.passes() == attack.passes() + AttackPasses(forwards=1)
    model = Counter()
    RandomNoise(model)(batch(1)[0])
    assert model.passes() == AttackPasses()


def test_fitting_takes_a_gradient_of_each_image_in_each_step() -> None:
    model = Counter()
    UniversalPerturbation(model, steps=4).fit([batch(2), batch(1)])
    assert model.passes() == AttackPasses(gradients=12)
