"""Follow the blobs of a ``.param`` file: which operation takes what, whatever layers it was written in.

Layers that only pass something on (Split, Noop) vanish, an activation is an operation of its own whether or
not a Convolution has it inside, and a sum is one however its factors are written. A :class:`Wiring` then
answers "which convolution takes this?", and knows at the end what nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from srbench.errors import BadInput
from srbench.zoo.ncnn.files import Array, Layer, Numbers, read_param

Key = tuple[object, ...]
_LARGEST = 1 << 31


@dataclass(frozen=True)
class Node:
    """Stand for what an operation makes.

    Attributes:
        number: which operation, in order; 0 is the input.
        channels: of what it makes.
    """

    number: int
    channels: int


@dataclass
class Operation:
    """Hold what a network does at one place.

    Attributes:
        node: what it makes.
        key: the kind, what it takes, and everything else but weights.
        weights: of a convolution, weight (out, in, 3, 3) and bias (out,); of an activation, its slopes.
        where: what messages call it.
    """

    node: Node
    key: Key
    weights: tuple[Array, ...]
    where: str
    used: bool = False


@dataclass
class Wiring:
    """Hold the operations of a network by what they take.

    Attributes:
        path: the ``.param`` file.
        input, output: of the network.
    """

    path: Path
    input: Node
    output: Node
    operations: dict[Key, Operation]
    _convolutions: dict[object, list[Operation]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for key, operation in self.operations.items():
            if key[0] == "convolution":
                self._convolutions.setdefault(key[1], []).append(operation)

    def convolution(self, taken: Node, channels: int | None = None) -> Operation | None:
        """Return the convolution that takes a node (and gives so many channels).

        Returns:
            None if there is none, or more than one; for the other questions, too, None means no.
        """
        found = [o for o in self._convolutions.get(taken, []) if channels in (None, o.node.channels)]
        return self._use(found[0]) if len(found) == 1 else None

    def activation(self, taken: Node) -> Operation | None:
        """Return the activation that takes a node."""
        return self._use(self.operations.get(("activation", taken)))

    def concat(self, *taken: Node) -> Node | None:
        """Return what joins nodes in this order along the channels."""
        return self._node(("concat", *taken))

    def sum(self, *terms: tuple[Node, float]) -> Node | None:
        """Return the sum of nodes, each times its factor."""
        return self._node(_sum_key(terms))

    def enlarged(self, taken: Node, factor: int) -> Node | None:
        """Return a node with each pixel repeated."""
        return self._node(("nearest", taken, factor))

    def shuffled(self, taken: Node, factor: int) -> Node | None:
        """Return a node with its channels made pixels."""
        return self._node(("shuffle", taken, factor))

    def unused(self) -> Operation | None:
        """Return an operation that nobody asked for."""
        return next((operation for operation in self.operations.values() if not operation.used), None)

    def forget(self) -> None:
        """Begin anew: nobody has asked for anything."""
        for operation in self.operations.values():
            operation.used = False

    def _node(self, key: Key) -> Node | None:
        operation = self._use(self.operations.get(key))
        return operation.node if operation else None

    def _use(self, operation: Operation | None) -> Operation | None:
        if operation:
            operation.used = True
        return operation


def read_wiring(weights: Path, graph: Path) -> Wiring:
    """Read a network's two files and follow its blobs.

    Args:
        weights: the ``.bin`` file.
        graph: the ``.param`` file.

    Raises:
        BadInput: what :func:`~srbench.zoo.ncnn.files.read_param` raises; a layer or a parameter that is not
            served; channels that do not fit; a ``.bin`` of another length; not one input and one output.
    """
    layers = read_param(graph)
    if not layers or layers[0].kind != "Input" or sum(layer.kind == "Input" for layer in layers) != 1:
        raise BadInput(f"{graph} does not begin with its one Input")
    used = {blob for layer in layers for blob in layer.inputs}
    left = [blob for layer in layers for blob in layer.outputs if blob not in used]
    reader = _Reader(Numbers(weights))
    for layer in layers:
        reader.follow(layer)
    reader.numbers.end()
    if len(left) != 1 or reader.blobs[left[0]][1] != 1:
        raise BadInput(f"{graph} has {len(left)} outputs ({', '.join(left)[:80]}), not one")
    return Wiring(graph, reader.blobs[layers[0].outputs[0]][0], reader.blobs[left[0]][0], reader.operations)


class _Reader:
    """Goes through the layers in order; every blob is a node times a factor."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.blobs: dict[str, tuple[Node, float]] = {}
        self.operations: dict[Key, Operation] = {}
        self._kinds: dict[str, Callable[[Layer], tuple[Node, float]]] = {
            "Input": self._input,
            "Split": self._passed_on,
            "Noop": self._passed_on,
            "Convolution": self._convolution,
            "PReLU": self._prelu,
            "ReLU": self._relu,
            "Concat": self._concat,
            "Eltwise": self._eltwise,
            "BinaryOp": self._binary,
            "Interp": self._interp,
            "PixelShuffle": self._shuffle,
        }

    def follow(self, layer: Layer) -> None:
        if layer.kind not in self._kinds:
            raise BadInput(
                f"{layer.where}: layers of this type are not served, only {', '.join(self._kinds)}"
            )
        if not layer.outputs or (layer.kind != "Split" and len(layer.outputs) != 1):
            raise BadInput(f"{layer.where}: it makes {len(layer.outputs)} blobs")
        made = self._kinds[layer.kind](layer)
        for blob in layer.outputs:
            self.blobs[blob] = made

    def _input(self, layer: Layer) -> tuple[Node, float]:
        self._taken(layer, 0)
        return Node(0, 3), 1.0  # the first convolution says whether that is so

    def _passed_on(self, layer: Layer) -> tuple[Node, float]:
        self._taken(layer, 1)
        return self.blobs[layer.inputs[0]]

    def _convolution(self, layer: Layer) -> tuple[Node, float]:
        [taken] = self._whole(layer, 1)
        layer.only(0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19)
        pad = layer.whole(4, 0)
        stated = [layer.whole(1, 0), layer.whole(2, 1), layer.whole(3, 1), pad, layer.whole(5, 0)]
        both = [layer.whole(11, 3), layer.whole(12, 1), layer.whole(13, 1)]
        both += [layer.whole(key, pad) for key in (14, 15, 16)]
        none = [layer.whole(key, 0) for key in (8, 18, 19)]
        if stated != [3, 1, 1, 1, 1] or both != [3, 1, 1, 1, 1, 1] or any(none):
            raise BadInput(f"{layer.where}: it is not 3 x 3 with a bias, stride, dilation and padding 1")
        channels, count = layer.whole(0, 0), layer.whole(6, 0)
        if not 0 < channels < _LARGEST or count != channels * taken.channels * 9:
            shape = f"{channels:,} x {taken.channels:,} x 3 x 3"
            raise BadInput(f"{layer.where}: its {count:,} weights are not {shape}, as its blobs want")
        weight = self.numbers.tagged(count, layer.name).reshape(channels, taken.channels, 3, 3)
        bias = self.numbers.plain(channels, layer.name)
        node = self._add(layer, ("convolution", taken, channels), channels, (weight, bias))
        kind, values = layer.whole(9, 0), layer.values.get(10, ())
        if kind not in (0, 1, 2) or len(values) != (kind == 2):
            raise BadInput(
                f"{layer.where}: its activation (9={kind}) is not served, only ReLU and leaky ReLU"
            )
        return (self._activation(layer, node, values[0] if values else 0.0) if kind else node), 1.0

    def _activation(self, layer: Layer, taken: Node, slope: float) -> Node:
        # Not an array of so many: channels are what a file claims.
        slopes = np.broadcast_to(np.float32(slope), (taken.channels,))
        return self._add(layer, ("activation", taken), taken.channels, (slopes,))

    def _prelu(self, layer: Layer) -> tuple[Node, float]:
        [taken] = self._whole(layer, 1)
        layer.only(0)
        if layer.whole(0, 0) != taken.channels:
            raise BadInput(f"{layer.where}: it has not one slope for each of {taken.channels} channels")
        slopes = self.numbers.plain(taken.channels, layer.name)
        return self._add(layer, ("activation", taken), taken.channels, (slopes,)), 1.0

    def _relu(self, layer: Layer) -> tuple[Node, float]:
        [taken] = self._whole(layer, 1)
        layer.only(0)
        [slope] = layer.values.get(0, (0.0,))[:1] or (0.0,)
        return self._activation(layer, taken, slope), 1.0

    def _concat(self, layer: Layer) -> tuple[Node, float]:
        taken = self._whole(layer, len(layer.inputs))
        layer.only(0)
        if layer.whole(0, 0):
            raise BadInput(f"{layer.where}: it does not join channels")
        return self._add(layer, ("concat", *taken), sum(node.channels for node in taken)), 1.0

    def _eltwise(self, layer: Layer) -> tuple[Node, float]:
        layer.only(0, 1)
        factors = layer.values.get(1, ()) or (1.0,) * len(layer.inputs)
        if layer.whole(0, 0) != 1 or len(factors) != len(layer.inputs):
            raise BadInput(f"{layer.where}: it is no sum with a factor for each of its inputs")
        return self._sum(layer, factors), 1.0

    def _binary(self, layer: Layer) -> tuple[Node, float]:
        layer.only(0, 1, 2)
        kind, scalar = layer.whole(0, 0), layer.whole(1, 0)
        if kind == 0 and not scalar:
            return self._sum(layer, (1.0, 1.0)), 1.0
        if kind == 2 and scalar == 1 and len(layer.values.get(2, ())) == 1:
            self._taken(layer, 1)
            node, factor = self.blobs[layer.inputs[0]]
            return node, factor * layer.values[2][0]
        raise BadInput(f"{layer.where}: it is neither a sum nor a product with a number")

    def _sum(self, layer: Layer, factors: tuple[float, ...]) -> Node:
        self._taken(layer, len(factors))
        terms = [self.blobs[blob] for blob in layer.inputs]
        channels = {node.channels for node, _ in terms}
        if len(channels) != 1:
            raise BadInput(f"{layer.where}: it adds {' and '.join(map(str, sorted(channels)))} channels")
        scaled = [(node, of * factor) for (node, of), factor in zip(terms, factors, strict=True)]
        return self._add(layer, _sum_key(scaled), channels.pop())

    def _interp(self, layer: Layer) -> tuple[Node, float]:
        [taken] = self._whole(layer, 1)
        layer.only(0, 1, 2, 3, 4, 5, 6)
        factor = layer.whole(1, 1)
        if layer.whole(0, 0) != 1 or factor < 1 or layer.whole(2, 1) != factor:
            raise BadInput(f"{layer.where}: it does not repeat each pixel the same number of times")
        if any(layer.whole(key, 0) for key in (3, 4, 5, 6)):
            raise BadInput(f"{layer.where}: it has an output size, or aligns corners")
        return self._add(layer, ("nearest", taken, factor), taken.channels), 1.0

    def _shuffle(self, layer: Layer) -> tuple[Node, float]:
        [taken] = self._whole(layer, 1)
        layer.only(0, 1)
        factor = layer.whole(0, 1)
        if factor < 1 or taken.channels % factor**2 or layer.whole(1, 0):
            raise BadInput(f"{layer.where}: it does not make pixels of {taken.channels} channels")
        return self._add(layer, ("shuffle", taken, factor), taken.channels // factor**2), 1.0

    def _taken(self, layer: Layer, count: int) -> None:
        if len(layer.inputs) != count:
            raise BadInput(f"{layer.where}: it takes {len(layer.inputs)} blobs, not {count}")

    def _whole(self, layer: Layer, count: int) -> list[Node]:
        """Return the nodes a layer takes; BadInput where one is to be multiplied first."""
        self._taken(layer, count)
        found = [self.blobs[blob] for blob in layer.inputs]
        if any(factor != 1 for _, factor in found):
            raise BadInput(f"{layer.where}: it takes a product with a number")
        return [node for node, _ in found]

    def _add(self, layer: Layer, key: Key, channels: int, weights: tuple[Array, ...] = ()) -> Node:
        if key in self.operations:
            raise BadInput(f"{layer.where}: it does once more what {self.operations[key].where} does")
        node = Node(1 + len(self.operations), channels)
        self.operations[key] = Operation(node, key, weights, layer.where)
        return node


def _sum_key(terms: tuple[tuple[Node, float], ...] | list[tuple[Node, float]]) -> Key:
    """Return the key of a sum, the same in whatever order; factors are written with six digits."""
    return ("sum", *sorted((node.number, round(factor, 5)) for node, factor in terms))
