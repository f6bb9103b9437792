"""Measure what an attack makes large: a distance between SR and its target, one number per image.

An objective is bound to the target once and then called with every SR, so that nothing that depends on the
target alone is computed twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeAlias

from torch import Tensor

from srbench.attacks.objectives_text import check_weight, join, rank
from srbench.errors import BadInput

Score: TypeAlias = Callable[[Tensor], Tensor]


class Objective(ABC):
    """Measures a distance between SR and target images, which attacks make large.

    ``bind(target)`` does all work that depends on the target (N,3,H,W), RGB in [0,1], and returns a
    function from SR (N,3,H,W), not clipped, to one float per image (N,). The function is differentiable.
    Objectives add and take weights; a subclass says its ``text`` and how it is bound.

    >>> import torch
    >>> from srbench.attacks import L1, MSE
    >>> objective = 0.5 * L1() + MSE()
    >>> objective
    <objective 0.5*l1+mse>
    >>> objective(torch.ones(2, 3, 8, 8), torch.zeros(2, 3, 8, 8))
    tensor([1.5000, 1.5000])
    """

    @property
    @abstractmethod
    def text(self) -> str:
        """Return the canonical text; equal texts mean equal numbers."""

    @abstractmethod
    def bind(self, target: Tensor) -> Score:
        """Return the function of SR that measures the distance to a target; see the class.

        Raises:
            BadInput: the images are too small for the objective.
        """

    def __call__(self, sr: Tensor, target: Tensor) -> Tensor:
        return self.bind(target)(sr)

    def __add__(self, other: Objective) -> WeightedSum:
        return WeightedSum([(1.0, self), (1.0, other)])

    def __rmul__(self, weight: float) -> WeightedSum:
        return WeightedSum([(float(weight), self)])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<objective {self.text}>"


class L1(Objective):
    """Measures the mean absolute difference over an image's values.

    >>> import torch
    >>> from srbench.attacks import L1
    >>> L1()(torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 8, 8))
    tensor([0.5000])
    """

    text = "l1"

    def bind(self, target: Tensor) -> Score:
        return lambda sr: (sr - target).abs().flatten(1).mean(1)


class MSE(Objective):
    """Measures the mean squared difference over an image's values; to make it large is to make PSNR small.

    >>> import torch
    >>> from srbench.attacks import MSE
    >>> MSE()(torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 8, 8))
    tensor([0.2500])
    """

    text = "mse"

    def bind(self, target: Tensor) -> Score:
        return lambda sr: (sr - target).square().flatten(1).mean(1)


class Custom(Objective):
    """Makes an objective of any function from SR and target, both (N,3,H,W), to one float per image (N,).

    >>> import torch
    >>> from srbench.attacks.objectives import Custom
    >>> brightness = Custom(lambda sr, target: sr.flatten(1).mean(1), name="brightness")
    >>> brightness, brightness(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    (<objective custom:brightness>, tensor([1.]))
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], name: str = "") -> None:
        self._function = function
        self._name = name or getattr(function, "__qualname__", type(function).__name__)

    @property
    def text(self) -> str:
        return f"custom:{self._name}"

    def bind(self, target: Tensor) -> Score:
        return lambda sr: self._function(sr, target)


class WeightedSum(Objective):
    """Adds objectives with positive weights; nested sums are flattened and equal terms joined.

    Raises:
        BadInput: no terms, or a weight that is not positive and finite.

    >>> from srbench.attacks import L1, MSE, WeightedSum
    >>> WeightedSum([(2.0, MSE()), (1.0, L1()), (1.0, L1())])
    <objective 2*l1+2*mse>
    """

    def __init__(self, terms: Iterable[tuple[float, Objective]]) -> None:
        flat: dict[str, tuple[float, Objective]] = {}
        for weight, objective in terms:
            check_weight(weight, objective.text)
            parts = objective.terms if isinstance(objective, WeightedSum) else ((1.0, objective),)
            for inner, part in parts:
                flat[part.text] = (flat.get(part.text, (0.0, part))[0] + weight * inner, part)
        if not flat:
            raise BadInput("an objective needs at least one term")
        ordered = sorted(flat.values(), key=lambda term: rank(term[1].text))
        self.terms: tuple[tuple[float, Objective], ...] = tuple(ordered)

    @property
    def text(self) -> str:
        return join((weight, part.text) for weight, part in self.terms)

    def bind(self, target: Tensor) -> Score:
        bound = [(weight, part.bind(target)) for weight, part in self.terms]

        def score(sr: Tensor) -> Tensor:
            weight, first = bound[0]
            total = weight * first(sr)
            for weight, part in bound[1:]:
                total = total + weight * part(sr)
            return total

        return score
