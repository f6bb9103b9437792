"""Estimate the blur kernels of a source domain by KernelGAN, image by image, and keep them."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from srbench.attacks.noise import generator
from srbench.datasets.base import Pixels
from srbench.errors import BadInput, RunFailed
from srbench.support.home import atomic_path
from srbench.train.degradations.base import Context
from srbench.train.degradations.kernelgan import KernelGANSettings, estimate_kernel
from srbench.train.degradations.kernels import Kernel
from srbench.train.degradations.source_domain import SourceDomain

_VERSION = 1
"""This is to be raised when the same settings give other kernels."""
_FOLDER = "kernelgan"
_LOST = 0.25
"""So large a part of the images may come to no kernel, as flat ones do now and then."""


def estimate_kernels(
    domain: SourceDomain, settings: KernelGANSettings, context: Context, *, images: int = 0
) -> list[Kernel]:
    """Return the x1/4 kernel of each image of a domain, each estimated once.

    A kernel follows from its image's pixels, the settings and the context's seed alone. It is kept below the
    context's folder as soon as it is there, as ``kernelgan/SETTINGS/IMAGE.npy``, so that what was interrupted
    goes on with the next image, and such a folder can be the ``kernels`` of another run. Of several processes
    on one folder, one estimates and the others wait.

    Args:
        images: estimate from a random choice of so many; 0 or more than there are: from all.

    Raises:
        BadInput: an image is smaller than the crops that KernelGAN learns from.
        RunFailed: more than one image in four came to no kernel; fewer are left out, and said.
    """
    numbers = list(range(len(domain)))
    if 0 < images < len(numbers):
        chosen = torch.randperm(
            len(numbers), generator=generator(context.seed, domain.spec, "kernelgan images")
        )
        numbers = sorted(chosen[:images].tolist())
    context.report(f"KernelGAN: kernels of {len(numbers)} images of {domain.spec}")
    if context.folder is None:
        return _each(numbers, domain, settings, context, None)
    folder = context.folder / _FOLDER
    place = folder / _key(settings, context.seed)
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        return _each(numbers, domain, settings, context, place)


def _each(
    numbers: list[int],
    domain: SourceDomain,
    settings: KernelGANSettings,
    context: Context,
    place: Path | None,
) -> list[Kernel]:
    kernels, estimated, start = [], 0, time.monotonic()
    lost: list[int] = []
    for done, number in enumerate(numbers, 1):
        image = domain.image(number)
        file = None if place is None else place / f"{_hash(image)[:16]}.npy"
        kernel = None if file is None else _load(file)
        if kernel is None:
            estimated += 1
            try:
                kernel = _estimate(image, number, domain.spec, settings, context.seed)
            except RunFailed as error:
                lost.append(number)
                if len(lost) > _LOST * len(numbers):
                    raise RunFailed(f"{len(lost)} of {done} images so far: {error}") from error
                context.report(f"KernelGAN: image {number + 1} of {domain.spec} has no kernel: left out")
                continue
            if file is not None:
                _save(kernel, file)
            left = (time.monotonic() - start) / estimated * (len(numbers) - done)
            context.report(f"KernelGAN {done}/{len(numbers)}: {left:.0f} s left")
        kernels.append(kernel)
    if not estimated:
        context.report("KernelGAN: all kernels were estimated before")
    return kernels


def _estimate(image: Pixels, number: int, spec: str, settings: KernelGANSettings, seed: str | int) -> Kernel:
    height, width = image.shape[:2]
    if min(height, width) < settings.crop:
        raise BadInput(
            f"KernelGAN learns from crops of {settings.crop} px, and image {number + 1} of {spec} is "
            f"{width} x {height} px: choose larger source images, for mini sources by source_side"
        )
    return estimate_kernel(image, seed=seed, settings=settings)


def _key(settings: KernelGANSettings, seed: str | int) -> str:
    causes = {"version": _VERSION, "settings": settings.model_dump(mode="json"), "seed": str(seed)}
    return hashlib.sha256(json.dumps(causes, sort_keys=True).encode()).hexdigest()[:12]


def _hash(image: Pixels) -> str:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def _save(kernel: Kernel, file: Path) -> None:
    with atomic_path(file) as temporary, temporary.open("wb") as opened:
        np.save(opened, kernel)


def _load(file: Path) -> Kernel | None:
    """Load a kernel that was kept; None where there is none, or it is damaged and is estimated anew."""
    try:
        kernel = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = isinstance(kernel, np.ndarray) and kernel.ndim == 2 and np.isfinite(kernel).all()
    return kernel if whole and kernel.sum() > 0 else None
