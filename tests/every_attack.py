"""Every class of the package with its defaults, and a network to attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.attacks import (
    APGD,
    IFGSM,
    MIFGSM,
    PGDL2,
    Ensemble,
    RandomNoise,
    SquareSearch,
    SRAttack,
    StructuredPGD,
    UniversalPerturbation,
    registry,
)

Make = Callable[..., SRAttack]


def ensemble(model: nn.Module, *, eps: float = 14 / 255, seed: str | int = 0, **common: Any) -> Ensemble:
    precision = common.pop("precision", "fp32")
    parts = [
        StructuredPGD(model, eps=eps, seed=seed, **common),
        SquareSearch(model, eps=eps, seed=seed, queries=3, **common),
    ]
    return Ensemble(model, attacks=parts, measures=["mse", "l1"], precision=precision)


def universal(model: nn.Module, **common: Any) -> UniversalPerturbation:
    draw = torch.Generator().manual_seed(9)
    hr = torch.rand(1, 3, 16, 20, generator=draw, dtype=torch.float64).float()
    kind = next((p.dtype for p in model.parameters()), torch.float32)
    lr, hr = F.avg_pool2d(hr, 4).to(kind), hr.to(kind)
    return UniversalPerturbation(model, steps=2, **common).fit([(lr, hr)])


# Every class of the package is tested with its defaults, without being named here; those named here take long
# with these, or have none for an argument.
MAKERS: dict[str, Make] = {name: each.load() for name, each in registry.classes().items()} | {
    "IFGSM": lambda model, **s: IFGSM(model, steps=3, **s),
    "MIFGSM": lambda model, **s: MIFGSM(model, steps=3, **s),
    "PGDL2": lambda model, **s: PGDL2(model, steps=3, restarts=2, **s),
    "APGD": lambda model, **s: APGD(model, steps=5, **s),
    "SquareSearch": lambda model, **s: SquareSearch(model, queries=5, **s),
    "UniversalPerturbation": universal,
    "Ensemble": ensemble,
    "StructuredPGD, restarted": lambda model, **s: StructuredPGD(
        model, restarts=2, momentum=0.9, steps=3, **s
    ),
    "RandomNoise, l2": lambda model, **s: RandomNoise(model, norm="l2", restarts=2, **s),
}


def needs_gradient(name: str) -> bool:
    return registry.attack_class(name.partition(",")[0]).needs_gradient


ALL = pytest.mark.parametrize("name", MAKERS)
WHITE = pytest.mark.parametrize("name", list(filter(needs_gradient, MAKERS)))
BLACK = pytest.mark.parametrize("name", [name for name in MAKERS if not needs_gradient(name)])
SHIPPED_WITH_A_RANDOM_START = ("APGD", "Ensemble", "PGDL2", "StructuredPGD", "StructuredPGD, restarted")


class Net(nn.Module):
    """A small x4 network with BatchNorm and dropout, so that modes and buffers matter."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 48, 3, padding=1)
            self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.b(F.leaky_relu(self.norm(self.a(x)), 0.2)), 4)


def batch(count: int = 2, height: int = 5, width: int = 7, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    hr = torch.randint(0, 256, (count, 3, 4 * height, 4 * width), generator=draw).float() / 255
    return torch.randint(0, 256, (count, 3, height, width), generator=draw).float() / 255, hr
