"""Estimate an image's blur kernel by KernelGAN (Bell-Kligler, Shocher and Irani 2019)."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.datasets.base import Pixels
from srbench.errors import BadInput, RunFailed
from srbench.train.degradations.kernelgan_crops import Crops
from srbench.train.degradations.kernelgan_networks import (
    SUPPORT,
    LinearGenerator,
    PatchJudge,
    downscale,
)
from srbench.train.degradations.kernels import Kernel, centred

_SUM, _BOUNDARY, _SPARSITY, _CENTRE = 0.5, 0.5, 5.0, 1.0
_SPARSITY_POWER = 0.2
_TINY = 1e-9  # a root is infinitely steep at zero
_BOUNDARY_SCALE = 30.0
_SIMILAR = 0.4
_DECAY, _DECAY_EVERY, _BICUBIC_LEAST = 100.0, 200, 5e-6
_CONSTRAINED_BELOW = 5e-3
_RATE_FALLS, _RATE_EVERY = 10.0, 750
_KEPT = 40
"""Of the 169 values of a kernel about this many are kept."""
_NOISE = 1 / 255


class KernelGANSettings(BaseModel):
    """Says how a kernel is estimated; the defaults are those of the published code.

    Attributes:
        iterations: steps of generator and discriminator. The learning rate falls to a tenth every 750 of
            them, so that little changes after 1,000.
        crop: side in pixels of the crops that are halved, and the least an image may measure.
        features: channels of both networks.
        lr: learning rate of Adam.
        beta1: of Adam.
        bicubic: weight of the distance to bicubic x1/2 at first (20 in the copy that Real-SR uses); after 200
            iterations it is a hundredth of that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: int = Field(default=3000, ge=1)
    crop: int = Field(default=64, ge=32, multiple_of=2)
    features: int = Field(default=64, ge=1)
    lr: float = Field(default=2e-4, gt=0, allow_inf_nan=False)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    bicubic: float = Field(default=5.0, ge=0, allow_inf_nan=False)


def estimate_kernel(image: Pixels, *, seed: str | int, settings: KernelGANSettings | None = None) -> Kernel:
    """Return the kernel by which an image would be downscaled x1/4 to look as it does itself.

    Patches of natural images come back at other scales, so the kernel sought is the one by which the halved
    image has the patches that the image has: the image's own blur. A generator that is nothing but this
    kernel learns it on crops of this one image, against a discriminator of 7 x 7 patches.

    Args:
        image: (h,w,3) uint8, not smaller than the crops.
        seed: with the image's content it decides every number drawn.
        settings: None: those of the published code.

    Returns:
        (n,n), n even, of sum 1 with its centre of mass in its middle, to be applied as a correlation; that of
        x1/2 convolved with its dilated self.

    Raises:
        BadInput: the image is smaller than the crops.
        RunFailed: the training diverged.
    """
    return double(estimate_halving_kernel(image, seed=seed, settings=settings))


def estimate_halving_kernel(
    image: Pixels, *, seed: str | int, settings: KernelGANSettings | None = None
) -> Kernel:
    """Return the kernel of x1/2 alone; all else as for :func:`estimate_kernel`."""
    settings = settings or KernelGANSettings()
    height, width = image.shape[:2]
    if min(height, width) < settings.crop:
        raise BadInput(
            f"KernelGAN learns from crops of {settings.crop} px; {width} x {height} px are too few"
        )
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        return clean(_Training(image, seed, settings).run())


def clean(kernel: Kernel) -> Kernel:
    """Return a raw kernel without its negligible values, of sum 1 and centred; see :func:`.kernels.centred`.

    As published: three quarters of the 41st largest value are taken off, and what is then negative is zero.
    """
    least = 0.75 * np.sort(kernel, axis=None)[-_KEPT - 1]
    return centred((kernel - least).clip(min=0))


def double(kernel: Kernel) -> Kernel:
    """Return the kernel of downscaling twice by a kernel (n,n): its convolution with its dilated self."""
    side = len(kernel)
    twice = np.zeros((3 * side - 2, 3 * side - 2))
    for (row, column), weight in np.ndenumerate(kernel):
        twice[2 * row : 2 * row + side, 2 * column : 2 * column + side] += weight * kernel
    return centred(twice)


