"""Make networks by Python code: a user's ``module.path:factory`` or a registered callable."""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srbench.errors import BadInput, RunFailed
from srbench.zoo.model import SRModel
from srbench.zoo.schema import Card

# 8 x 8 is cheap; networks with attention windows or several downsamplings may ask for more.
_PROBE_SIZES = (8, 16)
_NO_IMAGE = 4.0
"""No network for images in [0, 1] makes one with so large a mean, whatever its weights; one for 255 does."""
_NO_LEVELS = 1.5
"""A network for 255 that makes something of white makes more than this; one for [0, 1] may end at 1."""


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
        with torch.no_grad():  # a copy of a TorchScript module would depend on its original
            return copy.deepcopy(module)
    except Exception as error:
        raise BadInput(
            f"{spec}: the network cannot be copied ({_brief(error)}): build it anew in each call"
        ) from error


def probe_scales(spec: str, module: nn.Module, card: Card, identity: str, scales: Sequence[int]) -> Card:
    """Try a network at several scales, and return the card with the first at which it makes one image.

    Args:
        spec: what to call the network in messages.
        scales: one at least; what is wrong with the network is said of the first.

    Raises:
        BadInput: as :func:`probe`.
    """
    first: BadInput | None = None
    for scale in dict.fromkeys(scales):
        tried = card.model_copy(update={"scale": scale})
        try:
            probe(spec, SRModel(module, name=spec, card=tried, weights_sha256=identity))
        except BadInput as error:
            if not isinstance(error.__cause__, RunFailed):  # the network did make an image of this size
                raise
            first = first or error
        else:
            return tried
    assert first is not None
    raise first


def probe(spec: str, model: SRModel) -> None:
    """Run a small gray image through a model and look at what comes out.

    Args:
        spec: what to call the model in messages; its own name in those that it raises.
        model: what will be measured, with the range of values the network is given.

    Raises:
        BadInput: the network fails on 8 x 8 and on 16 x 16, gives anything but one image of the model's scale
            times the size, values that are not finite, or another range than that it is given.
    """
    failure: Exception | None = None
    for size in _PROBE_SIZES:
        lr = torch.full((1, 3, size, size), 0.5)
        try:
            with torch.no_grad():
                sr: Tensor = model(lr)
        except RunFailed as error:
            raise BadInput(str(error)) from error
        except Exception as error:
            failure = failure or error
            continue
        if not bool(torch.isfinite(sr).all()):
            raise BadInput(f"{spec} gave values that are not finite for a gray image")
        _check_range(spec, model, sr, size)
        return
    assert failure is not None
    raise BadInput(f"{spec} failed on a (1, 3, 8, 8) LR ({_brief(failure)})") from failure


def _check_range(spec: str, model: SRModel, gray: Tensor, size: int) -> None:
    """Refuse a network that cannot take or give what it is said to; what else it may mean is not guessed."""
    with torch.no_grad():
        black, white = (float(model(torch.full((1, 3, size, size), level)).mean()) for level in (0.0, 1.0))
    middle = float(gray.mean())
    largest = max(abs(black), abs(middle), abs(white))
    seen = f"{spec} turned black, gray and white into means of {black:.3g}, {middle:.3g} and {white:.3g}"
    if model.card.value_range != 1:
        seen += f" with range={model.card.value_range:g}"
        if largest > _NO_IMAGE:
            raise BadInput(f"{seen}, which is no image: it is given and expected in [0, 255]")
        if 0 < largest * model.card.value_range < _NO_LEVELS:
            raise BadInput(f"{seen}, which looks like a range of [0, 1]: leave range= out")
        return
    if largest > _NO_IMAGE:
        likely = "which looks like a range of [0, 255]" if middle > _NO_IMAGE else "which is no image"
        raise BadInput(
            f"{seen}, {likely}: srbench gives and expects images in [0, 1]; put range=255 behind a model "
            "that takes and gives [0, 255], as in net.pth,range=255, or scale in the factory"
        )
    if black < -0.5 and abs(middle) < 0.25 and white > 0.5:
        raise BadInput(f"{seen}, which looks like a range of [-1, 1]: return (image + 1) / 2")
    if abs(white * 255 - 1) < 0.2 and abs(white - 2 * middle) < 0.2 * white and abs(black) < 0.1 * white:
        raise BadInput(f"{seen}: it divides by 255 what is in [0, 1] already; leave that out")


def state_sha256(module: nn.Module) -> str:
    """Hash a network's state dict by sha256: key, dtype, shape and bytes of each tensor, sorted by key.

    A TorchScript module carries its code with it, and frozen ones their weights in that: both count.
    """
    digest = hashlib.sha256()
    for key, value in sorted([*module.state_dict().items(), *_scripts(module)]):
        if not isinstance(value, Tensor):
            digest.update(f"{key} {value!r}\n".encode())
            continue
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _scripts(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the code of every TorchScript part of a network, and the tensors that stand in the code."""
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            try:
                code, constants = part.code_with_constants
            except (RuntimeError, AttributeError):  # a part without a forward of its own
                continue
            yield f"{name}()", str(code)
            yield from ((f"{name}().{key}", value) for key, value in constants.const_mapping.items())


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
