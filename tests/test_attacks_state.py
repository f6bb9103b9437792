"""Attacks leave model and random state as they were, and work in any mode of autograd."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from every_attack import (
    ALL,
    MAKERS,
    Net,
    batch,
)
from torch import Tensor, nn

from srbench.attacks import (
    StructuredPGD,
)


def state(model: nn.Module) -> list[Any]:
    modes = [module.training for module in model.modules()]
    grads = [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    return [modes, grads, {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()]


def same(first: list[Any], second: list[Any]) -> bool:
    return str(first[0]) == str(second[0]) and all(
        torch.equal(a, b) if isinstance(a, Tensor) else a == b
        for a, b in zip(_flat(first), _flat(second), strict=True)
    )


def _flat(values: list[Any]) -> list[Any]:
    _, grads, tensors, rng = values
    return [x for pair in grads for x in pair] + list(tensors.values()) + [rng]


@ALL
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_model_and_random_state_are_left_as_found(name: str, training: bool, fails: bool) -> None:
    model = Net().train(training)
    model.norm.train(not training)  # a mixed state, which model.train() would not bring back
    model.b.weight.requires_grad_(False)
    model.a.weight.grad = torch.full_like(model.a.weight, 3.0)
    lr, hr = batch()
    attack = MAKERS[name](model)
    before = state(model)
    calls = 0

    def stop(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal calls
        calls += 1
        if fails and calls == 2:
            raise KeyError("stop")

    handle = model.register_forward_hook(stop)
    try:
        attack(lr, hr)
        assert not fails or calls < 2
    except KeyError:
        assert fails
    handle.remove()
    assert same(before, state(model))
    assert torch.is_grad_enabled()


def test_the_model_runs_frozen_in_its_own_mode_and_without_graphs_left() -> None:
    model = Net().train()
    seen: list[tuple[bool, bool]] = []
    model.register_forward_hook(
        lambda m, i, o: seen.append((m.training, any(p.requires_grad for p in m.parameters())))
    )
    adversarial = StructuredPGD(model, steps=3)(*batch())
    assert seen == [(True, False)] * 3
    assert not adversarial.requires_grad and all(p.requires_grad for p in model.parameters())


@ALL
def test_works_inside_inference_mode_and_no_grad(name: str) -> None:
    attack = MAKERS[name](Net().eval())
    wanted = attack(*batch())
    with torch.inference_mode():
        torch.testing.assert_close(attack(*batch()), wanted)
    with torch.no_grad():
        torch.testing.assert_close(attack(*batch()), wanted)
