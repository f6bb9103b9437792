"""Bound what building a network may allocate.

spandrel reads an architecture off the names and shapes in a state dict and builds it with random weights
before it puts the right ones in. So a small file that names block 9,000, or an attention window of 5,000,
would ask for any amount of memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

_LARGEST_INDEX = 10_000
# Two inputs of this many elements give at most 400 MB, so what is made of smaller ones is counted afterwards.
_SMALL = 10_000


class OverBudgetError(RuntimeError):
    """Says that the network would be out of all proportion to the weights that are to go into it."""


class Budget(TorchDispatchMode):
    """Lets torch make new tensors of so many bytes and pieces in all, and no more, while it is active.

    Weights, their initial values, masks and position tables together took at most 2.7 times the weights read
    (DRCT) and 190 MB more than these (the same), in at most 3.8 pieces a weight (PLKSR), in the twelve
    architectures that were tried. The allowance is four times and 1 GiB, and 8 pieces and 4,000.

    Args:
        state: the weights the network is built for.

    Raises:
        OverBudgetError: from the constructor where a name counts further than any network does, inside
            where a tensor goes beyond the allowance; it is not made.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        for name in state:
            if any(len(digits) > 9 or int(digits) > _LARGEST_INDEX for digits in re.findall(r"\d+", name)):
                raise OverBudgetError(f"'{name[:60]}' counts further than any network has layers")
        weights = sum(tensor.numel() * max(4, tensor.element_size()) for tensor in state.values())
        self._left = 4 * weights + (1 << 30)
        self._pieces = 8 * len(state) + 4_000

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if any(returned.alias_info for returned in func._schema.returns):
            return func(*args, **kwargs)  # in place, or a view: nothing new
        inputs = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if inputs and all(tensor.numel() <= _SMALL for tensor in inputs):
            result = func(*args, **kwargs)
            self._take(result)
            return result
        self._take(_without_memory(func, args, kwargs, factory=not inputs))
        return func(*args, **kwargs)

    def _take(self, result: Any) -> None:
        tensors = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
        self._left -= sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        self._pieces -= 1
        if self._left < 0 or self._pieces < 0:
            raise OverBudgetError("it would need many times the memory of the weights given")


def _without_memory(func: Any, args: Any, kwargs: Any, *, factory: bool) -> Any:
    """Return what an operation would make as tensors of the meta device: with a shape, without content."""
    args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
    if factory and any(argument.name == "device" for argument in func._schema.arguments):
        kwargs = kwargs | {"device": torch.device("meta"), "pin_memory": None}
    try:
        return func(*args, **kwargs)
    except (NotImplementedError, RuntimeError):  # its shape depends on content, and so is bounded by it
        return None
