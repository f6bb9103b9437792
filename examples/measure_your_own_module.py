"""Measure a network of your own beside bicubic: any nn.Module from LR to SR, four times as large."""

import torch
from torch import Tensor, nn

import srbench


class Sharpened(nn.Module):
    """Bicubic, then a little of what a blur would take away added once more."""

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.register_buffer(
            "amount", torch.tensor(amount)
        )  # in the state dict, so it is part of the identity

    def forward(self, lr: Tensor) -> Tensor:
        sr = nn.functional.interpolate(lr, scale_factor=4, mode="bicubic", antialias=True)
        blurred = nn.functional.avg_pool2d(sr, 5, stride=1, padding=2, count_include_pad=False)
        return sr + self.amount * (sr - blurred)


records = srbench.evaluate(
    {"bicubic": "bicubic", "sharpened": Sharpened(0.5), "oversharpened": Sharpened(3.0)},
    datasets=["clean-mini", "ntire-mini"],
    metrics=["psnr", "ssim"],
    limit=2,
)
print(srbench.leaderboard(records))
