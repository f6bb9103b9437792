"""Networks that make tensors as they run go in bf16 at sizes for which they have nothing prepared."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from srbench import zoo
from srbench.support.torchvision import prepare_torchvision

prepare_torchvision()
from spandrel.architectures.ATD import ATD  # noqa: E402
from spandrel.architectures.DRCT import DRCT  # noqa: E402
from spandrel.architectures.Swin2SR import Swin2SR  # noqa: E402
from spandrel.architectures.SwinIR import SwinIR  # noqa: E402

SMALL = {"depths": [2], "num_heads": [2], "mlp_ratio": 2, "upscale": 4, "upsampler": "pixelshuffle"}


def make(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "SwinIR":
        return SwinIR(img_size=16, window_size=8, embed_dim=12, **SMALL)
    if name == "Swin2SR":
        return Swin2SR(img_size=16, window_size=8, embed_dim=12, **SMALL)
    if name == "DRCT":
        return DRCT(img_size=64, window_size=16, embed_dim=36, gc=16, **SMALL)
    few = {"category_size": 32, "num_tokens": 16, "reducted_dim": 4}
    return ATD(window_size=8, embed_dim=36, **few, **SMALL)


@pytest.mark.parametrize("name", ["SwinIR", "Swin2SR", "DRCT", "ATD"])
def test_attention_masks_of_another_size_are_bf16_too(name: str, tmp_path: Path) -> None:
    torch.save(make(name).state_dict(), tmp_path / "net.pth")
    (ref,) = zoo.resolve([str(tmp_path / "net.pth")])
    assert ref.card.architecture["family"] == name
    full, half = ref.load(), ref.load(precision="bf16")
    lr = torch.rand(1, 3, 17, 23, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, sr = full(lr), half(lr)
    assert sr.shape == (1, 3, 68, 92)
    assert 0 < float((sr - expected).abs().mean()) < 0.05 * float(expected.std())
    lr.requires_grad_()
    half(lr).sum().backward()
    assert lr.grad is not None and bool(lr.grad.any())


def test_a_size_with_a_mask_of_its_own_gives_what_it_gave(tmp_path: Path) -> None:
    network = make("SwinIR")
    torch.save(network.state_dict(), tmp_path / "net.pth")
    half = zoo.resolve([str(tmp_path / "net.pth")])[0].load(precision="bf16")
    lr = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.eval().to(torch.bfloat16)(lr.to(torch.bfloat16)).float()
        assert torch.equal(half(lr), expected)
