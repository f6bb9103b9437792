"""Turn a weight file into a network: spandrel reads the architecture off the state dict."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.support.scales import LISTED, SCALE, SCALES
from srbench.zoo.budget import Budget
from srbench.zoo.checkpoint import read_state_dict
from srbench.zoo.schema import Card

if TYPE_CHECKING:
    from spandrel import SizeRequirements

# Plain convolutions from end to end: channels-last memory is 1.3x (RRDBNet) to 1.8x (Compact) faster on
# CPU and the same to float rounding. Networks that reshape, as transformers do, may refuse it.
_CONVOLUTIONS = ("ESRGAN", "Compact")


@dataclass(frozen=True)
class Network:
    """Holds a network with its weights in, and what srbench has to know to run it.

    Attributes:
        module: (N, 3, H, W) to (N, 3, sH, sW), neither clamped nor padded.
        family: spandrel's name of the architecture, or what made the network.
        parameters: how many it has.
        size: the input sizes it accepts; None for any.
        bf16: whether it can run in bfloat16.
        scale: how many times larger its output is.
    """

    module: nn.Module
    family: str
    parameters: int
    size: SizeRequirements | None = None
    bf16: bool = True
    scale: int = SCALE


def load_network(path: Path, card: Card | None = None, key: str = "") -> Network:
    """Return the network a weight file holds, on the CPU in fp32.

    Args:
        path: a checkpoint, see :func:`srbench.zoo.checkpoint.read_state_dict`.
        card: if given, the network must have the scale and the number of parameters the card states.
        key: which of several networks in the file is meant.

    Raises:
        BadInput: what ``read_state_dict`` raises; an architecture spandrel does not know or weights that do
            not fit it, in a layer or by far; weights that are not finite; a scale that is not measured; other
            than three channels in and out; another network than the card describes.
    """
    return build_network(read_state_dict(path, key), path, card)


def build_network(state: dict[str, Tensor], path: Path, card: Card | None = None) -> Network:
    """Do what :func:`load_network` does with a state dict already read; ``path`` is for messages."""
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    import spandrel

    try:
        # An architecture draws random weights before it gets the right ones: not from the user's generator.
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # of an architecture's own code, on every load; nothing for users
            with Budget(state):
                loaded = spandrel.ModelLoader().load_from_state_dict(state)
    except spandrel.UnsupportedModelError as error:
        raise BadInput(
            f"{path}: spandrel does not know this architecture; write a function that returns the "
            "network and name it as module.path:function instead of the file"
        ) from error
    except Exception as error:
        # Detection goes by a few keys; weights that then do not fit fail in each architecture's own way.
        reason = " ".join(str(error).split())[:160]
        raise BadInput(f"{path}: the weights do not fit their architecture ({reason})") from error
    family = str(loaded.architecture.id)
    if loaded.scale not in SCALES:
        raise BadInput(f"{path} is an x{loaded.scale} model ({family}): srbench measures {LISTED}")
    if card and loaded.scale != card.scale:
        raise BadInput(
            f"{path} is not {card.name}: it is an x{loaded.scale} model ({family}), and {card.name} is "
            f"x{card.scale}"
        )
    channels = (loaded.input_channels, loaded.output_channels)
    if channels != (3, 3):
        raise BadInput(
            f"{path} has {channels[0]} channels in and {channels[1]} out ({family}): RGB needs 3 and 3"
        )
    if broken := [name for name, p in loaded.model.named_parameters() if not bool(torch.isfinite(p).all())]:
        raise BadInput(f"{path} holds weights that are not finite ({broken[0]}): take an earlier checkpoint")
    parameters = sum(p.numel() for p in loaded.model.parameters())
    stated = card.architecture.get("parameters") if card else None
    if card and stated is not None and stated != parameters:
        raise BadInput(
            f"{path} is not {card.name}: it is a {family} of {parameters:,} parameters, "
            f"{card.name} has {stated:,}"
        )
    module: nn.Module = loaded.model
    if family in _CONVOLUTIONS:
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Network(
        module,
        family,
        parameters,
        loaded.size_requirements,
        bool(loaded.supports_bfloat16),
        int(loaded.scale),
    )
