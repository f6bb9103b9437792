"""Small networks and images for tests of attacks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Net(nn.Module):
    """A small x4 network; ``rounds`` rounds its input to 8 bit, as a model with a file inside does."""

    def __init__(self, rounds: bool = False) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)
            self.norm = nn.BatchNorm2d(8)
        self.rounds = rounds

    def forward(self, x: Tensor) -> Tensor:
        x = (x * 255).round() / 255 if self.rounds else x
        return F.pixel_shuffle(self.b(torch.tanh(self.norm(3 * self.a(x)))), 4)


def rounding() -> Net:
    return Net(rounds=True).eval()


class Blocked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return F.interpolate(x, scale_factor=4, mode="nearest")


def images(count: int = 2, side: int = 8) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    hr = torch.rand(count, 3, 4 * side, 4 * side, generator=draw)
    return (F.avg_pool2d(hr, 4) * 255).round() / 255, hr
