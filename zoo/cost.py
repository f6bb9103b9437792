"""What a network costs, counted on its graph: nothing is multiplied, so it takes a moment on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from srbench.zoo.memory import Alive

SIDE = 64
"""Side of the LR image that costs are counted for, which is that of the mini track's images."""
MIB = 1 << 20


def cost(model: nn.Module) -> dict[str, float]:
    """Count what a forward pass without gradients takes, for one LR image of ``SIDE`` x ``SIDE``.

    Args:
        model: (1, 3, H, W) to (1, 3, 4H, 4W).

    Returns:
        ``parameters``; ``macs_per_lr_pixel``, multiply-accumulate operations of convolutions, matrix
        products and attention; ``peak_mib``, the most bytes in tensors that live at once, weights, LR
        and SR among them, in MiB. The memory a device takes is more: its libraries have workspaces, and its
        allocator keeps blocks. What cannot be counted is absent: everything but the parameters of a
        network that fails, and the operations of one that has none of these kinds.
    """
    state: dict[str, Tensor] = dict([*model.named_parameters(), *model.named_buffers()])
    found: dict[str, float] = {"parameters": sum(p.numel() for p in model.parameters())}
    empty = {name: torch.empty_like(value, device="meta") for name, value in state.items()}
    counted = _count(lambda lr: torch.func.functional_call(model, empty, (lr,)), "meta", empty)
    if counted is None:  # the network looks at values, so it has to get some
        device = next((value.device for value in state.values()), torch.device("cpu"))
        counted = _count(model, device, state)
    if counted is None:
        return found
    operations, peak = counted
    if operations:
        found["macs_per_lr_pixel"] = operations / 2 / SIDE**2
    return found | {"peak_mib": round(peak / MIB, 2)}


def _count(
    forward: Callable[[Tensor], Any], device: torch.device | str, state: Mapping[str, Tensor]
) -> tuple[int, int] | None:
    """Floating-point operations and peak bytes; None where the network fails on such an input."""
    flops, memory = FlopCounterMode(display=False), Alive(state.values())
    try:
        with torch.inference_mode(False), torch.no_grad(), memory, flops:
            forward(torch.zeros(1, 3, SIDE, SIDE, device=device))
    except Exception:  # whatever a user's network cannot do: it is measured without these numbers
        return None
    return flops.get_total_flops(), memory.peak
