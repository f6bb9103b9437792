"""How near KernelGAN comes to known kernels: ``python benchmarks/kernel_recovery.py --images 0,3``.

Dead leaves of 512 x 512 are halved by Gaussians (blurred by SciPy, every second pixel kept), and the kernel
of what comes of it is estimated with the published settings, about a minute each on one core. Likeness is the
normalised correlation of the two kernels, 1 where they are proportional; beside it that of bicubic's kernel,
which a method that learns nothing of the image would give. Width is the standard deviation of the round
Gaussian that fits best.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, optimize

from srbench.train.data.dead_leaves import canvas
from srbench.train.degradations.kernelgan import KernelGANSettings, _bicubic_halving, estimate_halving_kernel

SHAPES = ((1.0, 1.0), (1.5, 1.5), (2.0, 1.2))
Kernel = NDArray[np.float64]


def gaussian(down: float, across: float, side: int = 14) -> Kernel:
    y, x = np.indices((side, side)) - (side - 1) / 2
    kernel: Kernel = np.exp(-0.5 * (y / down) ** 2 - 0.5 * (x / across) ** 2)
    return kernel / kernel.sum()


def halved(image: NDArray[np.uint8], kernel: Kernel) -> NDArray[np.uint8]:
    channels = [ndimage.correlate(image[..., c].astype(float), kernel, mode="reflect") for c in range(3)]
    # SciPy's origin of an even kernel is just behind its middle.
    return np.stack(channels, -1)[1::2, 1::2].round().clip(0, 255).astype(np.uint8)


def likeness(first: Kernel, second: Kernel) -> float:
    side = max(len(first), len(second))
    a, b = (np.pad(kernel, (side - len(kernel)) // 2) for kernel in (first, second))
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


def width(kernel: Kernel) -> float:
    y, x = np.indices(kernel.shape) - (len(kernel) - 1) / 2

    def error(p: Kernel) -> Kernel:
        return np.asarray(p[1] * np.exp(-0.5 * (y**2 + x**2) / p[0] ** 2) - kernel).ravel()

    return float(abs(optimize.least_squares(error, [1.5, kernel.max()]).x[0]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", default="0,3", help="numbers of dead leaves, by commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| image | Gaussian | likeness | bicubic's | width |\n|---|---|---:|---:|---:|")
    for number in map(int, args.images.split(",")):
        for shape in SHAPES:
            truth = gaussian(*shape)
            found = estimate_halving_kernel(
                halved(canvas(number, 1), truth), seed=0, settings=KernelGANSettings()
            )
            beside = likeness(_bicubic_halving(), truth)
            title = " x ".join(map(str, shape))
            print(
                f"| {number} | {title} | {likeness(found, truth):.3f} | {beside:.3f} | {width(found):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
