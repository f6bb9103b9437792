"""Measure perceptual distances: features of VGG19 (ESRGAN, RSR) and VGG16, LPIPS, lpips-lite."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srbench.attacks.objectives import Objective, Score
from srbench.errors import BadInput, Unavailable
from srbench.metrics import lpips_lite_net as lite
from srbench.metrics.backbones import PERCEPTUAL
from srbench.metrics.lpips_net import BACKBONES, load_lpips, read_features

# Output channels of the convolutions by block; conv5_4 and conv5_3 are the last of all sixteen and thirteen.
_BLOCKS = {
    "vgg19": ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4),
    "vgg16-conv5_3": ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LEAST_SIDE = {
    "vgg19": 16,
    "vgg16-conv5_3": 16,
    "lpips-alex": 31,
    "lpips-squeeze": 17,
    "lpips-vgg": 16,
    "lpips-lite": lite.LEAST_SIDE,
}


def locate(term: str) -> Path:
    """Return the weight file of a perceptual term (``vgg19``, ``lpips-…``, …), fetched if need be.

    Raises:
        Unavailable: it is not here and cannot be fetched; the message says how to get it.

    >>> from srbench.attacks.perceptual import locate
    >>> locate("lpips-lite").name
    'lpips-lite.safetensors'
    """
    if term == "lpips-lite":
        return lite.WEIGHTS
    weight = PERCEPTUAL.get(term) or BACKBONES[term.removeprefix("lpips-")]
    try:
        return weight.locate()
    except Unavailable as error:
        url = weight.files[0].url
        raise Unavailable(f"{error}: download {url} into a directory named by SRBENCH_WEIGHTS") from error


class VGG19(Objective):
    """Measures the mean absolute difference of VGG19 conv5_4 features before the ReLU, ImageNet input norm.

    The source is ESRGAN (Wang et al. 2018), whose perceptual loss Castillo et al. 2021 attack. It is defined
    for SR of 16 pixels a side and more.

    Args:
        features: a module from normalised RGB (N,3,H,W) to features, in place of the ImageNet network. It
            is taken over: put into eval mode and frozen.

    Raises:
        Unavailable: the weights are not installed; the message says how to get them.
        BadInput: the installed file is not a VGG19.

    >>> import torch
    >>> from srbench.attacks import VGG19
    >>> objective = VGG19(features=torch.nn.Conv2d(3, 2, 3))
    >>> objective(torch.ones(2, 3, 16, 16), torch.ones(2, 3, 16, 16))
    tensor([0., 0.])
    """

    _net = "vgg19"

    def __init__(self, features: nn.Module | None = None) -> None:
        self._text = self._net if features is None else f"custom:{self._net}"
        network: Any = features or _load_vgg(self._net, locate(self._net))
        self._copies = _Copies(network.to(memory_format=torch.channels_last))
        self._least = _LEAST_SIDE[self._net] if features is None else 1

    @property
    def text(self) -> str:
        return self._text

    def bind(self, target: Tensor) -> Score:
        _check_side(target, self._least, self._net)
        network = self._copies.beside(target)
        mean = target.new_tensor(_MEAN).reshape(1, 3, 1, 1)
        std = target.new_tensor(_STD).reshape(1, 3, 1, 1)

        def features(image: Tensor) -> Tensor:
            normalised = (image - mean) / std
            made: Tensor = network(normalised.contiguous(memory_format=torch.channels_last))
            return made.to(image.dtype)

        with torch.no_grad():
            of_target = features(target)
        return lambda sr: (features(sr) - of_target).abs().flatten(1).mean(1)


class VGG16(VGG19):
    """Measures the same of VGG16 conv5_3: the last layer there, too, of a network that pip's index has.

    >>> import torch
    >>> from srbench.attacks.perceptual import VGG16
    >>> objective = VGG16(features=torch.nn.Conv2d(3, 2, 3))
    >>> objective.text, objective(torch.ones(2, 3, 16, 16), torch.ones(2, 3, 16, 16))
    ('custom:vgg16-conv5_3', tensor([0., 0.]))
    """

    _net = "vgg16-conv5_3"


class LPIPS(Objective):
    """Measures LPIPS v0.1 (Zhang et al. 2018), equal to the lpips package's own forward; SR is not clipped.

    It is defined for SR of 31 pixels a side and more by ``alex``, 17 by ``squeeze``, 16 by ``vgg``.

    Args:
        net: ``alex``, ``squeeze`` or ``vgg``.
        network: a loaded ``lpips.LPIPS`` in place of the published one. It is taken over: put into eval
            mode and frozen.

    Raises:
        BadInput: another net.
        Unavailable: the backbone is not installed; the message says how to get it.

    >>> import lpips, torch
    >>> from srbench.attacks import LPIPS
    >>> objective = LPIPS("squeeze", lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False))
    >>> objective(torch.ones(2, 3, 32, 32), torch.ones(2, 3, 32, 32))
    tensor([0., 0.])
    """

    def __init__(self, net: str = "alex", network: nn.Module | None = None) -> None:
        if net not in BACKBONES:
            raise BadInput(f"'{net}' is not an LPIPS backbone here: choose {' or '.join(BACKBONES)}")
        self._name = f"lpips-{net}"
        self._text = self._name if network is None else f"custom:{self._name}"
        self._copies = _Copies(network or _load_lpips(net, locate(self._name)))

    @property
    def text(self) -> str:
        return self._text

    def bind(self, target: Tensor) -> Score:
        _check_side(target, _LEAST_SIDE[self._name], self._name)
        network: Any = self._copies.beside(target)

        def features(image: Tensor) -> list[Tensor]:
            scaled = network.scaling_layer(2 * image - 1)
            return [_unit(f.to(image.dtype)) for f in network.net(scaled)]

        with torch.no_grad():
            of_target = features(target)

        def score(sr: Tensor) -> Tensor:
            total = sr.new_zeros(len(sr))
            for head, ours, theirs in zip(network.lins, features(sr), of_target, strict=True):
                total = total + head((ours - theirs).square()).to(sr.dtype).flatten(1).mean(1)
            return total

        return score


class LPIPSLite(Objective):
    """Measures the distance of :mod:`srbench.metrics.lpips_lite_net`, which ships with srbench.

    >>> import torch
    >>> from srbench.attacks import LPIPSLite
    >>> LPIPSLite()(torch.ones(2, 3, 32, 32), torch.ones(2, 3, 32, 32))
    tensor([0., 0.])
    """

    text = "lpips-lite"

    def __init__(self) -> None:
        self._copies = _Copies(_load_lite())

    def bind(self, target: Tensor) -> Score:
        _check_side(target, _LEAST_SIDE[self.text], self.text)
        network: Any = self._copies.beside(target)
        with torch.no_grad():
            of_target = network.features(target)
        return lambda sr: lite.total(lite.maps(network.features(sr), of_target))


def _unit(features: Tensor) -> Tensor:
    """Divide every pixel's channels by their Euclidean length, as lpips.normalize_tensor does."""
    norm = features.square().sum(1, keepdim=True).sqrt()
    return features / (norm + 1e-10)


