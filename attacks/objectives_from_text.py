"""Make objectives from their text, with the networks they need."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from srbench.attacks.objectives import L1, MSE, Custom, Objective, WeightedSum
from srbench.attacks.objectives_text import parse_terms


def parse_objective(text: str | Objective | Callable[[Tensor, Tensor], Tensor]) -> Objective:
    """Return an objective from its text; an :class:`Objective` passes through, a function becomes one.

    Raises:
        BadInput: the text cannot be read.
        Unavailable: the weights of a perceptual term are not installed; the message says how to get them.

    >>> import torch
    >>> from srbench.attacks import parse_objective
    >>> objective = parse_objective("2*mse + l1")
    >>> objective.text
    'l1+2*mse'
    >>> objective(torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 8, 8))
    tensor([1.])
    """
    if isinstance(text, Objective):
        return text
    if not isinstance(text, str):
        return Custom(text)
    parts = [(weight, _term(name)) for weight, name in parse_terms(text)]
    return parts[0][1] if len(parts) == 1 and parts[0][0] == 1 else WeightedSum(parts)


def _term(name: str) -> Objective:
    from srbench.attacks.cospgd import CosMSE
    from srbench.attacks.perceptual import LPIPS, VGG19, LPIPSLite

    if name == "lpips-lite":
        return LPIPSLite()
    if name.startswith("lpips-"):
        return LPIPS(name.removeprefix("lpips-"))
    makers: dict[str, Callable[[], Objective]] = {"l1": L1, "mse": MSE, "cos-mse": CosMSE, "vgg19": VGG19}
    return makers[name]()
