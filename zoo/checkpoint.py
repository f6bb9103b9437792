"""Read a weight file without ever running anything that is in it, and in a memory its size bounds."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srbench.errors import BadInput
from srbench.support.not_the_file import what_instead
from srbench.zoo.numpy_scalars import numpy_scalars
from srbench.zoo.pickles import BombError, UnwantedError, check_pickle
from srbench.zoo.wrappers import DEEPEST, networks, unwrap

_ZIP = b"PK\x03\x04"  # by which torch, too, tells its two layouts apart
_PICKLE_LIMIT = 32 << 20
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

    Reads safetensors and what ``torch.save`` writes, the latter with ``weights_only=True`` and nothing
    else; which of the two it is, its content says.

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
    loaded = _read_safetensors(path) if first_bytes[8:9] == b"{" else _read_pickle(path)
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


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        loaded = load_file(path)
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")), object_pairs_hook=list)
    # A dtype or shape that torch does not take fails in torch's own ways.
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError, OverflowError) as error:
        raise _damaged(path) from error
    if twice := [name for name, count in Counter(name for name, _ in header).items() if count > 1]:
        raise BadInput(f"{path} holds two tensors of one name ({_short(twice[0])}): save it again")
    return loaded


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    try:
        content = _index_of_archive(path) if zipped else _beginning(path)
        scalars = check_pickle(content)
        with numpy_scalars() if scalars else nullcontext(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # it is refused below
            if path.suffix.lower() == ".safetensors":  # by which torch.load would go
                with path.open("rb") as file:
                    return torch.load(file, map_location="cpu", weights_only=True)
            # Only the zip layout can be mapped; that spares reading a training checkpoint's optimizer.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except BadInput:
        raise
    except UnwantedError as error:
        raise BadInput(
            f"{path} was refused because loading it would run code ({error}): "
            "take a file that holds only tensors (safetensors or a bare state_dict)"
        ) from error
    except BombError as error:
        raise BadInput(f"{path} was refused: it is no state_dict but a file made to use up memory") from error
    except Exception as error:
        # torch answers a broken file with nearly any exception; that it is broken says more.
        raise _damaged(path) from error


def _index_of_archive(path: Path) -> bytes:
    """Read the pickle of the zip layout, after the archive was found to be as torch writes them."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        # torch looks names up without regard to case, so these are what could be taken for each other.
        names = Counter(member.filename.lower() for member in members)
        indices = [member for member in members if member.filename.lower().endswith("/data.pkl")]
        if any(name.endswith("constants.pkl") for name in names):
            raise BadInput(
                f"{path} is a TorchScript archive, which is a program: save the network's state_dict "
                "instead, or name a function that returns torch.jit.load(…) as module.path:function"
            )
        if len(indices) != 1 or max(names.values()) > 1:
            raise _damaged(path)
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise BadInput(f"{path} is a compressed archive, which torch.save never writes: unpack it first")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise BadInput(f"{path} was refused: its parts are larger than the file")
        if indices[0].file_size > _PICKLE_LIMIT:
            raise BombError
        return archive.read(indices[0])


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_PICKLE_LIMIT)


def _check_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Refuse what is no plain array of numbers, or larger than what the file can hold."""
    total = 0
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.is_complex():
            kind = f"{tensor.layout}, {tensor.dtype}, {tensor.device.type}".replace("torch.", "")
            raise BadInput(f"{path}: {_short(name)} is no plain real array ({kind}): convert it")
        if name.endswith(("weight", "bias")) and not tensor.is_floating_point():
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise BadInput(f"{path}: {_short(name)} holds {dtype}, a network's weights are floating point")
        total += tensor.numel() * tensor.element_size()
    # Weights may be tied and stand under several names, but not each of them many times over.
    if total > 4 * path.stat().st_size + _SMALLEST:
        raise BadInput(f"{path} was refused: its tensors claim {total:,} bytes, far more than the file holds")


def _short(name: str) -> str:
    return ascii(name)[1:-1][:80]


def _damaged(path: Path) -> BadInput:
    size = path.stat().st_size
    return BadInput(
        f"{path} is damaged or no checkpoint ({size:,} bytes): fetch it again and check its sha256"
    )
