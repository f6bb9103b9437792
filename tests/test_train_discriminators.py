"""Discriminators: their sizes counted by hand, what they see, what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_networks import discriminator, images, parameters
from torch import nn

from srbench.errors import BadInput
from srbench.train.discriminators import Discriminator, build_discriminator


def convolution(incoming: int, outgoing: int, side: int, bias: bool) -> int:
    return incoming * outgoing * side**2 + outgoing * bias


def vgg_parameters(patch: int, features: int, batch_norm: bool) -> int:
    """BasicSR's VGGStyleDiscriminator128, line by line: side and features of its ten convolutions."""
    layers = [(3, 1, 3), (1, 1, 4), (1, 2, 3), (2, 2, 4), (2, 4, 3)]
    layers += [(4, 4, 4), (4, 8, 3), (8, 8, 4), (8, 8, 3), (8, 8, 4)]
    total = convolution(3, features, 3, True)
    for incoming, outgoing, side in layers[1:]:
        total += convolution(incoming * features, outgoing * features, side, not batch_norm)
        total += 2 * outgoing * features * batch_norm
    flat = 8 * features * (patch // 32) ** 2
    return total + (flat * 100 + 100) + (100 + 1)


def patchgan_parameters(channels: int, features: int, batch_norm: bool) -> int:
    total = convolution(channels, features, 4, True) + convolution(8 * features, 1, 4, True)
    for incoming, outgoing in ((1, 2), (2, 4), (4, 8)):
        total += convolution(incoming * features, outgoing * features, 4, not batch_norm)
        total += 2 * outgoing * features * batch_norm
    return total


def test_discriminator_sizes_are_the_published_ones() -> None:
    assert vgg_parameters(128, 64, True) == 14_499_401
    # what pix2pix prints, 2.769 M, is for six channels: input and output together
    assert patchgan_parameters(6, 64, True) == 2_768_705
    for patch, features, norm in ((128, 64, "batch"), (64, 32, "batch"), (96, 16, "none")):
        vgg = discriminator("vgg", patch, num_feat=features, norm=norm)
        assert parameters(vgg) == vgg_parameters(patch, features, norm == "batch")
        patchgan = discriminator("patchgan", patch, num_feat=features, norm=norm)
        assert parameters(patchgan) == patchgan_parameters(3, features, norm == "batch")
        assert any(isinstance(m, nn.BatchNorm2d) for m in vgg.modules()) == (norm == "batch")


def test_vgg_linear_is_8192_100_1() -> None:
    linear = [m for m in discriminator("vgg", 128, num_feat=64).modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(8192, 100), (100, 1)]


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("patch", [32, 64, 96, 128])
@pytest.mark.parametrize("kind", ["vgg", "patchgan"])
def test_logits_come_from_the_last_features(kind: str, patch: int, norm: str) -> None:
    network = discriminator(kind, patch, norm=norm).eval()
    x = images(2, patch)
    with torch.no_grad():
        features, logits = network.features(x), network(x)
        torch.testing.assert_close(network.judge(features[-1]), logits)
    sides = [layer.shape[-1] for layer in features]
    if kind == "vgg":
        assert logits.shape == (2, 1)
        assert sides == [patch >> n for n in (0, 1, 1, 2, 2, 3, 3, 4, 4, 5)]
        assert [layer.shape[1] for layer in features] == [8, 8, 16, 16, 32, 32, 64, 64, 64, 64]
    else:
        assert logits.shape == (2, 1, patch // 8 - 2, patch // 8 - 2)
        assert sides == [patch // 2, patch // 4, patch // 8, patch // 8 - 1]


def test_patchgan_sees_70_pixels() -> None:
    network = discriminator("patchgan", 128, norm="none").double()
    x = images(1, 128).double().requires_grad_()
    network(x)[0, 0, 7, 7].backward()
    assert x.grad is not None
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


def test_sync_batchnorm_conversion_keeps_the_discriminator() -> None:
    network = discriminator(patch=64)
    x = images(3, 64)
    network(x)
    wanted = network.eval()(x)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    assert isinstance(converted, Discriminator)
    assert any(isinstance(m, nn.SyncBatchNorm) for m in converted.modules())
    torch.testing.assert_close(converted.eval()(x), wanted)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vgg", 100), "multiple of 32, not 100"),
        (("patchgan", 16), "24 pixels or more"),
        (("dcgan", 64), "vgg, patchgan, unet or none"),
        (("unet", 20), "multiple of 8"),
        (("vgg", 64, 8, "layer"), "batch or none"),
        (("vgg", 64, 0), "num_feat is 0"),
    ],
)
def test_discriminators_that_cannot_be(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        build_discriminator(*arguments)


def test_discriminator_refuses_other_images() -> None:
    assert build_discriminator("none", 128) is None
    for call in (discriminator(patch=64), discriminator(patch=64).features):
        with pytest.raises(BadInput, match="64 x 64 pixels, not 96 x 64"):
            call(torch.zeros(2, 3, 64, 96))
    with pytest.raises(BadInput, match="norm to none"):
        discriminator(patch=32)(images(1))
    assert discriminator(patch=32, norm="none")(images(1)).shape == (1, 1)