class _Training:
    """Trains generator and discriminator on one image."""

    def __init__(self, image: Pixels, seed: str | int, settings: KernelGANSettings) -> None:
        self._settings = settings
        name = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
        self.generator = LinearGenerator(settings.features, generator(seed, name, "kernelgan generator"))
        self._judge = PatchJudge(settings.features, generator(seed, name, "kernelgan discriminator"))
        self._noise = generator(seed, name, "kernelgan noise")
        self._bicubic = torch.from_numpy(_bicubic_halving()).float()
        pixels = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        sides = settings.crop, (settings.crop - SUPPORT) // 2 + 1
        draw = generator(seed, name, "kernelgan crops")
        self._crops = Crops(pixels / 127.5 - 1, self._bicubic, sides, settings.iterations, draw)
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=settings.lr, betas=(settings.beta1, 0.999), fused=True)
            for network in (self.generator, self._judge)
        ]
        self._constraints = _Constraints(settings.bicubic)

    def run(self) -> Kernel:
        """Return the raw kernel (13,13)."""
        for iteration in range(self._settings.iterations):
            image, real = self._crops(iteration)
            bicubic = self._step(image, real)
            if iteration and iteration % _RATE_EVERY == 0:
                for optimizer in self._optimizers:
                    for group in optimizer.param_groups:
                        group["lr"] /= _RATE_FALLS
            self._constraints.update(iteration, bicubic)
        kernel = self.generator.kernel().detach().double().numpy()
        if not np.isfinite(kernel).all() or kernel.sum() <= 0:
            raise RunFailed(
                f"KernelGAN came to no kernel in {self._settings.iterations} iterations: set kernelgan.lr of "
                "noise-injection lower if it is above 2e-4, or iterations higher if they are below 1000"
            )
        return kernel

    def _step(self, image: Tensor, real: Tensor) -> float:
        """Train both networks on one crop each; return the loss against bicubic."""
        judge, (first, second) = self._judge, self._optimizers
        judge.requires_grad_(False)
        kernel = self.generator.kernel()
        fake = downscale(image, kernel)
        reach = (SUPPORT - len(self._bicubic)) // 2 + 1
        ideal = downscale(image[:, :, reach:, reach:], self._bicubic)[:, :, : fake.shape[2], : fake.shape[3]]
        bicubic = F.mse_loss(fake, ideal)
        loss = (1 - judge(fake)).mean() + self._constraints(kernel, bicubic)
        first.zero_grad(set_to_none=True)
        loss.backward()
        first.step()
        judge.requires_grad_(True)
        with torch.no_grad():
            fake = downscale(image, self.generator.kernel())
        # Noise below what an image's rounding leaves hides that only real patches are whole levels.
        verdicts = judge(self._noisy(real)), judge(self._noisy(fake))
        second.zero_grad(set_to_none=True)
        ((1 - verdicts[0]).mean() / 2 + verdicts[1].mean() / 2).backward()
        second.step()
        return bicubic.item()

    def _noisy(self, patches: Tensor) -> Tensor:
        return patches + _NOISE * torch.randn(patches.shape, generator=self._noise)


class _Constraints:
    """Holds the generator to kernels as they are: first to bicubic, then to what all kernels share.

    Weights and schedule are those of the published code: once the output is near bicubic, the weight of that
    falls to a hundredth every 200 iterations, and when it is small, sparsity and centre come in. Its bicubic
    adds the three colours up (its issues 28 and 47); here each is halved by itself, as was meant.
    """

    def __init__(self, bicubic: float) -> None:
        self._bicubic, self._sparsity, self._centre = bicubic, 0.0, 0.0
        self._near = 0
        self._positions = torch.arange(float(SUPPORT))
        self._middle = SUPPORT / 2  # between two pixels, as for an even kernel
        self._boundary = torch.from_numpy(_boundary_weights()).float()

    def __call__(self, kernel: Tensor, bicubic: Tensor) -> Tensor:
        """Return the weighted sum of all constraints on a kernel (13,13)."""
        total = kernel.sum()
        loss = self._bicubic * bicubic + _SUM * (1 - total).abs()
        loss = loss + _BOUNDARY * (kernel * self._boundary).abs().mean()
        if self._sparsity:
            loss = loss + self._sparsity * kernel.abs().clamp_min(_TINY).pow(_SPARSITY_POWER).mean()
        if self._centre:
            centre = torch.stack([kernel.sum(axis) @ self._positions for axis in (1, 0)]) / total
            loss = loss + self._centre * (centre - self._middle).square().mean()
        return loss

    def update(self, iteration: int, bicubic: float) -> None:
        """Change the weights after an iteration with this loss against bicubic."""
        if self._near < 3:
            self._near = self._near + 1 if iteration and bicubic < _SIMILAR else 0
        elif iteration % _DECAY_EVERY == 0:
            self._bicubic = max(self._bicubic / _DECAY, _BICUBIC_LEAST)
            if self._bicubic < _CONSTRAINED_BELOW:
                self._sparsity, self._centre = _SPARSITY, _CENTRE


def _boundary_weights() -> Kernel:
    """Return (13,13): nothing inside, and near the border what a wide Gaussian has lost there."""
    distance = np.arange(SUPPORT) - SUPPORT // 2
    fall = np.exp(-0.5 * (distance / SUPPORT) ** 2)
    weights = 1 - np.outer(fall, fall)
    inner = (SUPPORT - (SUPPORT // 2 + 1)) // 2 - 1
    weights[inner:-inner, inner:-inner] = 0
    return _BOUNDARY_SCALE * weights


def _bicubic_halving() -> Kernel:
    """Return (8,8): Keys' cubic kernel (a = -0.5), widened by 2 against aliasing."""
    x = np.abs(np.arange(8) - 3.5) / 2
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x <= 1, near, far) / 2
    return np.outer(weights, weights)
