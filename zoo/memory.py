"""Count on its graph how much memory a network takes for an image: nothing is multiplied."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from srbench.zoo.weightless import without_weights

MARGIN = 1.25
"""What is counted is multiplied by this; ``benchmarks/memory_model.py`` compares it with real use."""
_STAND_IN_SIDE = 32
"""An LR image of this side stands for all where a network cannot be followed without values."""
_CONVOLUTIONS = (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)


class Alive(TorchDispatchMode):
    """Follows the storages that operations make, and notes the most bytes alive at once.

    Args:
        resident: tensors that are there before, and stay.
        workspace: count what a convolution reads and writes twice while it runs: the library has a layout
            of its own and copies both into it. (One that lies in memory as channels_last is read in place.)

    Attributes:
        peak: in bytes.
    """

    def __init__(self, resident: Any, workspace: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._resident = {StorageWeakRef(s): s.nbytes() for s in (t.untyped_storage() for t in resident)}
        self._base = sum(self._resident.values())
        self.peak = self._base
        self._workspace = workspace
        self._alive: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, func: Any, types: Sequence[Any], args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
        extra = 0
        if self._workspace and func in _CONVOLUTIONS:
            # The gradient of an image is made of the gradient of what was made of it.
            extra = args[0].nbytes + sum(tensor.nbytes for tensor in tensors)
        self._note(tensors, extra)
        return result

    def _note(self, tensors: list[Tensor], extra: int) -> None:
        self._alive = {storage: size for storage, size in self._alive.items() if not storage.expired()}
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if (reference := StorageWeakRef(storage)) not in self._resident:
                self._alive[reference] = storage.nbytes()
        self.peak = max(self.peak, self._base + sum(self._alive.values()) + extra)


def needed(model: nn.Module, height: int, width: int, *, gradient: bool = False) -> int:
    """Return the bytes that one image takes, the weights apart: activations, and what convolutions work in.

    Args:
        model: (1, 3, H, W) to (1, 3, 4H, 4W).
        height, width: of the LR image, in pixels.
        gradient: the gradient to the LR image too, for which the activations of all layers are kept.

    Returns:
        What is counted on the graph, times :data:`MARGIN`. A network that chooses by values is measured on
        a small image and scaled by the number of pixels; one that fails even there is said to need nothing.
    """
    try:
        counted = _beside(without_weights(model), torch.empty(1, 3, height, width, device="meta"), gradient)
    except Exception:  # whatever a user's network cannot do
        try:
            device = next((value.device for value in model.parameters()), torch.device("cpu"))
            lr = torch.zeros(1, 3, _STAND_IN_SIDE, _STAND_IN_SIDE, device=device)
            counted = _beside(copy.deepcopy(model), lr, gradient)
        except Exception:
            return 0
        return int(MARGIN * counted * height * width / _STAND_IN_SIDE**2)
    return int(MARGIN * counted)


def _beside(forward: nn.Module, lr: Tensor, gradient: bool) -> int:
    """Return the peak bytes beside the weights."""
    memory = Alive([*forward.parameters(), *forward.buffers()], workspace=True)
    weights = memory.peak
    with torch.inference_mode(False), torch.set_grad_enabled(gradient), memory:
        lr = lr.clone()  # so that it is seen to be made
        if gradient:
            sr = forward(lr.requires_grad_())
            torch.autograd.grad(sr, lr, torch.ones_like(sr))
        else:
            forward(lr)
    return int(memory.peak - weights)
