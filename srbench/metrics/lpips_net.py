"""Load LPIPS networks: the lpips package's heads, torchvision's backbones, every number checked.

The lpips package loads its heads with ``strict=False`` and lets torchvision fetch the backbone; a missing
key would pass in silence. So the backbone is loaded from a file, whole or features only, and its numbers
are compared with the digest of the published ones, whatever container they came in.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from srbench.errors import BadInput
from srbench.metrics.backbones import ALEXNET, SQUEEZENET, VGG16
from srbench.metrics.base import Scorer, require
from srbench.metrics.pickled_arrays import convolutions

if TYPE_CHECKING:
    from torch import Tensor, nn

BACKBONES = {"alex": ALEXNET, "squeeze": SQUEEZENET, "vgg": VGG16}

# sha256 over the sorted "features.*" entries of torchvision's files: key, then little-endian float32 bytes.
FEATURES_SHA256 = {
    "alex": "44534cd66e37ce9a6258bb5e845ef8cd47c33aa68024441c7e616d63c0c1c41a",
    "squeeze": "9a3cd24c3da63ec76ec50dabac44e862029b5c84992e5ddd582be22d0f9ef388",
    "vgg": "02ea23240491c2589ec6c79346a0cd2cde49db15b57118399c02f252fb928f83",
}
# A network's name in a pickle of arrays, and where torchvision has its convolutions.
_PICKLED = {
    "alex": ("AlexNet_0", (0, 3, 6, 8, 10)),
    "vgg": ("VGG16_0", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
}


def load_lpips(net: str, file: Path) -> nn.Module:
    """Return LPIPS v0.1 with one of three backbones, in eval mode, frozen, on the CPU.

    Args:
        net: "alex", "squeeze" or "vgg".
        file: a torchvision checkpoint of that backbone, whole or with its ``features.*`` alone, or a pickle
            of its arrays (``.ckpt``).

    Returns:
        A module mapping two (N,3,H,W) batches in [-1,1] to (N,1,1,1) distances.

    Raises:
        BadInput: the file is not torchvision's ImageNet network, or the heads do not fit.
    """
    import torch

    from srbench.support.torchvision import prepare_torchvision
    from srbench.support.uninitialised import Uninitialised

    prepare_torchvision()
    import lpips

    features = read_features(net, file)
    # The package initialises a random backbone first; the caller's random state must not notice.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # torchvision speaks to the lpips package about retired arguments; a user can do nothing about it.
        warnings.simplefilter("ignore", UserWarning)
        with Uninitialised():
            model: nn.Module = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    backbone = model.get_submodule("net")
    slots = {f"features.{k.split('.', 1)[1]}": k for k in backbone.state_dict()}
    if set(slots) != set(features):
        raise BadInput(f"the lpips package's {net} backbone has other layers than {file}: update lpips")
    backbone.load_state_dict({slots[key]: value for key, value in features.items()}, strict=True)
    _check_heads(model, Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth")
    return model.eval().requires_grad_(False)


def lpips_scorer(metric: str, net: str) -> Callable[[Mapping[str, str], str], Scorer]:
    """Return what makes the scorer of a metric that is LPIPS v0.1 with a backbone of :data:`BACKBONES`."""

    def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
        require(params, metric, net=(net,), version=("0.1",))
        return comparing(load_lpips(net, BACKBONES[net].locate()).to(device))

    return make_scorer


def comparing(network: nn.Module) -> Scorer:
    """Return the scorer of a loaded network: its own forward in two halves, number by number."""
    import lpips

    from srbench.metrics.remembered import remembering

    halves: Any = network

    def features(image: Tensor) -> list[Tensor]:
        return [lpips.normalize_tensor(part) for part in halves.net(halves.scaling_layer(2 * image - 1))]

    def distance(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
        total: Any = 0
        for head, one, other in zip(halves.lins, ours, theirs, strict=True):
            total = total + lpips.spatial_average(head((one - other) ** 2), keepdim=True)
        return cast("Tensor", total)

    return remembering(features, distance)


def read_features(net: str, file: Path) -> dict[str, Tensor]:
    """Return the ``features.*`` of a backbone; arguments and errors as :func:`load_lpips`."""
    import torch

    if file.suffix == ".ckpt" and net in _PICKLED:
        features = convolutions(file, *_PICKLED[net])
    else:
        state = torch.load(file, map_location="cpu", weights_only=True)
        features = {key: value for key, value in state.items() if key.startswith("features.")}
    digest = hashlib.sha256()
    for key in sorted(features):
        digest.update(key.encode())
        digest.update(features[key].contiguous().numpy().astype("<f4").tobytes())
    if digest.hexdigest() != FEATURES_SHA256[net]:
        raise BadInput(f"{file} does not hold torchvision's ImageNet {net} features: LPIPS would be wrong")
    return features


def _check_heads(model: nn.Module, file: Path) -> None:
    import torch

    heads = torch.load(file, map_location="cpu", weights_only=True)
    loaded = {k: v for k, v in model.state_dict().items() if k.startswith("lin") and not k.startswith("lins")}
    if set(heads) != set(loaded) or any(not torch.equal(heads[k], loaded[k]) for k in heads):
        raise BadInput("the lpips package's v0.1 heads did not load completely: reinstall lpips")
