"""Make networks by Python code: a user's ``module.path:factory`` or a registered callable."""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.zoo.loading import SCALE

# 8 x 8 is cheap; networks with attention windows or several downsamplings may ask for more.
_PROBE_SIZES = (8, 16)
_NO_IMAGE = 4.0
"""No network for images in [0, 1] makes one with so large a mean, whatever its weights; one for 255 does."""


def import_factory(spec: str) -> Callable[[], Any]:
    """Return the callable that ``module.path:name`` names; the current directory is importable.

    Raises:
        BadInput: the module cannot be imported or has no such callable.
    """
    module_name, _, attribute = spec.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as `python -m` does, and for good: the factory may import later on
    try:
        with _own_random_numbers():
            target = reduce(getattr, attribute.split("."), import_module(module_name))
    except AttributeError as error:
        raise BadInput(f"{spec}: {module_name} has no '{attribute}' ({_brief(error)})") from error
    except Exception as error:
        # Whatever a user's module does wrong while it is imported is theirs to read in one line.
        raise BadInput(f"{spec}: {module_name} cannot be imported ({_brief(error)})") from error
    if isinstance(target, nn.Module):
        return lambda: target
    if not callable(target):
        raise BadInput(f"{spec} is {type(target).__name__}, not a function that returns an nn.Module")
    return target


@contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Seed torch's CPU generator, and afterwards put it back where the user had it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


def make_network(spec: str, factory: Callable[[], Any]) -> nn.Module:
    """Call a factory; the network is a copy of its own, so that freezing it changes nobody else's.

    A network with random weights is the same every time: torch's CPU generator is seeded for the call.

    Args:
        spec: what to call the factory in messages.

    Raises:
        BadInput: the factory fails, or does not return an nn.Module.
    """
    with _own_random_numbers(), torch.no_grad():
        try:
            module = factory()
        except Exception as error:
            raise BadInput(f"{spec} failed when called without arguments ({_brief(error)})") from error
    if not isinstance(module, nn.Module):
        raise BadInput(f"{spec} returned {type(module).__name__}, not an nn.Module")
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise BadInput(
            f"{spec}: the network cannot be copied ({_brief(error)}): build it anew in each call"
        ) from error


def probe(spec: str, forward: Callable[[Tensor], Any], scale: int = SCALE) -> None:
    """Run a small gray image through a network and look at what comes out.

    Raises:
        BadInput: the network fails on 8 x 8 and on 16 x 16, gives another shape than
            (1, 3, scale * H, scale * W), values that are not finite, or another range than [0, 1].
    """
    failure: Exception | None = None
    for size in _PROBE_SIZES:
        lr = torch.full((1, 3, size, size), 0.5)
        try:
            with torch.no_grad():
                sr = forward(lr)
        except Exception as error:
            failure = failure or error
            continue
        expected = (1, 3, scale * size, scale * size)
        if not isinstance(sr, Tensor):
            raise BadInput(
                f"{spec} returned {type(sr).__name__} for an LR of {tuple(lr.shape)}, not a tensor"
            )
        if tuple(sr.shape) != expected:
            raise BadInput(
                f"{spec} turned an LR of {tuple(lr.shape)} into {tuple(sr.shape)}, expected {expected}"
            )
        if not bool(torch.isfinite(sr).all()):
            raise BadInput(f"{spec} gave values that are not finite for a gray image")
        _check_range(spec, forward, sr, size)
        return
    assert failure is not None
    raise BadInput(f"{spec} failed on a (1, 3, 8, 8) LR ({_brief(failure)})") from failure


def _check_range(spec: str, forward: Callable[[Tensor], Any], gray: Tensor, size: int) -> None:
    """Refuse a network that cannot take or give images in [0, 1]; what else it may mean is not guessed at."""
    if not gray.is_floating_point():
        kind = str(gray.dtype).removeprefix("torch.")
        raise BadInput(f"{spec} returned {kind}: return float in [0, 1], such as image.float() / 255")
    with torch.no_grad():
        black, white = (
            float(forward(torch.full((1, 3, size, size), level)).float().mean()) for level in (0.0, 1.0)
        )
    middle = float(gray.float().mean())
    seen = f"{spec} turned black, gray and white into means of {black:.3g}, {middle:.3g} and {white:.3g}"
    if max(abs(black), abs(middle), abs(white)) > _NO_IMAGE:
        likely = "which looks like a range of [0, 255]" if middle > _NO_IMAGE else "which is no image"
        raise BadInput(f"{seen}, {likely}: srbench gives and expects images in [0, 1]; scale in the factory")
    if black < -0.5 and abs(middle) < 0.25 and white > 0.5:
        raise BadInput(f"{seen}, which looks like a range of [-1, 1]: return (image + 1) / 2")
    if abs(white * 255 - 1) < 0.2 and abs(white - 2 * middle) < 0.2 * white and abs(black) < 0.1 * white:
        raise BadInput(f"{seen}: it divides by 255 what is in [0, 1] already; leave that out")


def state_sha256(module: nn.Module) -> str:
    """Hash a network's state dict by sha256: key, dtype, shape and bytes of each tensor, sorted by key."""
    digest = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        if not isinstance(value, Tensor):
            digest.update(f"{key} {value!r}\n".encode())
            continue
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
