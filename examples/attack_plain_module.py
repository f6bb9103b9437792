"""Attack any x4 network: structured-noise PGD on a plain nn.Module, no weights and no network needed."""

import torch
from torch import nn

from srbench.attacks import RandomNoise, StructuredPGD

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4))
lr, hr = torch.rand(2, 3, 24, 32), torch.rand(2, 3, 96, 128)

attack = StructuredPGD(model, eps=14 / 255, steps=10, objective="l1")
noise = RandomNoise(model, eps=14 / 255)
adversarial = attack(lr, hr)

print(attack)
for name, image in (("clean", lr), ("random noise", noise(lr, hr)), ("attacked", adversarial)):
    print(f"{name:12}  l1 {attack.loss(lr, image, hr).mean():.4f}")
