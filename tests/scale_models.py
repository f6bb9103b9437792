"""Networks for workers in processes of their own, importable by name: slow, failing and deadly ones.

They behave on small images, which is what a network is tried on before a run.
"""

from __future__ import annotations

import os
import signal
import time

import torch
from torch import Tensor, nn

LARGE = 48


class Nearest(nn.Module):
    """Nearest-neighbour x4 with a fixed convolution; ``meet`` is called with every large image of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 3, 3) / 9)

    def meet(self, lr: Tensor) -> None:
        """Do what this network is for."""

    def forward(self, lr: Tensor) -> Tensor:
        if lr.shape[-1] >= LARGE and lr.device.type != "meta":
            self.meet(lr)
        return nn.functional.interpolate(self.mix(lr), scale_factor=4, mode="nearest")


class Slow(Nearest):
    """Takes half a second."""

    def meet(self, lr: Tensor) -> None:
        time.sleep(0.5)


class Failing(Nearest):
    """Raises what srbench does not expect."""

    def meet(self, lr: Tensor) -> None:
        raise ValueError("a bug of its own")


class Hanging(Nearest):
    """Never comes back."""

    def meet(self, lr: Tensor) -> None:
        time.sleep(3600)


class Deadly(Nearest):
    """Takes its process along."""

    def meet(self, lr: Tensor) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
