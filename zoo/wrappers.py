"""Find the generator's weights among what training codes save around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

_AVERAGED = ("params_ema", "params-ema", "generator_ema", "net_g_ema", "model_ema", "g_ema", "ema")
_GENERATOR = (
    "params",
    "state_dict",
    "model_state_dict",
    "model_g_state_dict",
    "model_state",
    "net_g",
    "netG",
    "generator",
    "model",
    "net",
    "network",
)
WRAPPERS = (*_AVERAGED, *_GENERATOR)
"""A generator is saved under these names; the moving average, which papers publish, counts first."""
DEEPEST = 4
"""Wrappers in wrappers go no deeper; a hostile file's may contain itself."""
_PASSED_THROUGH = ("module.", "_orig_mod.")
"""DataParallel and torch.compile put these before every name."""
_BESIDE = ("loss", "criterion", "perceptual", "net_d", "netD", "discriminator", "metric", "metrics", "vgg")
"""Lightning modules hold these beside the generator."""
_COUNTERS = ("n_averaged", "total_ops", "total_params")
"""torch's AveragedModel and the library thop leave these among the weights."""


def unwrap(loaded: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the generator's tensors by the names its architecture gives them.

    Args:
        loaded: what a checkpoint holds: tensors, and dicts of these, by name.

    Returns:
        None of it where nothing of it is a tensor.

    >>> import torch
    >>> weight = torch.zeros(1)
    >>> list(unwrap({"net_g": {"module.conv.weight": weight}, "net_d": {"conv.weight": weight}}))
    ['conv.weight']
    >>> list(unwrap({"model.0.weight": weight}))  # the first ESRGANs are called so themselves
    ['model.0.weight']
    """
    state: Mapping[str, Any] = loaded
    for _ in range(DEEPEST):
        state = _inner(state) or state
    tensors = {
        name: value
        for name, value in state.items()
        if isinstance(value, Tensor) and name.rpartition(".")[2] not in _COUNTERS
    }
    while (shorter := _without_prefix(tensors)) is not None:
        tensors = shorter
    return tensors


def _inner(state: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The dict in which the generator is, where that can be said; None if this is it."""
    dicts = {name: value for name, value in state.items() if isinstance(value, Mapping) and value}
    for name in WRAPPERS:
        if name in dicts:
            return dicts[name]
    return next(iter(dicts.values())) if len(state) == len(dicts) == 1 else None


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """The same with a prefix less, that of the generator where other networks are beside it; None if none."""
    for prefix in _PASSED_THROUGH:
        if tensors and all(name.startswith(prefix) for name in tensors):
            return _after(tensors, prefix)
    first = {name.partition(".")[0] for name in tensors}
    for wrapper in WRAPPERS:
        others = first - {wrapper}
        # Where an average is there, what it was taken of stands beside it.
        beside = {*_BESIDE, *(_GENERATOR if wrapper in _AVERAGED else ())}
        if wrapper in first and others <= beside:
            inner = _after(tensors, f"{wrapper}.")
            # "model.0.weight" is the name of a layer: what is left has to be names.
            return inner if inner and not any(name[:1].isdigit() for name in inner) else None
    return None


def _after(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
