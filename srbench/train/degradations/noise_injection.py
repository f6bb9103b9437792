"""Add real noise to LR, cut from smooth patches of images of the source domain: Impressionism (Real-SR)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.clean import bicubic_lr
from srbench.train.degradations.estimated_kernels import estimate_kernels
from srbench.train.degradations.kernelgan import KernelGANSettings
from srbench.train.degradations.kernels import Kernels, load_kernels
from srbench.train.degradations.noise_patches import NoisePatches, PatchRules, collect_patches
from srbench.train.degradations.source_domain import DEFAULT_IMAGES, SourceDomain, open_domain

ESTIMATED = "kernelgan"
"""This stands for kernels that are estimated; a folder of that name is written ``./kernelgan``."""


class NoiseInjectionSettings(Table):
    """Holds the settings of ``noise-injection``; the defaults are those of Real-SR's published code for df2k.

    Attributes:
        source: LR images of the source domain: a folder, or ``mini:ntire``, ``mini:aim``.
        source_images: how many images the mini sources make; a folder is taken whole.
        source_side: side of those images in LR pixels; none: of an LR crop in training.
        patch: side of a collected patch in LR pixels. The published code cuts the noise of a training crop
            out of one patch; from patches smaller than the crop it is put together.
        stride: from one patch to the next in LR pixels.
        max_variance: gray variance a patch has to stay below, in levels of 255 squared.
        max_colour_variance: variance each colour of a patch has to stay below; none: no bound, as published.
        min_mean: gray mean a patch has to exceed, in levels of 255 (0 for df2k, 50 for dped).
        limit: patches kept in memory; of more, a random choice.
        kernels: blur kernels, one of which is drawn for each sample in place of bicubic: a file or folder
            (.mat, .npy, .npz), or ``kernelgan`` to estimate one from each image of ``source``; none: bicubic.
        kernel_images: estimate kernels from a random choice of so many of the images; 0: from all.
        kernelgan: how they are estimated; for the published way the table need not be there.
        quantize: round the LR to 8 bit before the noise is added, as LR files are.
    """

    kind: Literal["noise-injection"] = "noise-injection"
    source: str = Field(min_length=1)
    source_images: int = Field(default=DEFAULT_IMAGES, ge=1)
    source_side: int | None = Field(default=None, ge=8)
    patch: int = Field(default=256, ge=1)
    stride: int = Field(default=256, ge=1)
    max_variance: float = Field(default=20.0, gt=0)
    max_colour_variance: float | None = Field(default=None, gt=0)
    min_mean: float = Field(default=0.0, ge=0, lt=255)
    limit: int = Field(default=2000, ge=1)
    kernels: str | None = Field(default=None, min_length=1)
    kernel_images: int = Field(default=0, ge=0)
    kernelgan: KernelGANSettings = KernelGANSettings()
    quantize: bool = True


class NoiseInjection(Degradation):
    """Downscales, adds the noise of a random crop of a random patch, and clips.

    Images are read, and kernels read or estimated, by :meth:`prepare`.
    """

    def __init__(self, settings: NoiseInjectionSettings, context: Context) -> None:
        self._settings = settings
        self._context = context

    def prepare(self) -> None:
        if self._kernels is not None:
            self._context.report(f"{len(self._kernels)} blur kernels from {self._settings.kernels}")
        self._context.report(f"{len(self._noise)} noise patches from {self._settings.source}")

    def __call__(self, batch: Batch) -> Tensor:
        lr = self._downscaled(batch)
        size = (lr.shape[-2], lr.shape[-1])
        noise = self._noise.draw(size, batch.ids, self._context.seed)
        return (lr + noise.to(lr)).clamp(0, 1)

    def describe(self) -> dict[str, Any]:
        facts: dict[str, Any] = self._settings.model_dump(mode="json")
        facts |= {"noise_patches": len(self._noise), "noise_hash": self._noise.hash}
        if self._kernels is not None:
            facts |= {"kernel_count": len(self._kernels), "kernel_hash": self._kernels.hash}
        return facts

    @cached_property
    def _noise(self) -> NoisePatches:
        s = self._settings
        colours = float("inf") if s.max_colour_variance is None else s.max_colour_variance
        rules = PatchRules(s.patch, s.stride, s.max_variance, s.min_mean, s.limit, colours)
        return collect_patches(self._domain, rules, source=s.source, seed=self._context.seed)

    @cached_property
    def _domain(self) -> SourceDomain:
        s = self._settings
        return open_domain(s.source, self._context, count=s.source_images, side=s.source_side)

    @cached_property
    def _kernels(self) -> Kernels | None:
        s = self._settings
        if s.kernels is None:
            return None
        if s.kernels == ESTIMATED:
            return Kernels(estimate_kernels(self._domain, s.kernelgan, self._context, images=s.kernel_images))
        return load_kernels(Path(s.kernels).expanduser())

    def _downscaled(self, batch: Batch) -> Tensor:
        kernels, quantize = self._kernels, self._settings.quantize
        if kernels is None:
            return bicubic_lr(batch.hr, quantize=quantize)
        draws = [generator(self._context.seed, i, "kernel") for i in batch.ids]
        chosen = [int(torch.randint(len(kernels), (), generator=draw)) for draw in draws]
        with torch.no_grad():
            lr = kernels.downscale(batch.hr.detach(), chosen).clamp(0, 1)
            return (lr * 255).round() / 255 if quantize else lr


KIND = DegradationKind(NoiseInjectionSettings, NoiseInjection)
