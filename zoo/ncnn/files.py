"""Read the layers of a ``.param`` file and, in their order, the numbers of a ``.bin`` file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srbench.errors import BadInput

Array = npt.NDArray[np.float32]

MAGIC = "7767517"
FP32_TAG, FP16_TAG = 0, 0x01306B47
"""What stands before the weights of a layer; ncnn has others, for int8 and tables."""
MAX_TEXT = 8 << 20
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_ARRAYS = -23300
"""``-23310=2,…`` is parameter 10, an array of two."""


@dataclass(frozen=True)
class Layer:
    """Hold one line of a ``.param`` file.

    Attributes:
        kind, name: such as Convolution and Conv_0.
        inputs, outputs: names of blobs.
        values: number of a parameter to its value, or values.
        where: what messages call it.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: dict[int, tuple[float, ...]]
    where: str

    def whole(self, key: int, default: int) -> int:
        """Return a parameter that is a whole number.

        Raises:
            BadInput: it is none.
        """
        values = self.values.get(key, (float(default),))
        if len(values) != 1 or not values[0].is_integer():
            raise BadInput(f"{self.where}: parameter {key} is no whole number")
        return int(values[0])

    def only(self, *known: int) -> None:
        """Raise BadInput if there are other parameters, which would mean something that is not looked at."""
        if other := [key for key in self.values if key not in known]:
            raise BadInput(f"{self.where}: parameter {other[0]} of a {self.kind} is not known here")


def read_param(path: Path) -> list[Layer]:
    """Return the layers of a ``.param`` file, in order.

    Raises:
        BadInput: it is no such file, or its counts are not those of its lines; a blob that nothing makes
            before it is used, or that is made twice.
    """
    if path.stat().st_size > MAX_TEXT:
        raise BadInput(f"{path} is larger than any .param file ({path.stat().st_size:,} bytes)")
    try:
        lines = path.read_bytes().decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no .param file: it is not text") from error
    if not lines or lines[0].strip() != MAGIC:
        raise BadInput(f"{path} is no .param file: it does not begin with {MAGIC}")
    counts = lines[1].split() if len(lines) > 1 else []
    if len(counts) != 2 or not all(_INTEGER.fullmatch(count) for count in counts):
        raise BadInput(f"{path}: line 2 does not state the number of layers and blobs")
    numbered = [(i, text) for i, text in enumerate(lines[2:], 3) if text.strip()]
    layers = [_layer(text.split(), f"{path}: line {i}") for i, text in numbered]
    made: set[str] = set()
    for layer in layers:
        if unknown := [blob for blob in layer.inputs if blob not in made]:
            raise BadInput(f"{layer.where}: nothing before it makes the blob {unknown[0][:80]}")
        for blob in layer.outputs:
            if blob in made:
                raise BadInput(f"{layer.where}: the blob {blob[:80]} is made twice")
            made.add(blob)
    if [int(count) for count in counts] != [len(layers), len(made)]:
        raise BadInput(
            f"{path} states {counts[0]} layers and {counts[1]} blobs, and has {len(layers)} and {len(made)}"
        )
    return layers


def _layer(words: list[str], where: str) -> Layer:
    if len(words) < 4 or not all(_INTEGER.fullmatch(word) and int(word) >= 0 for word in words[2:4]):
        raise BadInput(f"{where} does not state type, name, and the number of inputs and outputs")
    inputs, outputs = int(words[2]), int(words[3])
    blobs = words[4 : 4 + inputs + outputs]
    if len(blobs) < inputs + outputs or any("=" in blob for blob in blobs):
        raise BadInput(f"{where} names fewer than {inputs} inputs and {outputs} outputs")
    values: dict[int, tuple[float, ...]] = {}
    for word in words[4 + inputs + outputs :]:
        key, equals, text = word.partition("=")
        try:
            number = int(key) if _INTEGER.fullmatch(key) else None
            found = tuple(float(part) for part in text.split(","))
        except ValueError:
            number, found = None, ()
        if number is None or not equals or not np.isfinite(found).all():
            raise BadInput(f"{where}: {word[:80]} is no parameter")
        if number <= _ARRAYS:
            if found[0] != len(found) - 1:
                raise BadInput(f"{where}: {word[:80]} does not have as many values as it states")
            number, found = _ARRAYS - number, found[1:]
        if number in values:
            raise BadInput(f"{where}: parameter {number} is there twice")
        values[number] = found
    layer = Layer(words[0], words[1], tuple(blobs[:inputs]), tuple(blobs[inputs:]), values, "")
    return Layer(**vars(layer) | {"where": f"{where} ({words[0][:40]} {words[1][:40]})"})


class Numbers:
    """Hand out the numbers of a ``.bin`` file from its beginning to its end.

    Nothing is allocated for what is asked for before the file is known to hold it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        size = path.stat().st_size
        self._bytes = np.memmap(path, np.uint8, "r") if size else np.zeros(0, np.uint8)

    def tagged(self, count: int, where: str) -> Array:
        """Return ``count`` weights, stored as the tag before them says.

        Raises:
            BadInput: the file ends before, or stores them in another way than fp16 or fp32.
        """
        tag = int(self._take(1, np.uint32, where)[0])
        if tag == FP32_TAG:
            return self.plain(count, where)
        if tag != FP16_TAG:
            raise BadInput(
                f"{self._path}: the weights of {where} are stored in a way not known here ({tag:#x})"
            )
        numbers = self._take(count, np.float16, where)
        self._take(-2 * count % 4, np.uint8, where)  # the next begins at a multiple of four bytes
        return numbers.astype(np.float32)

    def plain(self, count: int, where: str) -> Array:
        """Return ``count`` fp32 numbers without a tag: biases and slopes."""
        return self._take(count, np.float32, where).astype(np.float32)

    def end(self) -> None:
        """Raise BadInput if there is more in the file than was taken."""
        if left := self._bytes.size - self._place:
            raise BadInput(f"{self._path} is {left:,} bytes longer than the layers of its .param file")

    def _take(self, count: int, kind: type[np.generic], where: str) -> npt.NDArray[np.generic]:
        size = count * np.dtype(kind).itemsize
        if size > self._bytes.size - self._place:
            raise BadInput(
                f"{self._path} is too short: {where} needs {size:,} bytes after the first {self._place:,} of "
                f"{self._bytes.size:,}"
            )
        taken = self._bytes[self._place : self._place + size]
        self._place += size
        return np.frombuffer(taken.tobytes(), np.dtype(kind).newbyteorder("<"))
