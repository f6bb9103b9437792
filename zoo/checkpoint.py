"""Read a weight file without ever running anything that is in it."""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srbench.errors import BadInput

# What the pickle of a plain state dict is made of. It only tells a refused pickle from a broken file:
# what may be loaded is torch's own decision.
_HARMLESS = ("torch", "collections", "_codecs", "numpy")
_PICKLE_SCAN_LIMIT = 64 << 20


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, taken out of the wrappers they are published in.

    Reads safetensors and what ``torch.save`` writes, the latter with ``weights_only=True`` and nothing
    else. Unwraps ``params_ema``, ``params``, ``state_dict``, ``model_g_state_dict`` and their like, and
    drops a common ``module.`` prefix.

    Raises:
        BadInput: no such file; damaged, or no checkpoint at all; a pickle that wants to run code; a
            TorchScript archive; nothing but optimizer state and the like inside.
    """
    from srbench.compat import prepare_torchvision

    prepare_torchvision()
    from spandrel import canonicalize_state_dict

    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    loaded = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_pickle(path)
    if isinstance(loaded, dict) and isinstance(loaded.get("model_g_state_dict"), dict):
        loaded = loaded["model_g_state_dict"]  # DSGAN's name for the generator, unknown to spandrel
    state = canonicalize_state_dict(loaded) if isinstance(loaded, dict) else {}
    tensors = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise BadInput(f"{path} holds no network weights: give a checkpoint of the generator's state_dict")
    return tensors


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path) from error


def _read_pickle(path: Path) -> Any:
    zipped = zipfile.is_zipfile(path)
    if zipped and _is_torchscript(path):
        raise BadInput(f"{path} is a TorchScript archive: save the network's state_dict instead")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # it is refused below
            # Only the zip layout can be mapped; that spares reading a training checkpoint's optimizer.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:
        # torch answers a broken file with nearly any exception; what the file is says more.
        if wanted := _code_wanted(path):
            raise BadInput(
                f"{path} was refused because loading it would run code ({wanted}): "
                "take a file that holds only tensors (safetensors or a bare state_dict)"
            ) from error
        raise _damaged(path) from error


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.rsplit("/", 1)[-1] == "constants.pkl" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _damaged(path: Path) -> BadInput:
    size = path.stat().st_size
    return BadInput(
        f"{path} is damaged or no checkpoint ({size:,} bytes): fetch it again and check its sha256"
    )


def _code_wanted(path: Path) -> str:
    """The first thing a refused pickle would import that no state dict needs; "" if there is none.

    The opcodes are listed, not executed, so that this is as safe as reading the file.
    """
    strings: list[str] = []
    try:
        stream = io.BytesIO(_pickle_bytes(path))
        while True:  # the layout older than zip is several pickles in a row; genops stops after each
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name in ("GLOBAL", "INST"):
                    name = str(argument).replace(" ", ".")
                elif opcode.name == "STACK_GLOBAL":
                    name = ".".join(strings[-2:])
                else:
                    if isinstance(argument, str):
                        strings.append(argument)
                    continue
                if re.fullmatch(r"[\w.]+", name) and name.split(".")[0] not in _HARMLESS:
                    return name
    except (ValueError, OSError, StopIteration, zipfile.BadZipFile):
        return ""


def _pickle_bytes(path: Path) -> bytes:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            member = next(n for n in archive.namelist() if n.rsplit("/", 1)[-1] == "data.pkl")
            with archive.open(member) as file:
                return file.read(_PICKLE_SCAN_LIMIT)
    with path.open("rb") as file:
        return file.read(_PICKLE_SCAN_LIMIT)
