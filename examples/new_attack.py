"""A new attack: one class that says how to perturb. The ball, the checks and the seeds are taken care of."""

import torch
from torch import Tensor, nn

from srbench.attacks import RandomNoise, SRAttack
from srbench.attacks.problem import Problem


class SignSearch(SRAttack):
    """Keep the best of some random corners of the l-inf ball: black box, it needs no gradient."""

    def __init__(self, model: nn.Module, *, queries: int = 20, **settings: object) -> None:
        super().__init__(model, norm="linf", **settings)
        self.queries = queries

    def perturb(self, problem: Problem) -> Tensor:
        worst, high = problem.zeros, problem.losses(problem.zeros)
        for query in range(self.queries):
            delta = self.threat.eps * problem.noise(structure=2, stream=f"query {query}").sign()
            losses = problem.losses(self.threat.project(delta, problem.x))
            better = losses > high
            worst, high = delta.where(better.reshape(-1, 1, 1, 1), worst), losses.where(better, high)
        return worst


torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4))
lr, hr = torch.rand(2, 3, 24, 32), torch.rand(2, 3, 96, 128)

attack = SignSearch(model, eps=8 / 255, objective="mse")
adversarial = attack(lr, hr)
assert (adversarial - lr).abs().max() <= 8 / 255 + 1e-6  # inside the ball, whatever perturb returns
for name, image in (
    ("clean", lr),
    ("random", RandomNoise(model, eps=8 / 255)(lr, hr)),
    ("found", adversarial),
):
    print(f"{name:8}  mse {attack.loss(lr, image, hr).mean():.5f}")
