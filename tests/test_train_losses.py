"""Generator, discriminators and losses of the training: counted by hand, against numpy and libraries."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from srbench.attacks.perceptual import VGG19
from srbench.errors import BadInput, Unavailable
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.support.home import forget_weight_files
from srbench.support.torchvision import prepare_torchvision
from srbench.train import frequency, losses, perceptual
from srbench.train.discriminators import Discriminator, build_discriminator
from srbench.train.generator import build_generator, load_into
from srbench.train.initial import initialised
from srbench.zoo.loading import load_network


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small gain nothing from a second thread, and lose much where the cores are taken."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def discriminator(kind: str = "vgg", patch: int = 32, **options: Any) -> Discriminator:
    network = build_discriminator(kind, patch, **({"num_feat": 8} | options))
    assert network is not None
    return network


def images(count: int = 2, side: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def convolution(incoming: int, outgoing: int, side: int, bias: bool) -> int:
    return incoming * outgoing * side**2 + outgoing * bias


# ---- generator


def rrdb_parameters(features: int, blocks: int, growth: int = 32) -> int:
    dense = sum(convolution(features + i * growth, growth, 3, True) for i in range(4))
    dense += convolution(features + 4 * growth, features, 3, True)
    # after the blocks: the trunk's, two upsampling and the HR convolution
    return (
        convolution(3, features, 3, True)
        + blocks * 3 * dense
        + 4 * convolution(features, features, 3, True)
        + convolution(features, 3, 3, True)
    )


def test_full_size_generator_is_the_published_one() -> None:
    assert rrdb_parameters(64, 23) == 16_697_987
    assert parameters(build_generator()) == 16_697_987


def test_generator_starts_as_esrgan_does() -> None:
    """Dense blocks against torch's own Kaiming normal; the other layers within torch's default bounds."""
    network = build_generator(num_feat=16, num_block=2, seed=5)
    dense = {k: v for k, v in network.named_parameters() if ".RDB" in k}
    assert len(dense) == 2 * 3 * 5 * 2
    for key, value in dense.items():
        if key.endswith("bias"):
            assert not value.any()
            continue
        library = nn.init.kaiming_normal_(torch.empty(400, *value.shape[1:]), a=0, mode="fan_in") * 0.1
        assert value.std().item() == pytest.approx(library.std().item(), rel=0.1)
        assert abs(value.mean().item()) < 0.1 * value.std().item()
    first = network.get_submodule("model.0")
    assert isinstance(first, nn.Conv2d) and first.bias is not None
    bound = 1 / np.sqrt(27)
    for tensor in (first.weight, first.bias):
        assert 0.8 * bound < tensor.abs().max().item() <= bound


@pytest.mark.parametrize("build", [lambda s: build_generator(8, 1, seed=s), lambda s: discriminator(seed=s)])
def test_weights_follow_the_seed_alone(build: Callable[[int], nn.Module]) -> None:
    before = torch.random.get_rng_state()
    one, again, other = build(1), build(1), build(2)
    assert torch.equal(torch.random.get_rng_state(), before)
    for a, b in zip(one.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    weights = [(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True) if a.ndim == 4]
    assert weights and not any(torch.equal(a, b) for a, b in weights)
    assert one.training and all(p.requires_grad for p in one.parameters())


def test_equal_layers_get_different_weights() -> None:
    state = build_generator(8, 2).state_dict()
    keys = [f"model.1.sub.{i}.RDB{j}.conv1.0.weight" for i in range(2) for j in (1, 2, 3)]
    assert len({state[key].numpy().tobytes() for key in keys}) == 6
    for network, layers in (
        (build_generator(8, 1), ("model.3", "model.6", "model.8")),
        (discriminator(), ("stages.7.0", "stages.8.0", "stages.9.0")),
    ):
        drawn = {network.state_dict()[f"{layer}.weight"].flatten()[:9].numpy().tobytes() for layer in layers}
        assert len(drawn) == 3


def test_a_layer_without_defined_weights_is_refused() -> None:
    with pytest.raises(TypeError, match="PReLU"):
        initialised(lambda: nn.Sequential(nn.PReLU()), 0, "x")


@pytest.mark.parametrize(("features", "blocks"), [(8, 1), (16, 3)])
def test_saved_weights_load_through_the_zoo(features: int, blocks: int, tmp_path: Path) -> None:
    network = build_generator(features, blocks, seed=3)
    save_file(network.state_dict(), tmp_path / "g.safetensors")
    loaded = load_network(tmp_path / "g.safetensors")
    assert loaded.family == "ESRGAN"
    assert loaded.parameters == parameters(network) == rrdb_parameters(features, blocks)
    x = images(1, 12)
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(x), network(x), rtol=0, atol=1e-6)
        assert network(x).shape == (1, 3, 48, 48)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"num_feat": 0}, "0 features"), ({"num_block": 0}, "0 blocks")],
)
def test_generators_that_cannot_be(options: dict[str, int], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        build_generator(**({"num_feat": 8, "num_block": 1} | options))


def new_layout(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys as BasicSR writes them today."""
    names = {"0": "conv_first", "3": "conv_up1", "6": "conv_up2", "8": "conv_hr", "10": "conv_last"}
    renamed = {}
    for old, value in state.items():
        dense = re.sub(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0", r"body.\1.rdb\2.conv\3", old)
        body = re.sub(r"model\.1\.sub\.\d+\.", "conv_body.", dense)
        renamed[re.sub(r"model\.(\d+)\.", lambda m: names[m[1]] + ".", body)] = value
    return renamed


def test_load_into_takes_every_layout_and_float_type(tmp_path: Path) -> None:
    wanted = build_generator(8, 2, seed=1)
    state = wanted.state_dict()
    half = {key: value.half() for key, value in state.items()}
    save_file(half, tmp_path / "half.safetensors")
    torch.save({"params_ema": new_layout(state)}, tmp_path / "new.pth")
    module_prefix = {f"module.{key}": value for key, value in state.items()}
    for weights in (tmp_path / "new.pth", str(tmp_path / "half.safetensors"), state, module_prefix):
        network = build_generator(8, 2, seed=2)
        load_into(network, weights)
        reference = half if "half" in str(weights)[-20:] else state
        for key, value in network.state_dict().items():
            assert value.dtype == torch.float32
            assert torch.equal(value, reference[key].float())


def test_load_into_refuses_what_does_not_fit(tmp_path: Path) -> None:
    prepare_torchvision()
    from spandrel.architectures.Compact import Compact

    with torch.random.fork_rng(devices=[]):
        compact = Compact(num_feat=8, num_conv=2, upscale=4).state_dict()
    network = build_generator(8, 2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    broken = {key: value.clone() for key, value in before.items()}
    broken["model.0.weight"][0, 0, 0, 0] = float("nan")
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(b"no checkpoint")
    cases: list[tuple[Any, str]] = [
        (compact, "architecture Compact"),
        (build_generator(16, 1).state_dict(), "16 features and 1 block, .* 8 features and 2 blocks"),
        ({"weight": torch.zeros(3)}, "does not know this architecture"),
        (broken, r"not finite \(model.0.weight\)"),
        (damaged, "damaged"),
        (tmp_path / "absent.pth", "no such file"),
    ]
    for weights, words in cases:
        with pytest.raises(BadInput, match=words) as caught:
            load_into(network, weights)
        assert "\n" not in str(caught.value)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])


