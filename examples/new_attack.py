"""A new attack: copied into attacks/, this file makes a class, a preset of the command line and its card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from srbench.attacks.base import SRAttack, at_least
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import Problem

PRESETS = {
    "sign-search": {
        "kind": "SignSearch",
        "about": "Twenty random corners of the ball are tried.",
        "eps": 14,
        "objective": "mse",
        "options": {"queries": 20},
    },
}


class SignSearch(SRAttack):
    """Searches corners of the l-inf ball at random and keeps the worst; the source is this example.

    >>> SignSearch(nn.Upsample(scale_factor=4), eps=0.25)(torch.full((1, 3, 8, 8), 0.5)).unique()
    tensor([0.2500, 0.7500])
    """

    needs_gradient: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("queries",)

    def __init__(self, model: Callable[[Tensor], Tensor], *, queries: int = 20, **settings: Any) -> None:
        super().__init__(model, norm="linf", **settings)
        at_least("queries", queries, 1)
        self.queries = queries

    def perturb(self, problem: Problem) -> Tensor:
        worst, high = problem.zeros, problem.losses(problem.zeros)
        for query in range(self.queries):
            delta = self.threat.eps * problem.noise(structure=1, stream=f"query {query}").sign()
            losses = problem.losses(self.threat.project(delta, problem.x))
            worst = delta.where((losses > high).reshape(-1, 1, 1, 1), worst)
            high = torch.maximum(losses, high)
        return worst

    def asks(self) -> AttackPasses:
        return AttackPasses(forwards=1 + self.queries)


if __name__ == "__main__":
    attack = SignSearch(nn.Upsample(scale_factor=4, mode="bicubic"), eps=8 / 255, objective="mse")
    lr, hr = torch.rand(2, 3, 24, 32), torch.rand(2, 3, 96, 128)
    for name, image in (("clean", lr), ("found", attack(lr, hr))):
        print(f"{name:8}  mse {attack.loss(lr, image, hr).mean():.5f}")
