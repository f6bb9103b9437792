"""The U-Net discriminator and what a recipe says about the GAN: means, learning rates, precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.train import losses
from srbench.train import recipe as recipes
from srbench.train.discriminators import UNet, build_discriminator
from srbench.train.generator import build_generator
from srbench.train.perceptual import Perceptual
from srbench.train.processes import Processes
from srbench.train.start import make_state
from srbench.train.trainer import Trainer


def unet(seed: int = 0, num_feat: int = 8) -> UNet:
    network = build_discriminator("unet", 64, num_feat, seed=seed)
    assert isinstance(network, UNet)
    return network


def images(count: int, side: int = 64) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(3))


def test_unet_has_the_published_size_and_judges_every_pixel() -> None:
    """4,376,897 parameters are those of Real-ESRGAN's UNetDiscriminatorSN with 64 features."""
    published = build_discriminator("unet", 128, 64)
    assert published is not None
    assert sum(p.numel() for p in published.parameters()) == 4_376_897
    assert unet()(images(2, 40)).shape == (2, 1, 40, 40)
    assert [layer.shape[1:] for layer in unet().features(images(1))] == [
        (8, 64, 64),
        (16, 32, 32),
        (32, 16, 16),
        (64, 8, 8),
    ]


def test_unet_convolutions_have_spectral_norm_one() -> None:
    """Against NumPy's singular values, once the estimate has settled; the first and the last stay free."""
    network = unet()
    for _ in range(60):
        network(images(1))
    network.eval()
    normed = [
        module
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and hasattr(module, "parametrizations")
    ]
    assert len(normed) == 8
    for module in normed:
        largest = np.linalg.svd(module.weight.detach().flatten(1).numpy(), compute_uv=False)[0]
        assert largest == pytest.approx(1, rel=2e-2)


def test_unet_follows_the_seed_alone() -> None:
    first = unet(1).state_dict()
    torch.rand(5)
    state = torch.get_rng_state()
    second, other = unet(1).state_dict(), unet(2).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], second[key]) for key in first)
    vectors = [key for key in first if key.endswith("_u")]
    assert vectors and not any(torch.equal(first[key], other[key]) for key in vectors)


def test_unet_refuses_a_patch_it_cannot_halve_three_times() -> None:
    with pytest.raises(BadInput, match="multiple of 8"):
        build_discriminator("unet", 100)


def test_means_that_are_not_detached_pass_their_gradient() -> None:
    """The whole loss, means included, against finite differences; the value is the same either way."""
    draw = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(4, 1, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(2))

    def loss(detach: bool) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda r, f: losses.discriminator_gan(r, f, detach)

    assert loss(True)(real, fake).item() == loss(False)(real, fake).item()
    assert torch.autograd.gradcheck(loss(False), (real, fake))
    attached = torch.autograd.grad(loss(False)(real, fake), real)[0]
    detached = torch.autograd.grad(loss(True)(real, fake), real)[0]
    assert (attached - detached).abs().max() > 1e-3


@pytest.mark.parametrize("detach", [True, False])
def test_a_recipe_decides_about_means_and_learning_rates(detach: bool) -> None:
    changes = {
        "generator.num_feat": 8,
        "generator.num_block": 1,
        "data.batch": 2,
        "data.patch": 64,
        "init": "scratch",
        "discriminator.kind": "patchgan",
        "discriminator.num_feat": 8,
        "optimizer.lr": 1e-3,
        "optimizer.lr_discriminator": 1e-5,
        "losses.perceptual_net": "none",
        "losses.perceptual": 0.0,
        "losses.detach_means": detach,
    }
    recipe = recipes.load("esrgan-mini", changes)
    processes = Processes("cpu", 1)
    state = make_state(recipe, processes)
    asked: list[bool] = []
    original = losses.discriminator_gan

    def spy(real: Tensor, fake: Tensor, detach_means: bool = True) -> Tensor:
        asked.append(detach_means)
        return original(real, fake, detach_means)

    trainer = Trainer(recipe, state, Bicubic(), Perceptual(None), processes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "discriminator_gan", spy)
        trainer.step(images(2), [0, 1])
    assert asked == [detach]
    assert state.optimizer_d is not None
    assert [group["lr"] for group in state.optimizer_g.param_groups] == [1e-3]
    assert [group["lr"] for group in state.optimizer_d.param_groups] == [1e-5]


class Bicubic:
    samples = 1

    def __call__(self, batch: object) -> Tensor:
        return nn.functional.avg_pool2d(batch.hr, 4)  # type: ignore[attr-defined, no-any-return]


def test_the_image_is_made_in_single_precision_under_autocast() -> None:
    """Above 0.5 bf16 has steps of a whole gray level, which a perceptual loss would see."""
    network = build_generator(8, 1).eval()
    lr = images(1, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        sr = network(lr)
    assert sr.dtype == torch.float32
    assert not torch.equal(sr, sr.bfloat16().float())
    with torch.no_grad():
        assert (sr - network(lr)).abs().max() < 0.05
