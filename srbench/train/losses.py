"""Compute what training minimises besides the perceptual loss: L1 and the relativistic average GAN."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from srbench.train import frequency


def l1(sr: Tensor, hr: Tensor, low_pass: int = 0) -> Tensor:
    """Return the mean absolute difference of SR and HR (N,3,H,W), a scalar.

    Args:
        sr: in any range; the loss is differentiable in it.
        hr: in [0,1].
        low_pass: compare the means over windows of this many pixels (ESRGAN-FS: 9); 0 the images themselves.

    Raises:
        BadInput: an even width.
    """
    difference = sr - hr
    if low_pass:
        # The mean over a window is linear: filtering the difference is filtering both, for half the work.
        difference = frequency.low_pass(difference, low_pass)
    return difference.abs().mean()


def gathered_mean(logits: Tensor) -> Tensor:
    """Average the logits of all processes: a scalar of at least single precision, differentiable in all.

    Outside torch.distributed it is the plain mean. Inside, every process has to call it, with equally many
    logits. Its backward pass sums the gradients of all processes' losses, so that after the usual averaging
    of gradients over processes N of them step as one with the whole batch would.
    """
    mean = logits.mean(dtype=torch.promote_types(logits.dtype, torch.float32))
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return mean
    total: Tensor = _Total.apply(mean)  # type: ignore[no-untyped-call]
    return total / dist.get_world_size()


class _Total(torch.autograd.Function):
    """Sums a tensor over all processes. torch's own, in torch.distributed.nn, is deprecated."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # Every process's loss depends on this process's value.
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def generator_gan(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the generator's relativistic average GAN loss, unweighted: a scalar, log 2 where D cannot tell.

    ``(BCE(real - mean(fake), 0) + BCE(fake - mean(real), 1)) / 2``, with BCE on logits, averaged over this
    process's logits, and the means over the whole batch of all processes (with gradient accumulation: over
    the part in work). The gradient goes through ``fake`` and its mean; ``real`` is detached. ESRGAN (Wang et
    al. 2018, eq. 2) after Jolicoeur-Martineau 2018, halved as BasicSR and RSR have it.

    Args:
        real_logits: D(hr), of any shape; D in train mode takes real and fake in calls of their own, as
            published, so that BatchNorm never mixes them.
        fake_logits: D(sr), of the same shape.
    """
    real = real_logits.detach()
    return (_bce(real - gathered_mean(fake_logits), 0.0) + _bce(fake_logits - gathered_mean(real), 1.0)) / 2


def discriminator_gan(real_logits: Tensor, fake_logits: Tensor, detach_means: bool = True) -> Tensor:
    """Return the discriminator's relativistic average GAN loss: a scalar, log 2 where D cannot tell.

    ``0.5 * BCE(real - mean(fake), 1) + 0.5 * BCE(fake - mean(real), 0)``, means and BCE as in
    :func:`generator_gan`.

    Args:
        real_logits: D(hr), of any shape.
        fake_logits: D(sr.detach()), of the same shape.
        detach_means: no gradient goes through the means, as in RSR and BasicSR; in ESRGAN, Impressionism and
            ESRGAN-FS (``SRGAN_model.py``) it does, for the same value.
    """
    pair = (real_logits, fake_logits)
    real_mean, fake_mean = (gathered_mean(x.detach() if detach_means else x) for x in pair)
    return 0.5 * _bce(real_logits - fake_mean, 1.0) + 0.5 * _bce(fake_logits - real_mean, 0.0)


def _bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
