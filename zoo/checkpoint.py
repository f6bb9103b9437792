"""Read a weight file without ever running anything that is in it, and in a memory its size bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srbench.errors import BadInput
from srbench.support.not_the_file import what_instead
from srbench.zoo.contained import read_safetensors, unpacked
from srbench.zoo.wrappers import DEEPEST, networks, unwrap

_SMALLEST = 1 << 20


def read_state_dict(path: Path, key: str = "") -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, out of the wrappers they are published in.

    Wrappers and prefixes go, see :func:`srbench.zoo.wrappers.unwrap`.

    Args:
        path: a file as :func:`read_file` reads it.
        key: which of several networks in the file is meant, by the name it has there.

    Raises:
        BadInput: what :func:`read_file` raises; nothing but optimizer state and the like inside; several
            networks of which none is known to be the generator, or none by the name of ``key``; tensors that
            no network has (complex, sparse, whole-number weights).
    """
    loaded = read_file(path)
    tensors = unwrap(loaded, key)
    if not tensors:
        there = networks(loaded)
        if key or len(there) > 1:
            raise BadInput(_which(path, key, there))
        raise BadInput(f"{path} holds no network weights: give a checkpoint of the generator's state_dict")
    _check_tensors(tensors, path)
    return tensors


def read_file(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds by name: tensors, dicts of these, and what stands beside them.

    Reads safetensors and what ``torch.save`` writes, the latter in another process
    (:func:`srbench.zoo.contained.unpacked`); which of the two it is, its content says.

    Returns:
        Nothing where the file holds something else than a dict.

    Raises:
        BadInput: no such file; damaged, or no checkpoint at all; a pickle that wants to run code, or whose
            content is out of all proportion to the file; a TorchScript archive.
    """
    first_bytes = _first_bytes(path)
    if instead := what_instead(first_bytes):
        raise BadInput(f"{path} {instead}")
    # By content: files are renamed, and torch.save writes under any name.
    loaded = read_safetensors(path)[0] if first_bytes[8:9] == b"{" else unpacked(path)
    return _without_unnamed(loaded) if isinstance(loaded, dict) else {}


def _which(path: Path, key: str, there: list[str]) -> str:
    """Say which networks a file holds, and how one of them is named."""
    shown = ", ".join(_short(name) for name in there[:8]) + (", …" if len(there) > 8 else "")
    if not there:
        return f"{path} holds no '{_short(key)}', and no networks by name: leave key= out"
    first = f"{path.name},key={_short(there[0])}"
    if key:
        return f"{path} holds no network '{_short(key)}': it holds {shown}; name one, as in {first}"
    return f"{path} holds {len(there)} networks ({shown}): say which one, as in {first}"


def _first_bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadInput(f"{path}: no such file")
        with path.open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from error


def _without_unnamed(loaded: Any, within: tuple[int, ...] = ()) -> Any:
    """Leave out the entries of dicts that go by anything but a name, or that hold what holds them."""
    if not isinstance(loaded, dict) or len(within) == DEEPEST:
        return loaded
    here = (*within, id(loaded))
    return {
        key: _without_unnamed(value, here)
        for key, value in loaded.items()
        if isinstance(key, str) and id(value) not in here
    }


def _check_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Refuse what is no plain array of numbers, or larger than what the file can hold."""
    total = 0
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.is_complex():
            kind = f"{tensor.layout}, {tensor.dtype}, {tensor.device.type}".replace("torch.", "")
            raise BadInput(f"{path} holds {_short(name)}, which is no plain real array ({kind}): convert it")
        if name.endswith(("weight", "bias")) and not tensor.is_floating_point():
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise BadInput(f"{path}: {_short(name)} holds {dtype}, a network's weights are floating point")
        total += tensor.numel() * tensor.element_size()
    # Weights may be tied and stand under several names, but not each of them many times over.
    if total > 4 * path.stat().st_size + _SMALLEST:
        raise BadInput(f"{path} was refused: its tensors claim {total:,} bytes, far more than the file holds")


def _short(name: str) -> str:
    return ascii(name)[1:-1][:80]
