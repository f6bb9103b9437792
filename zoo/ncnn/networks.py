"""Find architectures that spandrel knows in the wires of an ncnn network, and name their weights alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from srbench.errors import BadInput
from srbench.zoo.ncnn.wiring import Node, Operation, Wiring, read_wiring

_LEAKY = 0.2
_RESIDUAL = 0.2


class _OtherError(Exception):
    """Says where the wires are not those of the architecture."""


def read_ncnn(weights: Path, graph: Path) -> dict[str, Tensor]:
    """Return the state dict of a network in ncnn's form, in fp32, by the names spandrel knows.

    Args:
        weights: the ``.bin`` file.
        graph: the ``.param`` file.

    Returns:
        An RRDBNet (any features, growth and number of blocks) or an SRVGGNetCompact (any features and number
        of convolutions), ×4. A ReLU of the latter is written as the PReLU it equals.

    Raises:
        BadInput: what :func:`~srbench.zoo.ncnn.wiring.read_wiring` raises, or another network.
    """
    wiring = read_wiring(weights, graph)
    reasons = []
    for name, find in (("RRDBNet", _rrdbnet), ("SRVGGNetCompact", _compact)):
        wiring.forget()
        try:
            state = find(wiring)
            if left := wiring.unused():
                raise _OtherError(f"it has no {left.key[0]} as in {left.where.rpartition(': ')[2]}")
            return state
        except _OtherError as error:
            reasons.append(f"{name}: {error}")
    raise BadInput(f"{graph} is none of the networks that are served ({'; '.join(reasons)})")


def _rrdbnet(wiring: Wiring) -> dict[str, Tensor]:
    """Wang et al. 2018, as of Real-ESRGAN: features, blocks of three dense blocks, twice ×2, two layers."""
    state: dict[str, Tensor] = {}

    def convolution(name: str, taken: Node, channels: int | None = None, *, active: bool = False) -> Node:
        made = _named(wiring.convolution(taken, channels), name, state, ("weight", "bias"))
        if not active:
            return made
        activation = wiring.activation(made)
        if activation is None or not np.allclose(activation.weights[0], _LEAKY, rtol=0, atol=1e-6):
            raise _OtherError(f"no leaky ReLU of {_LEAKY} follows {name}")
        return activation.node

    def dense(name: str, taken: Node) -> Node:
        grown = [taken]
        for index in range(1, 5):
            joined = _is(wiring.concat(*grown), f"concat before {name}.conv{index}") if index > 1 else taken
            channels = grown[1].channels if index > 1 else None
            grown.append(convolution(f"{name}.conv{index}", joined, channels, active=True))
        joined = _is(wiring.concat(*grown), f"concat before {name}.conv5")
        last = convolution(f"{name}.conv5", joined, features.channels)
        return _is(wiring.sum((last, _RESIDUAL), (taken, 1.0)), f"sum after {name}")

    features = convolution("conv_first", wiring.input)
    trunk, blocks = features, 0
    # A further block begins with a convolution that an activation follows; the trunk's last has none.
    while _begins_block(wiring, trunk):
        name, inner = f"body.{blocks}", trunk
        for index in range(1, 4):
            inner = dense(f"{name}.rdb{index}", inner)
        trunk = _is(wiring.sum((inner, _RESIDUAL), (trunk, 1.0)), f"sum after {name}")
        blocks += 1
    if not blocks:
        raise _OtherError("no dense block follows conv_first")
    body = convolution("conv_body", trunk, features.channels)
    made = _is(wiring.sum((features, 1.0), (body, 1.0)), "sum after conv_body")
    for name in ("conv_up1", "conv_up2"):
        made = convolution(name, _is(wiring.enlarged(made, 2), f"×2 before {name}"), active=True)
    made = convolution("conv_last", convolution("conv_hr", made, active=True), 3)
    return _ends(wiring, made, state)


def _begins_block(wiring: Wiring, taken: Node) -> bool:
    found = wiring.convolution(taken)
    return found is not None and wiring.activation(found.node) is not None


def _compact(wiring: Wiring) -> dict[str, Tensor]:
    """Wang et al. 2021, SRVGGNetCompact: convolutions and activations, pixel shuffle, the input ×4 added."""
    state: dict[str, Tensor] = {}
    made, index = wiring.input, 0
    while True:
        made = _named(wiring.convolution(made), f"body.{index}", state, ("weight", "bias"))
        activation = wiring.activation(made)
        if activation is None:
            break
        made = _named(activation, f"body.{index + 1}", state, ("weight",))
        index += 2
    if index < 4:
        raise _OtherError("fewer than two convolutions with activations follow each other")
    shuffled = _is(wiring.shuffled(made, 4), "pixel shuffle by 4 after the last convolution")
    enlarged = _is(wiring.enlarged(wiring.input, 4), "×4 of the input")
    return _ends(wiring, _is(wiring.sum((shuffled, 1.0), (enlarged, 1.0)), "sum of the two"), state)


def _named(operation: Operation | None, name: str, state: dict[str, Tensor], parts: tuple[str, ...]) -> Node:
    if operation is None:
        raise _OtherError(f"nothing is {name}")
    for part, array in zip(parts, operation.weights, strict=True):
        state[f"{name}.{part}"] = torch.from_numpy(array.copy())
    return operation.node


def _is(node: Node | None, what: str) -> Node:
    if node is None:
        raise _OtherError(f"there is no {what}")
    return node


def _ends(wiring: Wiring, made: Node, state: dict[str, Tensor]) -> dict[str, Tensor]:
    if made != wiring.output or made.channels != 3:
        raise _OtherError("it goes on after its last layer, or does not end in RGB")
    return state
