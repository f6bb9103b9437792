"""Read networks that Flax users pickled, arrays in dicts, without running anything that is in the file."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy._core.multiarray import _reconstruct

from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

# What an array is pickled by, and nothing else; numpy before 2 had it in numpy.core.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def convolutions(file: Path, network: str, places: Sequence[int]) -> dict[str, Tensor]:
    """Return the convolutions of a network as torchvision has them in its ``features``.

    Args:
        file: a pickle of ``{network: {"Conv_0": {"kernel": HWIO, "bias": O}, …}, …}``.
        network: the network's name in there.
        places: where torchvision has Conv_0, Conv_1, … in its ``features``.

    Returns:
        ``features.N.weight`` (O,I,H,W) and ``features.N.bias`` (O,) for each of the places.

    Raises:
        BadInput: the file holds anything else, or names anything but arrays.
    """
    import torch

    layers = read_arrays(file).get(network)
    if not isinstance(layers, dict) or layers.keys() != {f"Conv_{i}" for i in range(len(places))}:
        raise BadInput(f"{file} does not hold the {len(places)} convolutions of {network}: fetch it again")
    found = {}
    for number, place in enumerate(places):
        layer = layers[f"Conv_{number}"]
        kernel, bias = (layer.get(name) if isinstance(layer, dict) else None for name in ("kernel", "bias"))
        if not (isinstance(kernel, np.ndarray) and isinstance(bias, np.ndarray)) or (
            (kernel.ndim, bias.ndim) != (4, 1)
        ):
            raise BadInput(f"{file}: Conv_{number} of {network} is no convolution: fetch it again")
        weight = np.ascontiguousarray(np.transpose(kernel, (3, 2, 0, 1)))
        found[f"features.{place}.weight"] = torch.from_numpy(weight)
        found[f"features.{place}.bias"] = torch.from_numpy(np.array(bias))
    return found


def read_arrays(file: Path) -> dict[str, Any]:
    """Return the arrays of a pickle: float32, in dicts by name.

    Raises:
        BadInput: it cannot be read, names anything but arrays, or holds anything but float32 in dicts.
    """
    try:
        content = file.read_bytes()
        loaded = _Arrays(io.BytesIO(content)).load()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror or error})") from error
    except _ForeignError as error:
        raise BadInput(f"{file} was refused: it names {error}, and should hold arrays only") from error
    except Exception as error:  # a damaged pickle fails in nearly any way
        raise BadInput(f"{file} is damaged or no pickle of arrays: fetch it again") from error
    if not isinstance(loaded, dict) or _bytes(loaded) > len(content):
        raise BadInput(f"{file} holds something else than arrays of single precision by name: fetch it again")
    return loaded


class _ForeignError(Exception):
    """A name that no pickle of arrays needs."""


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _ForeignError(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _ForeignError("something outside itself")


def _bytes(value: Any) -> float:
    """Return how many bytes the arrays in there hold; infinity where there is anything else."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return sum(_bytes(entry) for entry in value.values())
    plain = type(value) is np.ndarray and value.dtype == np.dtype("<f4")
    return float(value.nbytes) if plain else float("inf")
