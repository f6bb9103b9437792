"""Run a network in another dtype than fp32 whose code makes tensors as it goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class OwnDtype(TorchFunctionMode):
    """Gives tensors that are made without a word about their dtype the dtype of the network.

    Attention masks, coordinates and the like are made in torch's default, fp32, and what meets them becomes
    fp32 as well, until a layer in bfloat16 refuses it. ``torch.set_default_dtype`` would do the same for all
    threads. What is made in a dtype that is named, or made of a tensor, keeps its own.

    Args:
        dtype: a floating-point dtype.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func not in _makers() or not isinstance(made, Tensor) or made.dtype != torch.get_default_dtype():
            return made
        return made if (kwargs or {}).get("dtype") or _of_tensor(args) else made.to(self._dtype)


@cache
def _makers() -> frozenset[Callable[..., Any]]:
    """Functions that make a tensor in the default dtype where none is named."""
    windows = (torch.hann_window, torch.hamming_window, torch.bartlett_window, torch.blackman_window)
    spaced = (torch.arange, torch.linspace, torch.logspace, torch.range, torch.eye)
    filled = (torch.zeros, torch.ones, torch.full, torch.empty, torch.rand, torch.randn)
    given = (torch.tensor, torch.as_tensor, torch.asarray, torch.scalar_tensor)
    return frozenset((*windows, torch.kaiser_window, *spaced, *filled, *given))


def _of_tensor(args: tuple[Any, ...]) -> bool:
    return any(isinstance(argument, Tensor) for argument in args)


def dtype_of(network: nn.Module) -> torch.dtype:
    """Return the dtype a network's weights are in; fp32 where it has none."""
    return next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)
