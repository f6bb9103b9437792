"""Build networks whose weights come from a file without drawing random ones first."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_DRAWS = (torch.ops.aten.uniform_.default, torch.ops.aten.normal_.default)


class Uninitialised(TorchDispatchMode):
    """Write 0 where a uniform or normal distribution would be drawn in place, for as long as it is active.

    For LPIPS's AlexNet it was 0.2 of 0.28 seconds; convolutions, with fewer weights, gain next to nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return args[0].zero_() if func in _DRAWS else func(*args, **(kwargs or {}))
