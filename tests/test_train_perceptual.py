"""The perceptual loss of training: which network is chosen, and feature matching by its formula."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small_networks import discriminator, images
from torch import Tensor, nn

from srbench.attacks.perceptual import VGG19
from srbench.errors import BadInput, Unavailable
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.support.home import forget_weight_files
from srbench.train import perceptual
from srbench.train.discriminators import Discriminator


def installed(shared_weights: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """A SRBENCH_WEIGHTS that holds only some of the real files."""
    folder.mkdir()
    for name in names:
        shutil.copy(next(shared_weights.rglob(name)), folder)
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(folder))
    forget_weight_files()


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_named_lpips_equals_the_package(net: str, shared_weights: Path) -> None:
    sr, hr = images(side=64, seed=1), images(side=64, seed=2)
    chosen = perceptual.choose_perceptual(f"lpips-{net}")
    assert (chosen.text, chosen.note) == (f"lpips-{net}", "")
    score = chosen.bind(hr)
    assert score is not None
    wanted = load_lpips(net, BACKBONES[net].locate())(sr, hr, normalize=True).flatten()
    torch.testing.assert_close(score(sr), wanted, atol=1e-6, rtol=0)


def test_auto_takes_the_first_that_is_installed(
    shared_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = discriminator()
    for folder, files, taken, missing in (
        ("both", ("alexnet_features.pth", "squeezenet1_1_features.pth"), "lpips-alex", ("vgg19",)),
        ("one", ("squeezenet1_1_features.pth",), "lpips-squeeze", ("vgg19", "lpips-alex")),
        ("none", (), "lpips-lite", ("vgg19", "lpips-alex", "lpips-squeeze")),
    ):
        installed(shared_weights, tmp_path / folder, monkeypatch, *files)
        chosen = perceptual.choose_perceptual("auto", discriminator=network)
        assert chosen.text == taken
        assert chosen.note.startswith(f"perceptual loss {taken}: {missing[0]}")
        assert all(name in chosen.note for name in missing) and "\n" not in chosen.note
        assert "vgg19-dcbb9e9d.pth" in chosen.note  # what to get for the best one


def test_auto_prefers_vgg19_and_then_has_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed(VGG19):
        text = "vgg19"

        def __init__(self) -> None:
            with torch.random.fork_rng(devices=[]):
                super().__init__(nn.Conv2d(3, 4, 3))

    monkeypatch.setattr(perceptual, "VGG19", Installed)
    chosen = perceptual.choose_perceptual("auto", discriminator=discriminator())
    assert (chosen.text, chosen.note) == ("vgg19", "")
    score = chosen.bind(images())
    assert score is not None and not score(images()).any() and (score(images(seed=1)) > 0).all()


def test_choices_that_cannot_be() -> None:
    for text in ("vgg19", "lpips-alex", "lpips-squeeze"):
        with pytest.raises(Unavailable, match="SRBENCH_WEIGHTS"):
            perceptual.choose_perceptual(text)
    for text, words in (
        ("features", "set discriminator.kind"),
        (
            "dists",
            "choose auto, vgg19, vgg16-conv5_3, lpips-alex, lpips-squeeze, lpips-lite, features or none",
        ),
    ):
        with pytest.raises(BadInput, match=words) as caught:
            perceptual.choose_perceptual(text)
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="unwrap"):
        perceptual.choose_perceptual("features", discriminator=nn.Sequential(discriminator()))


def test_none_is_none() -> None:
    chosen = perceptual.choose_perceptual("none", discriminator=discriminator())
    assert chosen.text == "none" and chosen.bind(images()) is None


def features_score(network: Discriminator, hr: Tensor, width: int = 0) -> Callable[[Tensor], Tensor]:
    chosen = perceptual.choose_perceptual("features", discriminator=network, high_pass_width=width)
    assert (chosen.text, chosen.note) == ("features", "")
    score = chosen.bind(hr)
    assert score is not None
    return score


@pytest.mark.parametrize("kind", ["vgg", "patchgan"])
def test_feature_matching_equals_its_formula(kind: str) -> None:
    """Against numpy over what hooks see behind every LeakyReLU of the stages."""
    network = discriminator(kind)
    sr, hr = images(3, seed=1), images(3, seed=2)
    network(hr)  # running statistics other than the initial ones
    scores = features_score(network, hr)(sr)
    seen: list[np.ndarray] = []
    network.eval()
    for module in network.stages.modules():
        if isinstance(module, nn.LeakyReLU):
            module.register_forward_hook(lambda _m, _i, out: seen.append(out.numpy().astype(np.float64)))
    with torch.no_grad():
        network(sr)
        network(hr)
    layers = len(seen) // 2
    assert layers == (10 if kind == "vgg" else 4)
    for image in range(3):
        pairs = [(seen[i][image], seen[layers + i][image]) for i in range(layers)]
        wanted = np.mean([np.abs(a - b).mean() / np.abs(b).mean() for a, b in pairs])
        assert scores[image].item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("kind", ["vgg", "patchgan"])
def test_feature_matching_is_of_the_order_of_one(kind: str, norm: str) -> None:
    network = discriminator(kind, 64, num_feat=16, norm=norm)
    coarse = images(4, 8, seed=1)
    hr = nn.functional.interpolate(coarse, size=64, mode="bicubic").clamp(0, 1)
    for _ in range(5):
        network(hr)
    score = features_score(network, hr)
    noise = torch.randn(hr.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        equal, near, far = score(hr), score(hr + 0.02 * noise), score(images(4, 64, seed=2))
    assert not equal.any()
    assert (near > 0.005).all() and (near < 0.1).all()
    assert (far > 0.1).all() and (far < 2).all()


def test_feature_matching_leaves_the_discriminator_alone() -> None:
    network = discriminator(patch=64)
    network.stages[0].eval()
    network.stages[1].requires_grad_(False)
    sr, hr = images(2, 64, seed=1).requires_grad_(), images(2, 64, seed=2)

    def condition() -> tuple[list[bool], list[bool], list[bytes]]:
        return (
            [module.training for module in network.modules()],
            [parameter.requires_grad for parameter in network.parameters()],
            [tensor.detach().numpy().tobytes() for tensor in network.state_dict().values()],
        )

    before = condition()
    with torch.autocast("cpu", torch.bfloat16):
        # Autocast keeps the cast weights of an ordinary pass; they must not lead the gradient into D.
        network.judge(network.eval().features(sr)[-1])
        network.train().stages[0].eval()
        features_score(network, hr)(sr).sum().backward()
    assert condition() == before
    assert sr.grad is not None and (sr.grad.abs().amax((1, 2, 3)) > 0).all()
    assert all(parameter.grad is None for parameter in network.parameters())
    with pytest.raises(BadInput, match="64 x 64"):
        features_score(network, images())
    assert condition() == before


def test_feature_matching_of_an_image_does_not_depend_on_its_batch() -> None:
    network = discriminator()
    sr, hr = images(4, seed=1), images(4, seed=2)
    network(hr)
    together = features_score(network, hr)(sr)
    alone = torch.cat([features_score(network, hr[i : i + 1])(sr[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(alone, together)


def test_feature_matching_behind_a_high_pass_ignores_brightness() -> None:
    network, hr = discriminator(norm="none"), 0.5 * images()
    brighter = hr + 0.2
    assert features_score(network, hr, 9)(brighter).max() < 1e-5
    assert features_score(network, hr)(brighter).min() > 0.01


def test_feature_matching_gradient_equals_finite_differences() -> None:
    network = discriminator("patchgan", norm="none").double()
    hr, sr = images(1, seed=1).double(), images(1, seed=2).double().requires_grad_()
    score = features_score(network, hr)
    (gradient,) = torch.autograd.grad(score(sr).sum(), sr)
    direction = torch.randn(sr.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with torch.no_grad():
        step = 1e-7
        slope = (score(sr + step * direction) - score(sr - step * direction)).item() / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-3)
