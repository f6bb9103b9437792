"""Distil lpips-lite from LPIPS-Alex: ``srbench maintain distill --data dead-leaves,DIR``."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from srbench import zoo
from srbench.errors import BadInput
from srbench.metrics.lpips_lite_net import DIMENSIONS, LPIPSLiteNet, maps, save, total
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.train.data.crops import Crops
from srbench.train.data.sources import open_sources
from srbench.train.initial import initialised
from srbench.train.lite.pairs import Pairs
from srbench.train.lite.pool import PairPool, make_pool
from srbench.train.lite.teacher import Teacher

NETWORKS = ("bicubic", "esrgan-psnr-mini", "esrgan-mini", "rsr-mini", "random-structured-mini")
"""These make the SR of the pairs; the zoo's other models are for testing."""

_SMALL = 1e-4
_CALIBRATION = 2000


def distill(
    pool: PairPool,
    *,
    iterations: int,
    batch: int = 16,
    lr: float = 0.1,
    seed: int = 0,
    bf16: bool = False,
    on_iteration: Callable[[int, float], None] = lambda iteration, loss: None,
) -> LPIPSLiteNet:
    """Train a network to give the teacher's embeddings, its maps of distances and their sum.

    The loss of embeddings is their squared error over their variance; that of distances compares square
    roots, since small distances matter as much as large ones. Convolutions are trained by Muon, which needs
    some ten times fewer iterations here than Adam does; the rest by Adam.

    Args:
        lr: of Muon at its height; falls to zero.
        bf16: convolutions under autocast.
        on_iteration: called with every iteration and its loss.

    Returns:
        The folded network, in eval mode.
    """
    student = initialised(lambda: LPIPSLiteNet(learning=True), seed, "lpips-lite")
    assert isinstance(student, LPIPSLiteNet)
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
            embeddings = student.features(images)
        loss = _loss(embeddings, targets, distances, variances)
        student.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        _step(student, muon, adam)
        on_iteration(iteration, float(loss.detach()))
    network = student.folded()
    calibrate(network, pool)
    return network


def _optimizers(student: LPIPSLiteNet, lr: float) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    if not hasattr(torch.optim, "Muon"):
        raise BadInput(f"distilling needs torch 2.9 or newer for its optimizer Muon, not {torch.__version__}")
    # Muon takes matrices: views of the convolutions' weights, which share their memory.
    matrices = [nn.Parameter(weight.detach().flatten(1)) for weight in _convolutions(student)]
    others = [p for name, p in student.named_parameters() if name.startswith("heads") or p.ndim == 1]
    return (
        torch.optim.Muon(matrices, lr, weight_decay=0.01),
        torch.optim.AdamW(others, 2e-3, betas=(0.9, 0.99), weight_decay=1e-4),
    )


def _convolutions(student: LPIPSLiteNet) -> list[nn.Parameter]:
    return [p for name, p in student.named_parameters() if name.startswith("layers") and p.ndim == 4]


def _step(student: LPIPSLiteNet, muon: torch.optim.Optimizer, adam: torch.optim.Optimizer) -> None:
    for matrix, weight in zip(muon.param_groups[0]["params"], _convolutions(student), strict=True):
        assert weight.grad is not None
        matrix.grad = weight.grad.flatten(1)
    muon.step()
    adam.step()


def _loss(
    embeddings: Sequence[Tensor], targets: Sequence[Tensor], distances: Tensor, variances: Sequence[float]
) -> Tensor:
    half = len(distances)
    loss = embeddings[0].new_zeros(())
    for mine, theirs, variance in zip(embeddings, targets, variances, strict=True):
        loss = loss + 0.2 * (mine - theirs).square().sum(1).mean() / variance
    own = maps([layer[:half] for layer in embeddings], [layer[half:] for layer in embeddings])
    wanted = maps([layer[:half] for layer in targets], [layer[half:] for layer in targets])
    for mine, theirs in zip(own, wanted, strict=True):
        loss = loss + 0.1 * _apart(mine, theirs) / theirs.mean().clamp_min(1e-3)
    return loss + 5 * _apart(total(own), distances.sum(1))


def _apart(mine: Tensor, theirs: Tensor) -> Tensor:
    return ((mine + _SMALL).sqrt() - (theirs + _SMALL).sqrt()).square().mean()


@torch.no_grad()
def calibrate(network: LPIPSLiteNet, pool: PairPool) -> None:
    """Scale the layers' embeddings so that their distances add up to the teacher's, by least squares."""
    from scipy.optimize import nnls

    own, wanted = [], []
    for start in range(0, min(len(pool), _CALIBRATION), 32):
        images, _, distances = pool.batch(np.arange(start, min(start + 32, len(pool))))
        features = network.features(images)
        half = len(distances)
        layers = maps([layer[:half] for layer in features], [layer[half:] for layer in features])
        own.append(torch.stack([layer.mean((1, 2)) for layer in layers], 1))
        wanted.append(distances.sum(1))
    gains, _ = nnls(torch.cat(own).double().numpy(), torch.cat(wanted).double().numpy())
    for head, gain in zip(network.heads, gains, strict=True):
        for parameter in head.parameters():
            parameter.mul_(math.sqrt(gain))


def make_lpips_lite(
    sources: Sequence[str],
    out: Path,
    *,
    pairs: int,
    iterations: int,
    side: int,
    seed: int,
    bf16: bool,
    say: Callable[[str], None],
) -> None:
    """Make pairs of images in a temporary folder, distil on them and write the weights.

    Args:
        sources: training images, see :func:`~srbench.train.data.sources.open_sources`.
        pairs: how many, about 200 kB each on disk.
        side: of the crops, in pixels.
        say: is called with a line every 100 batches and iterations.

    Raises:
        BadInput: no such images, or a torch without Muon.
        Unavailable: LPIPS's weights are not installed.
    """
    crops = Crops(open_sources(sources, patch=side), side, seed)
    batches = Pairs(crops, [ref.load() for ref in zoo.resolve(NETWORKS)], 16)
    teacher = Teacher(load_lpips("alex", BACKBONES["alex"].locate()), DIMENSIONS)
    start, losses = time.monotonic(), []

    def on_batch(count: int) -> None:
        if count % 100 == 0:
            say(f"{count * batches.batch} pairs, {time.monotonic() - start:.0f} s")

    def on_iteration(iteration: int, loss: float) -> None:
        losses.append(loss)
        if (iteration + 1) % 100 == 0:
            mean = sum(losses[-100:]) / 100
            say(f"{iteration + 1}/{iterations} loss {mean:.5f} {time.monotonic() - start:.0f} s")

    with tempfile.TemporaryDirectory(prefix="srbench-lite-") as scratch:
        pool = make_pool(batches, teacher, pairs // batches.batch, Path(scratch), on_batch)
        save(distill(pool, iterations=iterations, seed=seed, bf16=bf16, on_iteration=on_iteration), out)
