"""What an attack maximises: a distance between SR and its target, one number per image.

An objective is bound to the target once and then called with every SR, so that nothing that depends on the
target alone is computed twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeAlias

from torch import Tensor

from srbench.attacks.objectives_text import check_weight, join, parse_terms, rank
from srbench.errors import BadInput

Score: TypeAlias = Callable[[Tensor], Tensor]


class Objective(ABC):
    """A distance between SR and target images that attacks make large.

    ``bind(target)`` does all work that depends on the target (N,3,H,W), RGB in [0,1], and returns a
    function from SR (N,3,H,W), not clipped, to one float per image (N,). The function is differentiable.
    """

    @property
    @abstractmethod
    def text(self) -> str:
        """Canonical text; equal texts mean equal numbers."""

    @abstractmethod
    def bind(self, target: Tensor) -> Score:
        """Prepare for a target; see the class.

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
    """Mean absolute difference over an image's values."""

    text = "l1"

    def bind(self, target: Tensor) -> Score:
        return lambda sr: (sr - target).abs().flatten(1).mean(1)


class MSE(Objective):
    """Mean squared difference over an image's values: maximising it minimises PSNR."""

    text = "mse"

    def bind(self, target: Tensor) -> Score:
        return lambda sr: (sr - target).square().flatten(1).mean(1)


class Custom(Objective):
    """Any function from SR and target, both (N,3,H,W), to one float per image (N,)."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], name: str = "") -> None:
        self._function = function
        self._name = name or getattr(function, "__qualname__", type(function).__name__)

    @property
    def text(self) -> str:
        return f"custom:{self._name}"

    def bind(self, target: Tensor) -> Score:
        return lambda sr: self._function(sr, target)


class WeightedSum(Objective):
    """Objectives added with positive weights; nested sums are flattened and equal terms joined.

    Raises:
        BadInput: no terms, or a weight that is not positive and finite.
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


def parse_objective(text: str | Objective | Callable[[Tensor, Tensor], Tensor]) -> Objective:
    """An objective from its text; an :class:`Objective` passes through, a function becomes one.

    Raises:
        BadInput: the text cannot be read.
        Unavailable: the weights of a perceptual term are not installed; the message says how to get them.
    """
    if isinstance(text, Objective):
        return text
    if not isinstance(text, str):
        return Custom(text)
    parts = [(weight, _term(name)) for weight, name in parse_terms(text)]
    return parts[0][1] if len(parts) == 1 and parts[0][0] == 1 else WeightedSum(parts)


def _term(name: str) -> Objective:
    from srbench.attacks.perceptual import LPIPS, VGG19, LPIPSLite

    if name == "lpips-lite":
        return LPIPSLite()
    if name.startswith("lpips-"):
        return LPIPS(name.removeprefix("lpips-"))
    return {"l1": L1, "mse": MSE, "vgg19": VGG19}[name]()
