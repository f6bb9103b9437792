"""Build the networks that tell SR from HR: VGG-style, PatchGAN, and a U-Net that judges every pixel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from srbench.attacks.noise import generator
from srbench.errors import BadInput
from srbench.train.initial import initialised

VGG_MULTIPLE = 32
PATCHGAN_LEAST = 24
UNET_MULTIPLE = 8


def build_discriminator(
    kind: str, patch: int, num_feat: int = 64, norm: str = "batch", seed: int = 0
) -> Discriminator | None:
    """Return a discriminator on the CPU in fp32, in train mode, with torch's default weights; None for none.

    Args:
        kind: ``vgg`` (ESRGAN, RSR), ``patchgan`` (Impressionism on DPED), ``unet`` (Real-ESRGAN) or ``none``.
        patch: side of the HR crops in pixels: a multiple of 32 for ``vgg``, of 8 for ``unet``, 24 or more
            for ``patchgan``.
        num_feat: features of the first layer; up to eight times as many in the last.
        norm: ``batch`` as published, or ``none``: for batches too small for statistics, and where several
            processes have to give the numbers of one. BatchNorm takes its statistics from the images of its
            own process; where there are several on CUDA devices, the trainer converts it to SyncBatchNorm
            (``nn.SyncBatchNorm.convert_sync_batchnorm``), which has no CPU version. ``unet`` takes no
            notice of it: its convolutions are spectrally normalised, as published.
        seed: decides the weights; no global random state is read or written.

    Raises:
        BadInput: an unknown kind or norm, or a patch that does not fit.
    """
    if kind == "none":
        return None
    if norm not in ("batch", "none"):
        raise BadInput(f"discriminator.norm '{norm}' is not known: choose batch or none")
    if num_feat < 1:
        raise BadInput(f"discriminator.num_feat is {num_feat}: it has to be 1 or more")
    batch_norm = norm == "batch"
    if kind == "vgg":
        if patch < VGG_MULTIPLE or patch % VGG_MULTIPLE:
            raise BadInput(
                f"the vgg discriminator needs HR patches of a multiple of {VGG_MULTIPLE}, not {patch}: "
                "change data.patch, or set discriminator.kind to patchgan"
            )
        network = initialised(lambda: VGGStyle(patch, num_feat, batch_norm), seed, "discriminator")
    elif kind == "patchgan":
        if patch < PATCHGAN_LEAST:
            raise BadInput(f"the patchgan discriminator needs HR patches of {PATCHGAN_LEAST} pixels or more")
        network = initialised(lambda: PatchGAN(num_feat, batch_norm), seed, "discriminator")
    elif kind == "unet":
        if patch % UNET_MULTIPLE:
            raise BadInput(f"the unet discriminator needs HR patches of a multiple of {UNET_MULTIPLE} pixels")
        network = initialised(lambda: UNet(num_feat), seed, "discriminator")
        assert isinstance(network, UNet)
        network.normalise(seed)
    else:
        raise BadInput(f"discriminator.kind '{kind}' is not known: choose vgg, patchgan, unet or none")
    assert isinstance(network, Discriminator)
    return network.train()


class Discriminator(nn.Module, ABC):
    """Turns images (N,3,H,W), RGB in [0,1], into logits, high where real, of the subclass's own shape."""

    stages: nn.Sequential
    """Each stage is a convolution, a norm if any, and LeakyReLU 0.2."""

    def features(self, images: Tensor) -> list[Tensor]:
        """Return what every stage makes of the images, (N,C,h,w) each, first to last; without the logits."""
        outputs: list[Tensor] = []
        for stage in self.stages:
            images = stage(images)
            outputs.append(images)
        return outputs

    def forward(self, images: Tensor) -> Tensor:
        return self.judge(self.stages(images))

    @abstractmethod
    def judge(self, last: Tensor) -> Tensor:
        """Return logits from the last of :meth:`features`."""


