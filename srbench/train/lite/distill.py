"""Distil lpips-lite from LPIPS-Alex: ``python -m srbench.train.lite.distill --data dead-leaves,DIR``."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from srbench import zoo
from srbench.errors import BadInput
from srbench.metrics.lpips_lite_net import DIMENSIONS, WEIGHTS, LPIPSLite, maps, save, total
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.initial import initialised
from srbench.train.lite.pairs import Pairs
from srbench.train.lite.pool import Pool, make
from srbench.train.lite.teacher import Teacher

NETWORKS = ("bicubic", "esrgan-psnr-mini", "esrgan-mini", "rsr-mini", "random-structured-mini")
"""What makes the SR of the pairs; the zoo's other models are kept for testing."""

_SMALL = 1e-4
_CALIBRATION = 2000


def distill(
    pool: Pool,
    *,
    iterations: int,
    batch: int = 16,
    lr: float = 0.1,
    seed: int = 0,
    bf16: bool = False,
    tell: Callable[[int, float], None] = lambda iteration, loss: None,
) -> LPIPSLite:
    """Train a network to give the teacher's embeddings, its maps of distances and their sum.

    The loss of embeddings is their squared error over their variance; that of distances compares square
    roots, since small distances matter as much as large ones. Convolutions are trained by Muon, which needs
    some ten times fewer iterations here than Adam does; the rest by Adam.

    Args:
        lr: of Muon at its height; falls to zero.
        bf16: convolutions under autocast.
        tell: called with every iteration and its loss.

    Returns:
        The folded network, in eval mode.
    """
    student = initialised(lambda: LPIPSLite(learning=True), seed, "lpips-lite")
    assert isinstance(student, LPIPSLite)
    student.train()
    muon, adam = _optimizers(student, lr)
    variances = [float(layer.var((0, 2, 3)).sum()) for layer in pool.batch(np.arange(min(64, len(pool))))[1]]
    for iteration in range(iterations):
        images, targets, distances = pool.batch(
            np.random.default_rng([seed, iteration]).integers(0, len(pool), batch)
        )
        factor = min(1.0, (iteration + 1) / 100) * (1 - iteration / iterations)
        for optimizer in (muon, adam):
            optimizer.param_groups[0]["lr"] = optimizer.defaults["lr"] * factor
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found = student.features(images)
        loss = _loss(found, targets, distances, variances)
        student.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        _step(student, muon, adam)
        tell(iteration, float(loss.detach()))
    network = student.folded()
    calibrate(network, pool)
    return network


def _optimizers(student: LPIPSLite, lr: float) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    if not hasattr(torch.optim, "Muon"):
        raise BadInput(f"distilling needs torch 2.9 or newer for its optimizer Muon, not {torch.__version__}")
    # Muon takes matrices: views of the convolutions' weights, which share their memory.
    matrices = [nn.Parameter(weight.detach().flatten(1)) for weight in _convolutions(student)]
    others = [p for name, p in student.named_parameters() if name.startswith("heads") or p.ndim == 1]
    return (
        torch.optim.Muon(matrices, lr, weight_decay=0.01),
        torch.optim.AdamW(others, 2e-3, betas=(0.9, 0.99), weight_decay=1e-4),
    )


def _convolutions(student: LPIPSLite) -> list[nn.Parameter]:
    return [p for name, p in student.named_parameters() if name.startswith("layers") and p.ndim == 4]


def _step(student: LPIPSLite, muon: torch.optim.Optimizer, adam: torch.optim.Optimizer) -> None:
    for matrix, weight in zip(muon.param_groups[0]["params"], _convolutions(student), strict=True):
        assert weight.grad is not None
        matrix.grad = weight.grad.flatten(1)
    muon.step()
    adam.step()


def _loss(
    found: Sequence[Tensor], targets: Sequence[Tensor], distances: Tensor, variances: Sequence[float]
) -> Tensor:
    half = len(distances)
    loss = found[0].new_zeros(())
    for mine, theirs, variance in zip(found, targets, variances, strict=True):
        loss = loss + 0.2 * (mine - theirs).square().sum(1).mean() / variance
    own = maps([layer[:half] for layer in found], [layer[half:] for layer in found])
    wanted = maps([layer[:half] for layer in targets], [layer[half:] for layer in targets])
    for mine, theirs in zip(own, wanted, strict=True):
        loss = loss + 0.1 * _apart(mine, theirs) / theirs.mean().clamp_min(1e-3)
    return loss + 5 * _apart(total(own), distances.sum(1))


def _apart(mine: Tensor, theirs: Tensor) -> Tensor:
    return ((mine + _SMALL).sqrt() - (theirs + _SMALL).sqrt()).square().mean()


@torch.no_grad()
def calibrate(network: LPIPSLite, pool: Pool) -> None:
    """Scale the layers' embeddings so that their distances add up to the teacher's, by least squares."""
    from scipy.optimize import nnls

    found, wanted = [], []
    for start in range(0, min(len(pool), _CALIBRATION), 32):
        images, _, distances = pool.batch(np.arange(start, min(start + 32, len(pool))))
        features = network.features(images)
        half = len(distances)
        layers = maps([layer[:half] for layer in features], [layer[half:] for layer in features])
        found.append(torch.stack([layer.mean((1, 2)) for layer in layers], 1))
        wanted.append(distances.sum(1))
    gains, _ = nnls(torch.cat(found).double().numpy(), torch.cat(wanted).double().numpy())
    for head, gain in zip(network.heads, gains, strict=True):
        for parameter in head.parameters():
            parameter.mul_(math.sqrt(gain))


def main(arguments: Sequence[str] | None = None) -> None:
    """Distil and write the weights."""
    parser = argparse.ArgumentParser(prog="python -m srbench.train.lite.distill", description=__doc__)
    parser.add_argument("--data", default="dead-leaves", help="dead-leaves, directories; by commas")
    parser.add_argument("--pairs", type=int, default=19200, help="pairs of images, about 200 kB each on disk")
    parser.add_argument("--iterations", type=int, default=7000)
    parser.add_argument("--side", type=int, default=128, help="of the crops, in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: all cores")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    crops = Crops(open_sources(given.data.split(","), patch=given.side), given.side, given.seed)
    pairs = Pairs(crops, [ref.load() for ref in zoo.resolve(NETWORKS)], 16)
    teacher = Teacher(load_lpips("alex", BACKBONES["alex"].locate()), DIMENSIONS)
    start, losses = time.monotonic(), []

    def made(batches: int) -> None:
        if batches % 100 == 0:
            print(f"{batches * pairs.batch} pairs, {time.monotonic() - start:.0f} s", file=sys.stderr)

    def learnt(iteration: int, loss: float) -> None:
        losses.append(loss)
        if (iteration + 1) % 100 == 0:
            mean = sum(losses[-100:]) / 100
            spent = time.monotonic() - start
            print(f"{iteration + 1}/{given.iterations} loss {mean:.5f} {spent:.0f} s", file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="srbench-lite-") as scratch:
        pool = make(pairs, teacher, given.pairs // pairs.batch, Path(scratch), made)
        bf16 = given.precision == "bf16"
        save(distill(pool, iterations=given.iterations, seed=given.seed, bf16=bf16, tell=learnt), given.out)
    print(given.out)


if __name__ == "__main__":
    main()
