"""Make pairs of images to learn a distance from: crops, and distortions, SR and attacks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from srbench.attacks.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from srbench.datasets import degrade
from srbench.datasets.base import Pixels
from srbench.train.data.base import sample_rng
from srbench.train.data.crops import Crops

Distance = Callable[[Tensor, Tensor], Tensor]
_LR = (degrade.clean, degrade.ntire, degrade.aim)


class Pairs:
    """Makes batches of (HR, distorted HR); everything about one follows from the seed and its index.

    A third are distorted directly, the rest is what a network makes of a degraded LR; a quarter of both is
    then perturbed along the gradient of a distance, or against it, for a distance is also used to attack.

    Args:
        crops: HR crops.
        networks: make SR of LR.
        batch: pairs of a batch.
    """

    def __init__(self, crops: Crops, networks: Sequence[nn.Module], batch: int) -> None:
        self.crops, self.networks, self.batch = crops, list(networks), batch

    def __call__(self, index: int, distances: Sequence[Distance]) -> tuple[Tensor, Tensor]:
        """Make one batch: HR and distorted, (N,3,P,P) in [0,1] each.

        Args:
            index: 0 or more.
            distances: what the perturbed pairs are perturbed by, one of them a batch.
        """
        rng = sample_rng(self.crops.seed, index, "pairs")
        pixels = [self.crops.pixels(index * self.batch + i) for i in range(self.batch)]
        hr = _tensor(pixels)
        direct = self.batch // 3
        parts = [_tensor([_distort(image, rng) for image in pixels[:direct]])]
        network = self.networks[int(rng.integers(len(self.networks)))]
        lr = _tensor([_degrade(image, rng) for image in pixels[direct:]])
        with torch.no_grad():
            parts.append(network(lr).clamp(0, 1))
        other = torch.cat(parts)
        chosen = torch.arange(int(rng.integers(4)), self.batch, 4)
        distance = distances[int(rng.integers(len(distances)))]
        other[chosen] = _perturbed(other[chosen], hr[chosen], distance, rng)
        return hr, other


def _distort(image: Pixels, rng: np.random.Generator) -> Pixels:
    for _ in range(int(rng.integers(1, 3))):
        which = int(rng.integers(len(CORRUPTIONS) + 3))
        if which < len(CORRUPTIONS):
            image = _corrupt(image, list(CORRUPTIONS)[which], rng)
        elif which == len(CORRUPTIONS):
            image = degrade.to_uint8(
                image.astype(np.float64) + rng.normal(0, rng.uniform(1, 40), image.shape)
            )
        elif which == len(CORRUPTIONS) + 1:
            image = degrade.blur(image, float(rng.uniform(0.5, 4)))
        else:
            gain, shift = rng.uniform(0.6, 1.4, 3), rng.uniform(-25, 25, 3)
            image = degrade.to_uint8((image.astype(np.float64) - 128) * gain + 128 + shift)
    return image


def _degrade(image: Pixels, rng: np.random.Generator) -> Pixels:
    lr = _LR[int(rng.integers(len(_LR)))](image, rng)
    if rng.random() < 0.4:
        lr = _corrupt(lr, list(CORRUPTIONS)[int(rng.integers(len(CORRUPTIONS)))], rng)
    return lr


def _corrupt(image: Pixels, name: str, rng: np.random.Generator) -> Pixels:
    seed = int(rng.integers(2**31))
    return corrupt(image, name, int(rng.integers(1, len(SEVERITIES) + 1)), seed=seed, image_id="pair")


def _perturbed(images: Tensor, hr: Tensor, distance: Distance, rng: np.random.Generator) -> Tensor:
    """Take one or two sign steps of 0.5 to 6 levels, to a larger distance or a smaller one."""
    size = float(rng.uniform(0.5, 6)) / 255 * (1 if rng.random() < 0.7 else -1)
    for _ in range(int(rng.integers(1, 3))):
        images = images.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(distance(images, hr).sum(), images)
        images = (images + size * gradient.sign()).clamp(0, 1)
    return images.detach()


def _tensor(images: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255).contiguous()
