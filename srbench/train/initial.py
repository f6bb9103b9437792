"""Draw seeded initial weights tensor by tensor, so that no global random state is read or written."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from srbench.attacks.noise import generator


def initialised(make: Callable[[], nn.Module], seed: int, stream: str) -> nn.Module:
    """Return the network ``make`` makes, on the CPU in fp32, with weights drawn as torch does by default.

    Convolutions and linear layers: weights and biases uniform in ±1/sqrt(fan-in). BatchNorm: ones and zeros.

    Args:
        make: makes the network; it is called under the meta device, where no memory is filled.
        seed: with ``stream`` and a layer's name it decides the layer's numbers.
        stream: keeps the numbers of one network apart from another's.

    Raises:
        TypeError: a layer with weights of another kind.
    """
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            draw = generator(seed, name, stream)
            with torch.no_grad():
                layer.weight.uniform_(-bound, bound, generator=draw)
                if layer.bias is not None:
                    layer.bias.uniform_(-bound, bound, generator=draw)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
        elif [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]:
            raise TypeError(f"no initial weights are defined for {name}, a {type(layer).__name__}")
    return network