class VGGStyle(Discriminator):
    """Follows BasicSR's VGGStyleDiscriminator128, for any patch that is a multiple of 32; logits (N,1).

    Five pairs of a 3x3 convolution and a 4x4 one of stride 2; features double from the second pair to the
    fourth; then a linear layer to 100 and one to the logit. At 128 pixels and 64 features, 14,499,401
    parameters.

    Raises:
        BadInput: images of another size; a single image of 32 pixels to a BatchNorm in train mode.
    """

    def __init__(self, patch: int, num_feat: int, batch_norm: bool) -> None:
        super().__init__()
        self.patch = patch
        self.batch_norm = batch_norm
        widths = [num_feat * times for times in (1, 2, 4, 8, 8)]
        layers: list[nn.Module] = []
        incoming = 3
        for width in widths:
            layers.append(_stage(incoming, width, 3, 1, batch_norm=batch_norm and incoming != 3))
            layers.append(_stage(width, width, 4, 2, batch_norm=batch_norm))
            incoming = width
        self.stages = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(incoming * (patch // VGG_MULTIPLE) ** 2, 100), nn.LeakyReLU(0.2), nn.Linear(100, 1)
        )

    def features(self, images: Tensor) -> list[Tensor]:
        self._check(images)
        return super().features(images)

    def forward(self, images: Tensor) -> Tensor:
        self._check(images)
        return super().forward(images)

    def judge(self, last: Tensor) -> Tensor:
        logits: Tensor = self.head(last.flatten(1))
        return logits

    def _check(self, images: Tensor) -> None:
        height, width = images.shape[-2:]
        if (height, width) != (self.patch, self.patch):
            raise BadInput(
                f"the discriminator was made for {self.patch} x {self.patch} pixels, not {width} x {height}"
            )
        if self.batch_norm and self.training and self.patch == VGG_MULTIPLE and len(images) == 1:
            raise BadInput(
                "BatchNorm has nothing to average over in the last layer for one image of 32 pixels: "
                "set discriminator.norm to none, or use a larger batch or patch"
            )


class PatchGAN(Discriminator):
    """Follows the 70x70 PatchGAN of pix2pix (n_layers 3), for any size; logits (N,1,h,w), h = H//8 - 2.

    4x4 convolutions, three of stride 2 and two of stride 1. With BatchNorm and 64 features, 2,765,633
    parameters. Initial weights are torch's default, as Impressionism has them, not pix2pix's own.
    """

    def __init__(self, num_feat: int, batch_norm: bool) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            _stage(3, num_feat, 4, 2, batch_norm=False),
            _stage(num_feat, num_feat * 2, 4, 2, batch_norm=batch_norm),
            _stage(num_feat * 2, num_feat * 4, 4, 2, batch_norm=batch_norm),
            _stage(num_feat * 4, num_feat * 8, 4, 1, batch_norm=batch_norm),
        )
        self.head = nn.Conv2d(num_feat * 8, 1, 4, 1, 1)

    def judge(self, last: Tensor) -> Tensor:
        logits: Tensor = self.head(last)
        return logits


class UNet(Discriminator):
    """Follows Real-ESRGAN's UNetDiscriminatorSN (Wang et al. 2021): a logit for every pixel, (N,1,H,W).

    Three convolutions of stride 2 go down and three bilinear enlargements up again, each of which is added to
    what was there on the way down. All convolutions but the first and the last are spectrally normalised,
    which keeps a discriminator that wins easily from leaving the generator without a gradient. With 64
    features 4,376,897 parameters.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        widths = [num_feat * times for times in (1, 2, 4, 8)]
        downwards = (_stage(a, b, 4, 2, batch_norm=False, bias=False) for a, b in pairwise(widths))
        self.stages = nn.Sequential(_stage(3, num_feat, 3, 1, batch_norm=False), *downwards)
        self.rising = nn.ModuleList(
            _stage(a, b, 3, 1, batch_norm=False, bias=False) for a, b in pairwise(reversed(widths))
        )
        self.last = nn.Sequential(
            *(_stage(num_feat, num_feat, 3, 1, batch_norm=False, bias=False) for _ in range(2))
        )
        self.head = nn.Conv2d(num_feat, 1, 3, 1, 1)

    def normalise(self, seed: int) -> None:
        """Normalise the convolutions by their spectral norm; the estimate of it begins at random vectors."""
        with torch.random.fork_rng(devices=[]):  # it draws its first vectors from torch's own generator
            draw = generator(seed, "spectral norm", "discriminator")
            torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=draw)))
            for stage in (*list(self.stages)[1:], *self.rising, *self.last):
                assert isinstance(stage, nn.Sequential)
                spectral_norm(stage[0])

    def forward(self, images: Tensor) -> Tensor:
        *across, deepest = self.features(images)
        for stage, same_size in zip(self.rising, reversed(across), strict=True):
            larger = F.interpolate(deepest, scale_factor=2, mode="bilinear", align_corners=False)
            deepest = stage(larger) + same_size
        return self.judge(deepest)

    def judge(self, last: Tensor) -> Tensor:
        logits: Tensor = self.head(self.last(last))
        return logits


def _stage(
    incoming: int, width: int, side: int, stride: int, *, batch_norm: bool, bias: bool = True
) -> nn.Sequential:
    # A bias before BatchNorm does nothing: its mean is subtracted.
    convolution = nn.Conv2d(incoming, width, side, stride, 1, bias=bias and not batch_norm)
    norms: list[nn.Module] = [nn.BatchNorm2d(width)] if batch_norm else []
    return nn.Sequential(convolution, *norms, nn.LeakyReLU(0.2, inplace=True))
