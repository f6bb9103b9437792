"""Let what has no useful gradient say what stands for it, for whoever asks for gradients straight through.

An attack that is adapted to a defence opens :func:`surrogates`; a model that rounds, compresses or sorts
calls :func:`through` (BPDA, Athalye et al. 2018, *Obfuscated Gradients Give a False Sense of Security*).
Neither has to know the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_asked: ContextVar[bool] = ContextVar("surrogates_asked", default=False)


@contextmanager
def surrogates(on: bool = True) -> Iterator[None]:
    """Have :func:`through` give the surrogates' gradients, in this thread.

    Args:
        on: whether to do so at all.
    """
    token = _asked.set(on)
    try:
        yield
    finally:
        _asked.reset(token)


def through(exact: Tensor, smooth: Tensor) -> Tensor:
    """Return ``exact``, to the bit; where surrogates are asked for, with the gradient of ``smooth``.

    Where they are not, the gradient is that of ``exact``, which may be zero: it is never an error.

    Args:
        exact, smooth: of one shape.

    >>> import torch
    >>> from srbench.support.surrogate import surrogates, through
    >>> x = torch.tensor([0.2, 0.7], requires_grad=True)
    >>> with surrogates():
    ...     y = through(x.round(), 3 * x)
    >>> y.detach(), torch.autograd.grad(y.sum(), x)[0]
    (tensor([0., 1.]), tensor([3., 3.]))
    """
    if _asked.get():
        return exact.detach() + (smooth - smooth.detach())
    # Connected to the input, so that the gradient is there and zero.
    return exact if exact.requires_grad or not smooth.requires_grad else exact + 0 * smooth.sum()
