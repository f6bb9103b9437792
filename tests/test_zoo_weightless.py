"""A network without its weights has every shape, name and flag of the network, and shares nothing with it."""

from __future__ import annotations

import torch
from torch import nn

from srbench.zoo.weightless import without_weights


class Tied(nn.Module):
    """A frozen layer, one used under two names, a buffer, and a tensor kept from one pass to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Conv2d(3, 4, 3).requires_grad_(False)
        self.first = nn.Linear(4, 4, bias=False)
        self.second = self.first
        self.norm = nn.BatchNorm2d(4)
        self.kept: list[torch.Tensor] = []


def test_a_weightless_copy_is_the_network_but_for_its_content() -> None:
    net = Tied().eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    empty = without_weights(net)
    assert isinstance(empty, Tied) and not empty.training and empty.second is empty.first
    for ours, theirs in (
        (dict(empty.named_parameters()), dict(net.named_parameters())),
        (dict(empty.named_buffers()), dict(net.named_buffers())),
    ):
        assert list(ours) == list(theirs)
        for name, value in ours.items():
            assert value.is_meta and not theirs[name].is_meta
            assert (value.shape, value.dtype) == (theirs[name].shape, theirs[name].dtype)
            assert value.requires_grad == theirs[name].requires_grad
    assert not empty.frozen.weight.requires_grad and empty.first.weight.requires_grad
    empty.kept.append(torch.zeros(1))
    assert net.kept == []
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
