"""Take the weights out of a network, for counting what a forward pass would do."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


def without_weights(model: nn.Module) -> nn.Module:
    """Return a copy whose parameters and buffers have shapes and no content (the meta device).

    It is a copy, and not the network called with other weights, because some networks keep tensors from one
    forward pass to the next: what such a pass leaves behind must not reach the network itself.

    Raises:
        Exception: whatever a network that cannot be copied raises.
    """
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        empty = torch.empty_like(parameter, device="meta")
        memo[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(model, memo)
