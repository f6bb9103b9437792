"""Attacks run a network in eval mode and leave it as they found it, whatever stands before it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from attacked_nets import Net, images
from torch import Tensor, nn

import srbench
from srbench.attacks import (
    StructuredPGD,
)
from srbench.attacks.model_state import networks, untouched
from srbench.errors import BadInput

BEHIND: dict[str, Callable[[nn.Module], Any]] = {
    "itself": lambda net: net,
    "bound method": lambda net: net.forward,
    "lambda": lambda net: lambda lr: net(lr) + 0,
    "partial": lambda net: functools.partial(lambda model, lr: model(lr), net),
    "partial of a bound method": lambda net: functools.partial(net.forward),
    "list": lambda net: functools.partial(lambda nets, lr: sum(each(lr) for each in nets), [net]),
    "object": lambda net: type("Calls", (), {"__call__": lambda self, lr: self.net(lr)})(),
}


def behind(name: str, net: nn.Module) -> Any:
    model = BEHIND[name](net)
    if name == "object":
        model.net = net
    return model


@pytest.mark.parametrize("name", BEHIND)
def test_a_model_in_train_mode_is_attacked_in_eval_mode_and_left_as_found(name: str) -> None:
    lr, hr = images()
    net = Net().train()
    net.a.eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    assert networks(behind(name, net)) == [net]
    with pytest.warns(UserWarning, match="Net was in train mode: it was attacked in eval mode"):
        made = srbench.attack(behind(name, net), lr, hr, objective="l1")
    assert [module.training for module in net.modules()] == [True, False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(made, srbench.attack(Net().eval(), lr, hr, objective="l1"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        singles = [
            srbench.attack(behind(name, net), lr[i : i + 1], hr[i : i + 1], objective="l1", ids=[str(i)])
            for i in range(2)
        ]
    assert torch.cat(singles).sub(made).abs().max() < 1e-3
    with pytest.raises(BadInput), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        srbench.attack(behind(name, net), lr, hr[:1], objective="l1")
    assert net.norm.training


def test_networks_of_torch_s_own_classes_are_found_behind_their_methods() -> None:
    net = nn.Sequential(nn.Dropout())

    class Holder:
        def __init__(self) -> None:
            self.net = net

        def run(self, lr: Tensor) -> Tensor:
            return self.net(lr)  # type: ignore[no-any-return]

    assert networks(Holder().run) == [net]
    assert networks(functools.partial(net.forward)) == networks(lambda lr: net.forward(lr) + 0) == [net]


def test_a_mode_that_changes_nothing_is_not_spoken_of() -> None:
    lr, hr = images()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        srbench.attack(nn.Upsample(scale_factor=4), lr, hr, objective="l1")


def test_classes_leave_running_statistics_behind_a_function() -> None:
    net = Net().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    StructuredPGD(lambda lr: net(lr) + 0)(*images())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_wrapper_in_train_mode_does_not_spoil_other_threads() -> None:
    """Its network is in eval mode: nothing changes, so nothing may be written back."""
    wrapper = nn.Sequential(Net())
    wrapper[0].eval()
    assert wrapper.training
    versions = [buffer._version for buffer in wrapper.buffers()]
    with untouched(wrapper):
        pass
    assert [buffer._version for buffer in wrapper.buffers()] == versions
    wrapper.requires_grad_(False)
    attack, (lr, hr) = StructuredPGD(wrapper, steps=3), images(1)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: attack(lr, hr), range(40)))
    assert all(torch.equal(each, made[0]) for each in made)
