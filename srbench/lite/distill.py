"""Distil lpips-lite from LPIPS-Alex: ``python -m srbench.lite.distill --data dead-leaves,DIR``."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srbench import zoo
from srbench.home import atomic_path
from srbench.lite.network import WEIGHTS, LPIPSLite, total
from srbench.lite.pairs import Pairs
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.export import half
from srbench.train.initial import initialised

NETWORKS = ("bicubic", "esrgan-psnr-mini", "esrgan-mini", "rsr-mini", "random-structured-mini")
"""What makes the SR of the pairs; the zoo's other models are kept for testing."""

_SMALL = 1e-4


def distill(
    pairs: Pairs,
    teacher: Any,
    *,
    iterations: int,
    lr: float,
    seed: int,
    tell: Callable[[int, float], None] = lambda iteration, loss: None,
) -> LPIPSLite:
    """Train a network to give LPIPS's maps of distances and their sum.

    The loss is the squared difference of square roots, place by place within each layer, plus that of the
    whole distance: small distances matter as much as large ones.

    Args:
        teacher: ``lpips.LPIPS`` with the Alex backbone, frozen.
        tell: called with every iteration and its loss.

    Returns:
        The network, in eval mode.
    """
    student = initialised(LPIPSLite, seed, "lpips-lite")
    assert isinstance(student, LPIPSLite)
    optimizer = torch.optim.Adam(student.parameters(), lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min(1.0, (done + 1) / 100) * 0.5 * (1 + math.cos(math.pi * done / iterations))
    )
    for iteration in range(iterations):
        student.requires_grad_(False)
        hr, other = pairs(iteration, [lambda sr, hr: teacher(sr, hr, normalize=True).flatten(), student])
        student.requires_grad_(True)
        with torch.no_grad():
            wanted = teacher_maps(teacher, other, hr)
        found = student.maps(student.features(other), student.features(hr))
        loss = _apart(total(found), total(wanted)) * 4
        for mine, theirs in zip(found, wanted, strict=True):
            loss = loss + _apart(mine, theirs)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        # Pairs perturbed along the student's own gradient can make one batch outweigh a hundred.
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        tell(iteration, float(loss.detach()))
    student.eval().requires_grad_(False)
    return student


def teacher_maps(teacher: Any, first: Tensor, second: Tensor) -> list[Tensor]:
    """LPIPS's weighted squared differences at every place, (N,h,w) for each layer; images in [0,1].

    Their means over places, summed over layers, are what the lpips package returns.
    """
    from lpips import normalize_tensor

    features = [teacher.net(teacher.scaling_layer(2 * images - 1)) for images in (first, second)]
    return [
        head((normalize_tensor(a) - normalize_tensor(b)) ** 2).squeeze(1)
        for a, b, head in zip(*features, teacher.lins, strict=True)
    ]


def _apart(mine: Tensor, theirs: Tensor) -> Tensor:
    return ((mine + _SMALL).sqrt() - (theirs.clamp_min(0) + _SMALL).sqrt()).square().mean()


def main(arguments: Sequence[str] | None = None) -> None:
    """Distil and write the weights, fp16."""
    from safetensors.torch import save_file

    parser = argparse.ArgumentParser(prog="python -m srbench.lite.distill", description=__doc__)
    parser.add_argument("--data", default="dead-leaves", help="dead-leaves, directories; by commas")
    parser.add_argument("--iterations", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=96, help="of the crops, in pixels")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: all cores")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    crops = Crops(open_sources(given.data.split(","), patch=given.side), given.side, given.seed)
    networks = [ref.load() for ref in zoo.resolve(NETWORKS)]
    teacher = load_lpips("alex", BACKBONES["alex"].locate())
    start, losses = time.monotonic(), []

    def tell(iteration: int, loss: float) -> None:
        losses.append(loss)
        if (iteration + 1) % 100 == 0:
            spent = time.monotonic() - start
            mean = sum(losses[-100:]) / 100
            print(f"{iteration + 1}/{given.iterations} loss {mean:.5f} {spent:.0f} s", file=sys.stderr)

    pairs = Pairs(crops, networks, given.batch)
    network = distill(pairs, teacher, iterations=given.iterations, lr=given.lr, seed=given.seed, tell=tell)
    with atomic_path(given.out) as temporary:
        save_file(half(network.state_dict()), temporary, metadata={"format": "pt"})
    print(given.out)


if __name__ == "__main__":
    main()