class _Copies:
    """Holds a frozen network, copied once to each device and number type it is used on."""

    def __init__(self, network: nn.Module) -> None:
        network.eval().requires_grad_(False)
        self._original = network
        self._copies: dict[tuple[torch.device, torch.dtype], nn.Module] = {}

    def beside(self, tensor: Tensor) -> nn.Module:
        key = (tensor.device, tensor.dtype)
        if key not in self._copies:
            like = next(iter(self._original.parameters()), tensor)
            same = (like.device, like.dtype) == key
            self._copies[key] = self._original if same else copy.deepcopy(self._original).to(tensor)
        return self._copies[key]


def vgg19_features() -> nn.Sequential:
    """Make VGG19 up to conv5_4, without its ReLU; keys are torchvision's ``features``, weights are not set.

    >>> import torch
    >>> from srbench.attacks.perceptual import vgg19_features
    >>> with torch.device("meta"):
    ...     vgg19_features()[-1]
    Conv2d(512, 512, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """
    return _vgg_features("vgg19")


def _vgg_features(net: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for block in _BLOCKS[net]:
        for width in block:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers[:-2])


@functools.lru_cache(maxsize=2)
def _load_vgg(net: str, file: Path) -> nn.Module:
    state: Any
    if file.suffix == ".ckpt":
        state = read_features("vgg", file)
    else:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    with torch.device("meta"):  # no random initialisation: nobody's random state is touched
        network = _vgg_features(net)
    features = {
        key: state[f"features.{key}"].clone() for key in network.state_dict() if f"features.{key}" in state
    }
    try:
        network.load_state_dict(features, strict=True, assign=True)
    except RuntimeError as error:
        name = net.partition("-")[0].upper()
        raise BadInput(f"{file} is not torchvision's {name}: {str(error).splitlines()[0]}") from error
    return network


@functools.lru_cache(maxsize=1)
def _load_lite() -> nn.Module:
    return lite.load()


@functools.lru_cache(maxsize=4)
def _load_lpips(net: str, file: Path) -> nn.Module:
    return load_lpips(net, file)


def _check_side(target: Tensor, least: int, name: str) -> None:
    height, width = target.shape[-2:]
    if min(height, width) < least:
        raise BadInput(
            f"objective {name} needs SR images of at least {least} pixels a side, not {width} x {height}"
        )