# ---- discriminators


def vgg_parameters(patch: int, features: int, batch_norm: bool) -> int:
    """BasicSR's VGGStyleDiscriminator128, line by line: side and features of its ten convolutions."""
    layers = [(3, 1, 3), (1, 1, 4), (1, 2, 3), (2, 2, 4), (2, 4, 3)]
    layers += [(4, 4, 4), (4, 8, 3), (8, 8, 4), (8, 8, 3), (8, 8, 4)]
    total = convolution(3, features, 3, True)
    for incoming, outgoing, side in layers[1:]:
        total += convolution(incoming * features, outgoing * features, side, not batch_norm)
        total += 2 * outgoing * features * batch_norm
    flat = 8 * features * (patch // 32) ** 2
    return total + (flat * 100 + 100) + (100 + 1)


def patchgan_parameters(channels: int, features: int, batch_norm: bool) -> int:
    total = convolution(channels, features, 4, True) + convolution(8 * features, 1, 4, True)
    for incoming, outgoing in ((1, 2), (2, 4), (4, 8)):
        total += convolution(incoming * features, outgoing * features, 4, not batch_norm)
        total += 2 * outgoing * features * batch_norm
    return total


def test_discriminator_sizes_are_the_published_ones() -> None:
    assert vgg_parameters(128, 64, True) == 14_499_401
    # what pix2pix prints, 2.769 M, is for six channels: input and output together
    assert patchgan_parameters(6, 64, True) == 2_768_705
    for patch, features, norm in ((128, 64, "batch"), (64, 32, "batch"), (96, 16, "none")):
        vgg = discriminator("vgg", patch, num_feat=features, norm=norm)
        assert parameters(vgg) == vgg_parameters(patch, features, norm == "batch")
        patchgan = discriminator("patchgan", patch, num_feat=features, norm=norm)
        assert parameters(patchgan) == patchgan_parameters(3, features, norm == "batch")
        assert any(isinstance(m, nn.BatchNorm2d) for m in vgg.modules()) == (norm == "batch")


def test_vgg_linear_is_8192_100_1() -> None:
    linear = [m for m in discriminator("vgg", 128, num_feat=64).modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(8192, 100), (100, 1)]


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("patch", [32, 64, 96, 128])
@pytest.mark.parametrize("kind", ["vgg", "patchgan"])
def test_logits_come_from_the_last_features(kind: str, patch: int, norm: str) -> None:
    network = discriminator(kind, patch, norm=norm).eval()
    x = images(2, patch)
    with torch.no_grad():
        features, logits = network.features(x), network(x)
        torch.testing.assert_close(network.judge(features[-1]), logits)
    sides = [layer.shape[-1] for layer in features]
    if kind == "vgg":
        assert logits.shape == (2, 1)
        assert sides == [patch >> n for n in (0, 1, 1, 2, 2, 3, 3, 4, 4, 5)]
        assert [layer.shape[1] for layer in features] == [8, 8, 16, 16, 32, 32, 64, 64, 64, 64]
    else:
        assert logits.shape == (2, 1, patch // 8 - 2, patch // 8 - 2)
        assert sides == [patch // 2, patch // 4, patch // 8, patch // 8 - 1]


def test_patchgan_sees_70_pixels() -> None:
    network = discriminator("patchgan", 128, norm="none").double()
    x = images(1, 128).double().requires_grad_()
    network(x)[0, 0, 7, 7].backward()
    assert x.grad is not None
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


def test_sync_batchnorm_conversion_keeps_the_discriminator() -> None:
    network = discriminator(patch=64)
    x = images(3, 64)
    network(x)
    wanted = network.eval()(x)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    assert isinstance(converted, Discriminator)
    assert any(isinstance(m, nn.SyncBatchNorm) for m in converted.modules())
    torch.testing.assert_close(converted.eval()(x), wanted)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vgg", 100), "multiple of 32, not 100"),
        (("patchgan", 16), "24 pixels or more"),
        (("dcgan", 64), "vgg, patchgan, unet or none"),
        (("unet", 20), "multiple of 8"),
        (("vgg", 64, 8, "layer"), "batch or none"),
        (("vgg", 64, 0), "num_feat is 0"),
    ],
)
def test_discriminators_that_cannot_be(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        build_discriminator(*arguments)


def test_discriminator_refuses_other_images() -> None:
    assert build_discriminator("none", 128) is None
    for call in (discriminator(patch=64), discriminator(patch=64).features):
        with pytest.raises(BadInput, match="64 x 64 pixels, not 96 x 64"):
            call(torch.zeros(2, 3, 64, 96))
    with pytest.raises(BadInput, match="norm to none"):
        discriminator(patch=32)(images(1))
    assert discriminator(patch=32, norm="none")(images(1)).shape == (1, 1)


# ---- losses


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


# ---- two processes

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


# ---- perceptual loss


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
