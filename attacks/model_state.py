"""Find the networks behind a function, and leave them as they were found."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

_DEPTH = 4
_LIBRARIES = ("torch", "numpy")
_WITH_MODES = (_NormBase, _DropoutNd, nn.RReLU, nn.MultiheadAttention)


def networks(model: object) -> list[nn.Module]:
    """Return the networks a model is made of: itself, or those that a function is seen to use.

    Seen are the object of a bound method, the function and arguments of a ``functools.partial``, what a
    function or lambda takes from around it, its defaults, the attributes of a callable object, and what lies
    in a list, tuple or dict among these. Not seen are networks that a function fetches or makes when it runs,
    those in other objects that cannot be called, and those in the code of torch itself or in compiled code.

    >>> import functools
    >>> from torch import nn
    >>> from srbench.attacks.model_state import networks
    >>> network = nn.Upsample(scale_factor=4)
    >>> [found is network for found in networks(functools.partial(lambda lr: network.forward(lr)))]
    [True]
    """
    if isinstance(model, nn.Module):
        return [model]
    seen: dict[int, object] = {}  # holding what was seen: an id is free for others once its object is gone
    layer = [model]
    for _ in range(_DEPTH):
        fresh = {id(each): each for each in layer if id(each) not in seen}
        seen |= fresh
        layer = [inner for each in fresh.values() for inner in _within(each)]
    return [each for each in seen.values() if isinstance(each, nn.Module)]


def _within(function: object) -> Iterator[object]:
    """Yield what may be or hold a network: modules, functions, and what is called like one."""
    candidates: list[object] = []
    if isinstance(function, MethodType):
        yield function.__self__  # which need not be a module itself: it may hold one
        candidates = [function.__func__]
    elif isinstance(function, functools.partial):
        candidates = [function.func, *function.args, *function.keywords.values()]
    elif isinstance(function, FunctionType):
        names = function.__code__.co_names
        around = (function.__globals__[name] for name in names if name in function.__globals__)
        candidates = [*_cells(function), *around, *(function.__defaults__ or ())]
        candidates += [*(function.__kwdefaults__ or {}).values(), getattr(function, "__wrapped__", None)]
    elif hasattr(function, "__dict__") and not isinstance(function, nn.Module):
        candidates = list(vars(function).values())
    held = [each for each in candidates if isinstance(each, list | tuple | dict)]
    for container in held:
        candidates += container.values() if isinstance(container, dict) else container
    for each in candidates:
        if not isinstance(each, nn.Module | MethodType) and _is_of_a_library(each):
            continue
        simple = isinstance(each, nn.Module | MethodType | FunctionType | functools.partial)
        if simple or (callable(each) and hasattr(each, "__dict__") and not isinstance(each, type)):
            yield each


def _is_of_a_library(each: object) -> bool:
    return str(getattr(each, "__module__", "")).partition(".")[0] in _LIBRARIES


def _cells(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def number_type(model: object, image: Tensor, unseen: torch.dtype | None = None) -> torch.dtype:
    """Return the number type an image is attacked in: its own, or float32 if only that is the weights' type.

    Args:
        model: a network or a function.
        image: the clean image.
        unseen: the type where no weights are seen; None for the image's own.

    >>> import torch
    >>> from srbench.attacks.model_state import number_type
    >>> number_type(torch.nn.Conv2d(3, 3, 3), torch.zeros(1, 3, 8, 8, dtype=torch.float64))
    torch.float32
    """
    kinds = {each.dtype for network in networks(model) for each in network.parameters()}
    if not kinds:
        return unseen or image.dtype
    return torch.float32 if torch.float32 in kinds and image.dtype not in kinds else image.dtype


@contextmanager
def evaluating(model: object) -> Iterator[list[str]]:
    """Put a model's networks into eval mode and every module's mode back afterwards, whatever happens.

    Yields:
        The class names of the networks that were, or had a part, in train mode.

    >>> from torch import nn
    >>> from srbench.attacks.model_state import evaluating
    >>> network = nn.Sequential(nn.Dropout())
    >>> with evaluating(network.forward) as names:
    ...     names, network[0].training
    (['Sequential'], False)
    >>> network.training, network[0].training
    (True, True)
    """
    found = networks(model)
    names = [type(network).__name__ for network in found if _matters(network)]
    modes = [(module, module.training) for network in found for module in network.modules()]
    # The flags themselves: a train() of a network's own may do more than that, and not undo it.
    for module, _ in modes:
        module.training = False
    try:
        yield list(dict.fromkeys(names))
    finally:
        for module, training in modes:
            module.training = training


def _matters(network: nn.Module) -> bool:
    """Return whether train mode may show: a part is in it that does something else then."""
    return any(module.training and _knows_modes(type(module)) for module in network.modules())


def _knows_modes(kind: type[nn.Module]) -> bool:
    if issubclass(kind, _WITH_MODES):
        return True
    code = getattr(kind.forward, "__code__", None)
    return not kind.__module__.startswith("torch.nn.") and "training" in getattr(code, "co_names", ())


@contextmanager
def untouched(model: object) -> Iterator[None]:
    """Freeze the parameters of a model's networks and put everything back as it was, whatever happens.

    The mode stays as it is; buffers (running statistics) of modules in train mode are put back too, where
    they changed. Those of modules in eval mode are left alone: another thread may be in its backward pass.

    >>> from torch import nn
    >>> from srbench.attacks.model_state import untouched
    >>> model = nn.Conv2d(3, 3, 3)
    >>> with untouched(model):
    ...     model.weight.requires_grad
    False
    >>> model.weight.requires_grad
    True
    """
    found = networks(model)
    modules = [module for network in found for module in network.modules()]
    thawed = [each for network in found for each in network.parameters() if each.requires_grad]
    training = (module for module in modules if module.training)
    buffers = [(each, each.clone()) for module in training for each in module.buffers(recurse=False)]
    for parameter in thawed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in thawed:
            parameter.requires_grad_(True)
        for buffer, before in buffers:
            # Writing what is there already would still spoil a backward pass of another thread.
            if not torch.equal(buffer, before):
                buffer.copy_(before)
