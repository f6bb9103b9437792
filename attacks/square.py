"""Attack by random squares, without a gradient (after Square Attack, Andriushchenko et al. 2020).

Chosen over SPSA: it has no step length or smoothing radius to tune, never gets worse, stays on the corners
of the ball, and pays one forward a query, where SPSA pays two for a gradient estimate whose noise grows with
the number of pixels. As a check it is what finds a model whose gradients mislead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from srbench.attacks import checked
from srbench.attacks.base import SRAttack
from srbench.attacks.noise import generator
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import Problem

# Queries (of 10000) after which the share of pixels a square covers is halved, from the paper.
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


PRESETS = {
    "square": {
        "kind": "SquareSearch",
        "about": "A thousand squares enlarge the squared error against HR, with the share of AutoAttack and "
        "the halvings of the paper; it shows models whose gradients mislead (Andriushchenko et al. 2020).",
        "eps": 14,
        "objective": "mse",
        "options": {"queries": 1000, "share": 0.8},
    },
}


class SquareSearch(SRAttack):
    """Searches in l-inf: sets a random square to +-eps in each channel and keeps it where that is worse.

    The source is Andriushchenko et al. 2020, *Square Attack: a query-efficient black-box adversarial attack
    via random search*. It starts from vertical stripes of +-eps one pixel wide, as the paper does. Images and
    radius are those of :class:`~srbench.attacks.base.SRAttack`.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`; no gradient is asked of it.
        queries: squares tried, 1 or more; one forward each, and one for the start.
        share: the share of an image's pixels the first squares cover.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    Raises:
        BadInput: a share outside (0, 1], or as :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import SquareSearch
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 32, 32)
    >>> attack = SquareSearch(torch.nn.Upsample(scale_factor=4), eps=0.25, objective="mse", queries=50)
    >>> bool(attack.loss(lr, attack(lr, hr), hr) > attack.loss(lr, lr, hr))
    True
    """

    needs_gradient: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("queries", "share")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        queries: int = 100,
        share: float = 0.8,
        **settings: Any,
    ) -> None:
        super().__init__(model, norm="linf", **settings)
        self.queries = checked.whole("queries", queries)
        self.share = checked.share("share", share)

    def perturb(self, problem: Problem) -> Tensor:
        x, eps = problem.x, self.threat.eps
        height, width = x.shape[-2:]
        draws = [generator(self.seed, i, "square") for i in problem.ids]
        stripes = torch.stack([_signs(draw, 1, width) for draw in draws])
        delta = self.threat.project((eps * stripes).to(x).expand_as(x), x)
        worst = problem.losses(delta)
        for query in range(self.queries):
            side = math.sqrt(self._share_at(query) * height * width)
            rows, columns = (min(max(round(side), 1), limit) for limit in (height, width))
            square = delta.clone()
            for image, draw in enumerate(draws):
                top, left = (_integer(draw, room) for room in (height - rows + 1, width - columns + 1))
                value = (eps * _signs(draw, 1, 1)).to(x)
                square[image, :, top : top + rows, left : left + columns] = value
            square = self.threat.project(square, x)
            losses = problem.losses(square)
            better = losses > worst
            delta = square.where(better.reshape(-1, 1, 1, 1), delta)
            worst = losses.where(better, worst)
        return delta

    def asks(self) -> AttackPasses:
        return AttackPasses(forwards=1 + self.queries)

    def _share_at(self, query: int) -> float:
        passed = query / self.queries * 10000
        return self.share / 2.0 ** sum(passed > halving for halving in _HALVINGS)


def _signs(draw: torch.Generator, rows: int, columns: int) -> Tensor:
    return torch.randint(0, 2, (3, rows, columns), generator=draw).mul(2).sub(1).float()


def _integer(draw: torch.Generator, below: int) -> int:
    return int(torch.randint(0, below, (), generator=draw))
