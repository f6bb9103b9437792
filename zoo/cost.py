"""Count what a network costs on its graph: nothing is multiplied, so it takes a moment on any machine."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srbench.zoo.memory import Alive
from srbench.zoo.weightless import without_weights

SIDE = 64
"""Costs are counted for an LR image of this side, which is that of the mini track's images."""
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
    counts: dict[str, float] = {"parameters": sum(p.numel() for p in model.parameters())}
    if (forwards := getattr(model, "forwards", 1)) > 1:
        counts["forwards"] = forwards
    counted = _count(model, without_weights)
    if counted is None:  # the network looks at values, so it has to get some
        counted = _count(model, copy.deepcopy)
    if counted is None:
        return counts
    operations, peak = counted
    if operations:
        counts["macs_per_lr_pixel"] = operations / 2 / SIDE**2
    return counts | {"peak_mib": round(peak / MIB, 2)}


def _count(model: nn.Module, copied: Callable[[nn.Module], nn.Module]) -> tuple[int, int] | None:
    """Return floating-point operations and peak bytes; None where the network fails on such an input."""
    try:
        forward = copied(model)
        state = [*forward.parameters(), *forward.buffers()]
        device = next((value.device for value in state), torch.device("cpu"))
        flops, memory = FlopCounterMode(display=False), Alive(state)
        with torch.inference_mode(False), torch.no_grad(), memory, flops:
            forward(torch.zeros(1, 3, SIDE, SIDE, device=device))
    except Exception:  # whatever a user's network cannot do: it is measured without these numbers
        return None
    return flops.get_total_flops(), memory.peak
