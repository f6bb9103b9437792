"""Read blur kernels from files and downscale by them: what Impressionism does in place of bicubic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from srbench.errors import BadInput
from srbench.support.scales import SCALE

Kernel = NDArray[np.float64]

_SUFFIXES = (".mat", ".npy", ".npz")
_KERNELGAN_KEY = "Kernel"
_ALIGNED = 1e-3  # of a pixel: what storing a kernel in single precision moves its centre by, and more
_NEGLIGIBLE = 1e-6  # of the largest weight


class Kernels:
    """Holds kernels of one size, ready to be applied.

    Args:
        kernels: any sizes and sums; see :func:`centred`.

    Attributes:
        weights: (K,1,n,n) float32, n even, each of sum 1.
        hash: sha256 over them.
    """

    def __init__(self, kernels: list[Kernel]) -> None:
        aligned = [centred(kernel) for kernel in kernels]
        side = max(len(kernel) for kernel in aligned)
        same = np.stack([np.pad(kernel, (side - len(kernel)) // 2) for kernel in aligned])
        self.weights: Tensor = torch.from_numpy(same.astype(np.float32)).unsqueeze(1)
        self.hash = hashlib.sha256(self.weights.numpy().tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.weights)

    def downscale(self, hr: Tensor, chosen: list[int]) -> Tensor:
        """Downscale HR (N,3,4H,4W) to (N,3,H,W), each by its own kernel, borders mirrored; not clipped."""
        weights = self.weights[chosen].to(hr).repeat_interleave(hr.shape[1], 0)
        reach = (weights.shape[-1] - SCALE) // 2
        rows, columns = (_mirrored(size, reach).to(hr.device) for size in hr.shape[-2:])
        padded = hr[:, :, rows][:, :, :, columns].flatten(0, 1).unsqueeze(0)
        filtered: Tensor = F.conv2d(padded, weights, stride=SCALE, groups=len(weights))
        lr: Tensor = filtered.unflatten(1, hr.shape[:2]).squeeze(0)
        return lr


def load_kernels(path: Path) -> Kernels:
    """Return the kernels of a file, or of every file below a folder, in the order of their paths.

    A ``.mat`` file holds KernelGAN's ``Kernel``, or any matrices, stacks or cells of kernels; ``.npy`` and
    ``.npz`` files hold matrices (k,k) or stacks (n,k,k).

    Raises:
        BadInput: nothing there, or a file that cannot be read or holds something else.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES)
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise BadInput(f"{path} holds no blur kernels ({', '.join(_SUFFIXES)}): name a folder that does")
    kernels = []
    for file in files:
        try:
            matrices = [kernel for array in _arrays(file) for kernel in _unpacked(array)]
        except Exception as error:  # every reader has its own exceptions for a damaged file
            raise BadInput(f"{file} cannot be read as blur kernels ({error}): mend or remove it") from error
        if not matrices or any(not np.isfinite(k).all() or k.sum() <= 0 for k in matrices):
            raise BadInput(f"{file} holds something other than blur kernels (k x k, of positive sum)")
        kernels += matrices
    return Kernels(kernels)


def centred(kernel: Kernel) -> Kernel:
    """Return a kernel of sum 1 with its centre of mass in the middle of an even square: LR stays aligned.

    The middle of LR pixel i lies between HR pixels 4i+1 and 4i+2, as it does for bicubic, so an even kernel
    that is centred there moves nothing. KernelGAN shifts its kernels the same way, so that for its files
    the shift is by whole pixels and exact; others are shifted by cubic splines, as its code does it.

    Args:
        kernel: (h,w) of positive sum, applied as a correlation.
    """
    kernel = kernel / kernel.sum()
    centre = np.array(ndimage.center_of_mass(kernel))
    side = 2 * int(np.ceil(np.maximum(centre + 1, np.array(kernel.shape) - centre).max())) + 8
    shift = (side - 1) / 2 - centre
    whole = np.round(shift).astype(int)
    frame = np.zeros((side, side))
    frame[whole[0] : whole[0] + kernel.shape[0], whole[1] : whole[1] + kernel.shape[1]] = kernel
    if np.abs(shift - whole).max() > _ALIGNED:
        frame = ndimage.shift(frame, shift - whole, order=3)
    small = np.abs(frame) < _NEGLIGIBLE * np.abs(frame).max()
    while len(frame) > SCALE and small[[0, -1]].all() and small[:, [0, -1]].all():
        frame, small = frame[1:-1, 1:-1], small[1:-1, 1:-1]
    return cast(Kernel, frame / frame.sum())


def _arrays(file: Path) -> list[NDArray[Any]]:
    if file.suffix.lower() == ".mat":
        from scipy.io import loadmat

        content = loadmat(file)
        if _KERNELGAN_KEY in content:
            return [content[_KERNELGAN_KEY]]
        return [value for key, value in content.items() if not key.startswith("__")]
    loaded = np.load(file, allow_pickle=False)
    return [loaded] if isinstance(loaded, np.ndarray) else [loaded[key] for key in loaded.files]


def _unpacked(array: NDArray[Any]) -> Iterator[Kernel]:
    """Yield the matrices of a matrix, a stack of them, or a MATLAB cell of either."""
    if array.dtype == object:
        for cell in array.flat:
            yield from _unpacked(np.asarray(cell))
    elif array.ndim == 2:
        yield array.astype(np.float64)
    elif array.ndim == 3:
        yield from array.astype(np.float64)
    else:
        raise ValueError(f"an array of shape {array.shape}")


def _mirrored(size: int, reach: int) -> Tensor:
    """Return the indices of a row of ``size`` pixels with ``reach`` mirrored ones at each end."""
    index = torch.arange(-reach, size + reach) % (2 * size)
    return torch.minimum(index, 2 * size - 1 - index)
