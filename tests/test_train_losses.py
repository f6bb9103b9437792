"""L1 and GAN losses: against numpy, finite differences and two processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from small_networks import discriminator, images
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from srbench.errors import BadInput
from srbench.train import frequency, losses


def test_l1_equals_numpy() -> None:
    sr, hr = images(seed=1), images(seed=2)
    wanted = np.abs(sr.numpy().astype(np.float64) - hr.numpy()).mean()
    assert losses.l1(sr, hr).item() == pytest.approx(wanted, rel=1e-6)


def test_low_pass_l1_is_the_l1_of_the_low_passes() -> None:
    sr, hr = images(seed=1).double().requires_grad_(), images(seed=2).double()
    wanted = (frequency.low_pass(sr, 9) - frequency.low_pass(hr, 9)).abs().mean()
    torch.testing.assert_close(losses.l1(sr, hr, 9), wanted)
    inner = np.lib.stride_tricks.sliding_window_view((sr - hr).detach().numpy(), (9, 9), (2, 3)).mean(
        (-1, -2)
    )
    low = frequency.low_pass(sr - hr, 9)[..., 4:-4, 4:-4]
    np.testing.assert_allclose(low.detach().numpy(), inner, atol=1e-12)
    assert losses.l1(sr, hr, 9).item() < 0.5 * losses.l1(sr, hr).item()
    stripes = torch.tensor([0.2, -0.1, -0.1]).repeat(10).expand(1, 3, 30, 30)
    assert losses.l1(0.5 + stripes, torch.full_like(stripes, 0.5), 3)[None] < 0.01  # borders only
    with pytest.raises(BadInput, match="odd"):
        losses.l1(sr, hr, 4)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp(0, x))


def logits(shape: tuple[int, ...], seed: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(5, 1), (3, 1, 4, 4)])
def test_relativistic_average_gan_equals_numpy(shape: tuple[int, ...]) -> None:
    """-log sigmoid(x) is softplus(-x); D wants real above the mean of fake, and G the reverse."""
    real, fake = logits(shape, 0), logits(shape, 1)
    r, f = real.numpy(), fake.numpy()
    g = (softplus(r - f.mean()).mean() + softplus(-(f - r.mean())).mean()) / 2
    d = 0.5 * softplus(-(r - f.mean())).mean() + 0.5 * softplus(f - r.mean()).mean()
    assert losses.generator_gan(real, fake).item() == pytest.approx(g, rel=1e-12)
    assert losses.discriminator_gan(real, fake).item() == pytest.approx(d, rel=1e-12)


def test_gan_losses_at_known_points() -> None:
    same = torch.full((4, 1), 7.0)
    assert losses.generator_gan(same, same).item() == pytest.approx(np.log(2))
    assert losses.discriminator_gan(same, same).item() == pytest.approx(np.log(2))
    assert losses.discriminator_gan(same + 200, same).item() == 0  # told apart
    assert losses.generator_gan(same + 200, same).item() == pytest.approx(200)  # finite, not infinite


def test_gan_gradients_equal_finite_differences() -> None:
    real, fake = logits((4, 1), 0), logits((4, 1), 1)
    one, two = real.clone().requires_grad_(), fake.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda f: losses.generator_gan(real, f), (two,))
    # Detached means: as if they were constants.
    constant = (real.mean(), fake.mean())
    bce = nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    wanted = torch.autograd.grad(
        (bce(one - constant[1], ones) + bce(two - constant[0], zeros)) / 2, (one, two)
    )
    gradients = torch.autograd.grad(losses.discriminator_gan(one, two), (one, two))
    torch.testing.assert_close(gradients, wanted)


def test_generator_gan_sends_nothing_into_real() -> None:
    real, fake = logits((3, 1), 0).requires_grad_(), logits((3, 1), 1).requires_grad_()
    losses.generator_gan(real, fake).backward()
    assert real.grad is None and fake.grad is not None and fake.grad.abs().min() > 0


def test_gathered_mean_of_low_precision_logits_is_single() -> None:
    assert losses.gathered_mean(torch.ones(300, dtype=torch.bfloat16)).dtype == torch.float32


_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "generator": losses.generator_gan,
    "discriminator": losses.discriminator_gan,
}


def gan_gradients(name: str, part: slice) -> tuple[Tensor, list[Tensor]]:
    """A GAN loss over some samples of one batch of six, and its gradients in D and in what makes fake."""
    network = discriminator(norm="none", seed=4).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)  # logits that differ by about one
    shift = torch.zeros(3, 1, 1, dtype=torch.float64, requires_grad=True)
    real, fake = images(6, seed=1).double()[part], images(6, seed=2).double()[part] + shift
    loss = _LOSSES[name](network(real), network(fake))
    return loss.detach(), list(torch.autograd.grad(loss, [shift, *network.parameters()]))


def half_the_batch(rank: int, folder: str) -> None:
    """What each of two processes does; the first writes the average of both."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    averages = {}
    for name in _LOSSES:
        value, gradients = gan_gradients(name, slice(3 * rank, 3 * rank + 3))
        for tensor in (value, *gradients):
            dist.all_reduce(tensor)
        averages[name] = [tensor / 2 for tensor in (value, *gradients)]
    if rank == 0:
        torch.save(averages, f"{folder}/averages.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_the_whole_batch(tmp_path: Path) -> None:
    spawn(half_the_batch, (str(tmp_path),), nprocs=2)
    averages = torch.load(tmp_path / "averages.pt", weights_only=True)
    for name in _LOSSES:
        value, gradients = gan_gradients(name, slice(0, 6))
        whole = [value, *gradients]
        torch.testing.assert_close(averages[name], whole, rtol=1e-9, atol=1e-12)
        # Each process with the mean of its own half would do something else.
        first, second = (gan_gradients(name, slice(i, i + 3)) for i in (0, 3))
        assert abs((first[0] + second[0]) / 2 - value) > 1e-4
        apart = (first[1][1] + second[1][1]) / 2
        assert (apart - gradients[1]).norm() > 1e-2 * gradients[1].norm() > 1e-6
