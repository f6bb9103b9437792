"""Build the network that is trained: RRDBNet x4 (ESRGAN, Wang et al. 2018), as spandrel has it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from srbench.attacks.noise import generator as random_generator
from srbench.errors import BadInput
from srbench.support.scales import SCALE
from srbench.train.initial import initialised

_DENSE = re.compile(r".*\.RDB\d\.conv\d\.0")
_BLOCK = re.compile(r"model\.1\.sub\.\d+\.RDB1\.conv1\.0\.weight")


def build_generator(num_feat: int = 64, num_block: int = 23, seed: int = 0) -> nn.Module:
    """Return an RRDBNet from (N,3,h,w) in [0,1] to (N,3,4h,4w), not clamped; on the CPU in fp32, training.

    Initialised as ESRGAN (BasicSR) does: convolutions of the dense blocks Kaiming normal by fan-in times 0.1
    with zero biases, the others by torch's default. 64 features and 23 blocks, the published size, are
    16,697,987 parameters.

    Args:
        num_feat: features.
        num_block: residual-in-residual blocks.
        seed: decides the weights; no global random state is read or written.

    Raises:
        BadInput: a size below 1.
    """
    if min(num_feat, num_block) < 1:
        raise BadInput(
            f"a generator of {num_feat} features and {num_block} blocks: both have to be 1 or more"
        )
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    from spandrel.architectures.ESRGAN import ESRGAN

    network = initialised(lambda: ESRGAN(num_filters=num_feat, num_blocks=num_block), seed, "generator")
    last = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)][-1]
    last.__class__ = _OutputConvolution
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None and _DENSE.fullmatch(name):
            deviation = 0.1 * math.sqrt(2 / layer.weight[0].numel())
            with torch.no_grad():
                layer.weight.normal_(0, deviation, generator=random_generator(seed, name, "generator"))
                layer.bias.zero_()
    return network.train()


class _OutputConvolution(nn.Conv2d):
    """Makes the image in fp32 under autocast too.

    A value between 0.5 and 1 has steps of a whole gray level in bf16: a perceptual loss would see those, and
    the network would learn to hide them under a pattern.
    """

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def load_into(module: nn.Module, weights: str | Path | Mapping[str, Tensor]) -> None:
    """Put weights into a generator; on an error it is left as it was.

    Args:
        module: from :func:`build_generator`, not wrapped for parallel training; on any device.
        weights: a checkpoint as :func:`srbench.zoo.checkpoint.read_state_dict` reads it, or a state dict; in
            any of the three layouts RRDBNet weights are published in, in any float type.

    Raises:
        BadInput: no such file or no checkpoint; another architecture or size; weights that are not finite.
    """
    from srbench.zoo.checkpoint import read_state_dict

    if isinstance(weights, Mapping):
        path, state = Path("the state dict"), dict(weights)
    else:
        path = Path(weights).expanduser()
        state = read_state_dict(path)
    own = module.state_dict()
    if not _fits(state, own):
        state = _converted(state, path)
    if not _fits(state, own):
        raise BadInput(
            f"{path} is {_size(state)}, the generator to be trained is {_size(own)}: "
            "set generator.num_feat and generator.num_block to its size, or start from another checkpoint"
        )
    if broken := [key for key, value in state.items() if not torch.isfinite(value).all()]:
        raise BadInput(f"{path} has weights that are not finite ({broken[0]}): take an earlier checkpoint")
    module.load_state_dict(state, strict=True)


def _converted(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the weights in the layout of spandrel's network."""
    from srbench.zoo.loading import build_network

    network = build_network(state, path)
    if network.family != "ESRGAN":
        raise BadInput(
            f"{path} is of architecture {network.family}, the generator to be trained is an RRDBNet: "
            "start from an RRDBNet checkpoint or from scratch"
        )
    if network.scale != SCALE:
        raise BadInput(f"{path} is an x{network.scale} model: what srbench trains is x{SCALE}")
    return network.module.state_dict()


def _fits(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    return state.keys() == own.keys() and all(state[key].shape == own[key].shape for key in own)


def _size(state: Mapping[str, Tensor]) -> str:
    blocks = sum(_BLOCK.fullmatch(key) is not None for key in state)
    features = state["model.0.weight"].shape[0]
    variant = "ESRGAN+ variant of RRDBNet" if any(".conv1x1." in key for key in state) else "RRDBNet"
    return f"an {variant} with {features} features and {blocks} block{'s' * (blocks != 1)}"
