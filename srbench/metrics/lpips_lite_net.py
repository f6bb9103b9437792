"""Build the network of lpips-lite: five convolutions with AlexNet's strides, and an embedding of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.support.home import atomic_path

WEIGHTS = Path(__file__).with_name("lpips-lite.safetensors")
VERSION = "1"
LEAST_SIDE = 31
"""No image may have fewer pixels in height or width."""

_WIDTHS = (64, 128, 192, 144, 128)
DIMENSIONS = (48, 80, 96, 96, 96)
"""Each of the five embeddings has this many channels."""

_SOFTENING = 1.0
_SCALE = ".scale"
Part = TypeVar("Part", bound=nn.Module)


class LPIPSLiteNet(nn.Module):
    """Compute a distance of images, (N,3,H,W) twice in [0,1] to (N,); 0 for equal images.

    Built as LPIPS is (Zhang et al. 2018, eq. 1): features of five layers, each made nearly a unit vector at
    every place and then embedded linearly; squared differences of the embeddings, averaged over places and
    summed over layers. The layers have the strides of AlexNet's, so that every layer's map of distances has
    the size of that of LPIPS-Alex, from which it is learnt (:mod:`srbench.train.lite.distill`); no weight is
    taken from there. It is differentiable in both images.

    Args:
        learning: with BatchNorm after every convolution; :meth:`folded` takes it away again.
    """

    def __init__(self, *, learning: bool = False) -> None:
        super().__init__()

        def block(inside: int, outside: int, side: int, stride: int = 1, pool: bool = False) -> nn.Sequential:
            conv = nn.Conv2d(inside, outside, side, stride, 2 if side > 3 else 1, bias=not learning)
            norm = [nn.BatchNorm2d(outside, momentum=0.05)] if learning else []
            return nn.Sequential(*([nn.MaxPool2d(3, 2)] if pool else []), conv, *norm, nn.ReLU())

        a, b, c, d, e = _WIDTHS
        self.layers = nn.ModuleList(
            [
                block(3, a, 11, stride=4),
                block(a, b, 5, pool=True),
                block(b, c, 3, pool=True),
                block(c, d, 3),
                block(d, e, 3),
            ]
        )
        self.heads = nn.ModuleList([nn.Conv2d(w, k, 1) for w, k in zip(_WIDTHS, DIMENSIONS, strict=True)])

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the five embeddings (N,C,h,w) of images (N,3,H,W) in [0,1]."""
        x = (images - 0.45) / 0.25
        embeddings = []
        for layer, head in zip(self.layers, self.heads, strict=True):
            x = layer(x)
            # Differences of embeddings need more digits than autocast's convolutions give; not quite a unit
            # vector, since where features vanish its gradient would have no bound.
            with torch.autocast(x.device.type, enabled=False):
                wide = x.to(images.dtype)
                unit = wide * torch.rsqrt(wide.square().sum(1, keepdim=True) + _SOFTENING)
                embeddings.append(head(unit))
        return embeddings

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Return the distances (N,) of two batches."""
        return total(maps(self.features(sr), self.features(hr)))

    def folded(self) -> LPIPSLiteNet:
        """Return the same function in eval mode, its BatchNorm folded into the convolutions."""
        plain = LPIPSLiteNet().eval().requires_grad_(False)
        with torch.no_grad():
            for learnt, folded in zip(self.layers, plain.layers, strict=True):
                _fold(learnt, folded)
        plain.heads.load_state_dict(self.heads.state_dict())
        return plain


def _fold(learnt: nn.Module, plain: nn.Module) -> None:
    conv, norm, target = _only(learnt, nn.Conv2d), _only(learnt, nn.BatchNorm2d), _only(plain, nn.Conv2d)
    assert norm.running_mean is not None and norm.running_var is not None and target.bias is not None
    gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    target.weight.copy_(conv.weight * gain[:, None, None, None])
    target.bias.copy_(norm.bias - norm.running_mean * gain)


def _only(module: nn.Module, kind: type[Part]) -> Part:
    (only,) = (part for part in module.children() if isinstance(part, kind))
    return only


def maps(first: Sequence[Tensor], second: Sequence[Tensor]) -> list[Tensor]:
    """Return distances at every place, (N,h,w) for each layer, from two images' embeddings."""
    return [(a - b).square().sum(1) for a, b in zip(first, second, strict=True)]


def total(layers: Sequence[Tensor]) -> Tensor:
    """Return the distance of images (N,) from its maps (N,h,w), one for each layer."""
    return torch.stack([layer.flatten(1).mean(1) for layer in layers]).sum(0)


def to_int8(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights for a small file: convolutions as int8 with a scale per output channel, biases fp16."""
    packed = {}
    for name, value in weights.items():
        if value.ndim < 2:
            packed[name] = value.half().contiguous()
            continue
        largest = value.abs().amax(tuple(range(1, value.ndim)), keepdim=True).clamp_min(1e-6)
        scale = largest / 127  # fp32: small weights' scales are too small for fp16
        packed[name] = (value / scale).round().clamp(-127, 127).to(torch.int8).contiguous()
        packed[name + _SCALE] = scale.contiguous()
    return packed


def from_int8(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in fp32 from :func:`to_int8`."""
    return {
        name: value.float() * packed[name + _SCALE].float() if name + _SCALE in packed else value.float()
        for name, value in packed.items()
        if not name.endswith(_SCALE)
    }


def save(network: LPIPSLiteNet, file: Path) -> None:
    """Write a folded network's weights, about 0.9 MB, whole or not at all."""
    from safetensors.torch import save_file

    with atomic_path(file) as temporary:
        save_file(to_int8(network.state_dict()), temporary, metadata={"format": "pt", "version": VERSION})


def load(file: Path = WEIGHTS) -> LPIPSLiteNet:
    """Return the distilled network, on the CPU in fp32, frozen and in eval mode.

    Raises:
        BadInput: the file is missing or is of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = LPIPSLiteNet()
    try:
        network.load_state_dict(from_int8(load_file(file)))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"{file} holds no lpips-lite ({error}): install srbench again") from error
    return network.eval().requires_grad_(False)
