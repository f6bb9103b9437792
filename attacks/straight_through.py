"""Let gradients pass through rounding and clipping inside a model, which have none or lose it.

A model that rounds inside, as one with 8-bit steps does, has a gradient of zero everywhere and looks robust
to every attack that follows it. In the backward pass the identity then stands for what rounds: the
straight-through estimator, a case of BPDA (Athalye et al. 2018, *Obfuscated Gradients Give a False Sense of
Security*).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from srbench.support.surrogate import surrogates

_OUT_OF_PLACE: frozenset[Callable[..., Any]] = frozenset(
    getattr(home, name)
    for home in (torch, Tensor)
    for name in ("round", "floor", "ceil", "trunc", "fix", "clamp", "clip", "clamp_min", "clamp_max", "sign")
    if hasattr(home, name)
) | {F.hardtanh, F.relu6}
_IN_PLACE: Mapping[Callable[..., Any], Callable[..., Any]] = {
    getattr(Tensor, f"{name}_"): getattr(Tensor, name)
    for name in ("round", "floor", "ceil", "trunc", "fix", "clamp", "clip", "clamp_min", "clamp_max", "sign")
}


class _StraightThrough(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        image = args[0] if args else options.get("input")
        known = (func in _OUT_OF_PLACE or func in _IN_PLACE) and "out" not in options
        if not known or not isinstance(image, Tensor) or not image.requires_grad:
            return func(*args, **options)
        if func in _IN_PLACE:
            return image.copy_(_identity(_IN_PLACE[func](*args, **options), image))
        # What rounds in place would leave no input to pass the gradient to.
        before = image.clone() if options.get("inplace") else image
        return _identity(func(*args, **options), before)


def _identity(made: Any, image: Any) -> Any:
    """Return what was made, to the bit, with the gradient of what it was made of."""
    if not isinstance(made, Tensor) or made.shape != image.shape:
        return made
    return made.detach() + (image - image.detach())


@contextmanager
def gradients_straight_through(on: bool = True) -> Iterator[None]:
    """Treat rounding, flooring, signs and clipping as the identity in the backward pass, in this thread.

    Forward values are those of the model. What a model itself puts in the place of its gradient, by
    :func:`srbench.support.surrogate.through`, counts too. It sees calls of torch's own functions and methods,
    in place too. It cannot see a cast to integers, ``no_grad`` or ``detach`` inside the model, nor compiled
    code: there only a search without gradients, such as the preset ``square``, tells how robust a model is.

    Args:
        on: whether to do so at all.

    >>> import torch
    >>> from srbench.attacks.straight_through import gradients_straight_through
    >>> x = torch.tensor([0.2, 0.7], requires_grad=True)
    >>> with gradients_straight_through():
    ...     y = (3 * x).round()
    >>> y.detach(), torch.autograd.grad(y.sum(), x)[0]
    (tensor([1., 2.]), tensor([3., 3.]))
    """
    if not on:
        yield
        return
    with surrogates(), _StraightThrough():
        yield
