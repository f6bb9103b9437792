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


def unwrap(loaded: Mapping[str, Any], key: str = "") -> dict[str, Tensor]:
    """Return the generator's tensors by the names its architecture gives them.

    Args:
        loaded: what a checkpoint holds: tensors, and dicts of these, by name.
        key: which network is meant, as :func:`networks` names it, or its last name, or what the names of its
            tensors begin with.

    Returns:
        None of it where nothing of it is a tensor, or nothing of it is called ``key``.

    >>> import torch
    >>> weight = torch.zeros(1)
    >>> list(unwrap({"net_g": {"module.conv.weight": weight}, "net_d": {"conv.weight": weight}}))
    ['conv.weight']
    >>> list(unwrap({"model.0.weight": weight}))  # the first ESRGANs are called so themselves
    ['model.0.weight']
    >>> list(unwrap({"photo": {"a.weight": weight}, "anime": {"b.weight": weight}}, key="anime"))
    ['b.weight']
    """
    state: Mapping[str, Any] = _chosen(loaded, key) if key else loaded
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


def networks(loaded: Mapping[str, Any]) -> list[str]:
    """Name the dicts of tensors in a checkpoint, with a dot behind each dict that one is in.

    >>> import torch
    >>> networks({"epoch": 3, "nets": {"a": {"w": torch.zeros(1)}, "b": {"w": torch.zeros(1)}}})
    ['nets.a', 'nets.b']
    """
    return list(_networks(loaded))


def _networks(state: Mapping[str, Any], levels: int = DEEPEST) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for name, value in state.items():
        if not isinstance(value, Mapping):
            continue
        if any(isinstance(part, Tensor) for part in value.values()):
            found[name] = value
        elif levels > 1:
            found |= {f"{name}.{inner}": part for inner, part in _networks(value, levels - 1).items()}
    return found


def _chosen(loaded: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The network called ``key``; nothing where there is none, or more than one."""
    there = _networks(loaded)
    if key in there:
        return there[key]
    ending = [state for name, state in there.items() if name.endswith(f".{key}")]
    if len(ending) == 1:
        return ending[0]
    flat = [_after(dict(state), f"{key}.") for state in (loaded, *there.values())]
    holding = [state for state in flat if any(isinstance(value, Tensor) for value in state.values())]
    return holding[0] if len(holding) == 1 else {}


def _inner(state: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The dict in which the generator is, where that can be said; None if this is it."""
    dicts = {name: value for name, value in state.items() if isinstance(value, Mapping) and value}
    if state.keys() >= {"generator", "optimizer_g", "average"}:
        # A training of srbench's own: where it keeps an average, that is what it will export.
        return dicts.get("average", dicts.get("generator"))
    there = _networks(state)
    for name in WRAPPERS:
        if name in dicts and any(found == name or found.startswith(f"{name}.") for found in there):
            return dicts[name]
    if len(there) == 1 and not any(isinstance(value, Tensor) for value in state.values()):
        return next(iter(there.values()))
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


def _after(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
