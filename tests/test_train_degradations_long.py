"""Every degradation against a value from elsewhere; the same LR in every batch; the generator untouched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from scipy.io import savemat
from torch import Tensor, nn

from srbench.attacks import RandomNoise, StructuredPGD
from srbench.attacks.noise import generator as seeded
from srbench.attacks.objectives import Custom
from srbench.datasets import degrade
from srbench.errors import BadInput, Unavailable
from srbench.train import degradations
from srbench.train.data.resize import bicubic_down, weight_matrix
from srbench.train.degradations import Batch, Context, Degradation
from srbench.train.degradations.dsgan import DSGAN, build_dsgan, build_texture_discriminator
from srbench.train.degradations.dsgan_training import FIRST_INPUT, DSGANTraining, decay
from srbench.train.degradations.frequency_separation import (
    FrequencySeparation,
    FrequencySeparationSettings,
    _plan,
)
from srbench.train.degradations.kernels import Kernels, centred, load_kernels
from srbench.train.degradations.mixture import Mixture
from srbench.train.degradations.noise_patches import NoisePatches, PatchRules, collect_patches
from srbench.train.degradations.source_domain import FIRST_CROP, open_domain
from srbench.train.frequency import high_pass, low_pass

P = 32
"""Side of the HR crops here; LR is a quarter."""


class Upscaler(nn.Module):
    """A small generator with a BatchNorm, whose statistics an attack in train mode must not move."""

    def __init__(self) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8, momentum=0.5)
        self.last = nn.Conv2d(8, 48, 3, padding=1)
        self.calls = 0
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.2, 0.2, generator=draw)

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        detail = F.pixel_shuffle(self.last(F.leaky_relu(self.norm(self.first(lr)))), 4)
        return F.interpolate(lr, scale_factor=4, mode="nearest") + 0.2 * detail


def plain() -> nn.Module:
    """The generator without its BatchNorm, so that a batch is its images one by one."""
    network = Upscaler()
    network.norm = nn.Identity()  # type: ignore[assignment]
    return network


def crops(indices: Sequence[int]) -> Tensor:
    """Smooth 8-bit colour gradients, decided by the index alone."""
    images = []
    for index in indices:
        draw = torch.Generator().manual_seed(index % (1 << 40))
        corners = torch.rand(1, 3, 3, 3, generator=draw)
        images.append(F.interpolate(corners, size=(P, P), mode="bilinear", align_corners=True))
    return (torch.cat(images) * 255).round() / 255


def noisy(count: int, first: int = 0) -> Tensor:
    """HR with detail: 8-bit uniform noise over the gradients."""
    draw = torch.Generator().manual_seed(first)
    grain = torch.rand(count, 3, P, P, generator=draw)
    return ((0.6 * crops(range(first, first + count)) + 0.4 * grain) * 255).round() / 255


def distance(hr: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda sr: (low_pass(sr, 3) - low_pass(hr, 3)).square().flatten(1).mean(1)


def batch(count: int = 4, first: int = 0) -> Batch:
    hr = noisy(count, first)
    return Batch(hr, tuple(str(first + i) for i in range(count)), distance(hr), "distance")


def one(whole: Batch, position: int) -> Batch:
    hr = whole.hr[position : position + 1]
    return Batch(hr, whole.ids[position : position + 1], distance(hr), whole.score_text)


@pytest.fixture
def context() -> Context:
    return Context(plain(), 7, None, crops, torch.device("cpu"), lambda line: None)


def made(context: Context, **table: Any) -> Degradation:
    degradation = degradations.make_degradation(degradations.parse(table), context)
    degradation.prepare()
    return degradation


# Small enough to train in a second, on images the test makes itself.
FS = {
    "kind": "frequency-separation",
    "iterations": 3,
    "batch": 2,
    "crop": 8,
    "pairs": "training",
    "gate": 0,
    "features": 4,
    "blocks": 1,
    "discriminator_features": 2,
    "perceptual_net": "none",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two source images: flat gray 120 with noise of 3 levels, and one that is all edges."""
    draw = np.random.default_rng(0)
    flat = 120 + draw.normal(0, 3, (40, 24, 3))
    edges = np.indices((40, 24)).sum(0)[..., None] % 2 * np.full(3, 255)
    path = tmp_path / "source"
    path.mkdir()
    for name, image in (("flat", flat), ("edges", edges)):
        Image.fromarray(image.round().clip(0, 255).astype(np.uint8)).save(path / f"{name}.png")
    return path


def tables(folder: Path) -> list[dict[str, Any]]:
    noise = {"kind": "noise-injection", "source": str(folder), "patch": 12, "stride": 4}
    return [
        {"kind": "clean"},
        {"kind": "clean", "quantize": False},
        {"kind": "adversarial"},
        {"kind": "adversarial", "steps": 0},
        noise,
        {**FS, "source": str(folder)},
        {"kind": "mixture", "parts": [{"kind": "clean"}, {"kind": "adversarial"}, {**noise, "weight": 2}]},
        {"kind": "blind"},
        {"kind": "blind-bsrgan"},
        {"kind": "adversarial-after", "first": {"kind": "blind"}},
        {"kind": "gaussian", "sigmas": ["20"], "samples": 1},
    ]


EACH = range(11)


# What holds of every degradation


@pytest.mark.parametrize("number", EACH)
def test_a_batch_is_its_samples_one_by_one_and_the_seed_decides(
    number: int, folder: Path, context: Context
) -> None:
    table = tables(folder)[number]
    assert {t["kind"] for t in tables(folder)} == set(degradations.KINDS)
    degradation, whole = made(context, **table), batch(6)
    lr = degradation(whole)
    assert lr.shape == (6, 3, P // 4, P // 4)
    assert lr.dtype == torch.float32 and not lr.requires_grad
    assert table["kind"] == "gaussian" or (lr.min() >= 0 and lr.max() <= 1)
    alone = torch.cat([degradation(one(whole, i)) for i in range(6)])
    assert torch.equal(lr, alone)
    assert torch.equal(lr, made(context, **table)(whole))
    other = made(replace(context, seed=8), **table)(whole)
    assert torch.equal(lr, other) == (table["kind"] == "clean")


@pytest.mark.parametrize("number", EACH)
def test_global_random_state_and_generator_are_untouched(number: int, folder: Path, context: Context) -> None:
    generator = Upscaler().train()
    generator.first.bias.requires_grad_(False)  # type: ignore[union-attr]
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    asked = [parameter.requires_grad for parameter in generator.parameters()]
    torch.manual_seed(1)
    np.random.seed(1)
    state, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    made(replace(context, generator=generator), **tables(folder)[number])(batch())
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == legacy).all()  # type: ignore[index]
    assert generator.training
    assert [parameter.requires_grad for parameter in generator.parameters()] == asked
    assert all(parameter.grad is None for parameter in generator.parameters())
    for key, value in generator.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize("number", EACH)
def test_settings_survive_a_round_trip_and_are_told(number: int, folder: Path, context: Context) -> None:
    settings = degradations.parse(tables(folder)[number])
    dumped = settings.model_dump(mode="json")
    assert degradations.parse(dumped) == settings
    facts = made(context, **dumped).describe()
    assert set(dumped) <= set(facts)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({}, "needs a kind"),
        ({"kind": "clen"}, "'clen'.*adversarial, adversarial-after, .*clean"),
        ({"kind": "clean", "quantise": True}, "'quantise'.*did you mean 'quantize'"),
        ({"kind": "adversarial", "eps": 0.05}, "'eps'.*ambiguous"),
        ({"kind": "adversarial", "steps": -1}, "'steps'"),
        ({"kind": "adversarial", "structure": 0.5}, "'structure'"),
        ({"kind": "adversarial", "loss": "l1+fsim"}, "'loss'.*'fsim'.*percep, l1"),
        ({"kind": "adversarial", "loss": "0*l1"}, "'loss'"),
        ({"kind": "noise-injection"}, "'source'"),
        ({"kind": "frequency-separation", "source": "x", "low_pass": 4}, "'low_pass': 4 is even"),
        ({"kind": "mixture", "parts": []}, "'parts'"),
        ({"kind": "mixture", "parts": [{"kind": "clean", "weight": 0}]}, "'parts'.*above 0"),
        ({"kind": "mixture", "parts": [{"kind": "clean", "x": 0}]}, "'parts'.*'x'"),
    ],
)
def test_wrong_settings_are_named(table: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named) as error:
        degradations.parse(table)
    assert "\n" not in str(error.value)


# clean


def test_clean_is_the_published_lr_to_the_bit(context: Context) -> None:
    whole = batch()
    pixels = (whole.hr * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    wanted = np.stack([degrade.bicubic(image) for image in pixels])
    lr = made(context, kind="clean")(whole)
    assert torch.equal((lr * 255).round().to(torch.uint8).permute(0, 2, 3, 1), torch.from_numpy(wanted))
    assert torch.equal(lr, torch.from_numpy(wanted).permute(0, 3, 1, 2).float() / 255)
    free = made(context, kind="clean", quantize=False)(whole)
    assert torch.equal(free, bicubic_down(whole.hr))
    assert not torch.equal(free, lr)


# adversarial


def test_adversarial_is_structured_pgd_to_the_bit(context: Context) -> None:
    whole = batch()
    lr = made(context, kind="adversarial")(whole)
    score = Custom(lambda sr, hr: 0.01 * (sr - hr).abs().flatten(1).mean(1) + distance(hr)(sr))
    attack = StructuredPGD(
        context.generator, eps=14 / 255, alpha=1 / 255, steps=2, structure=1.5, objective=score, seed=7
    )
    clean = bicubic_down(whole.hr, quantize=True)
    assert torch.equal(lr, attack(clean, whole.hr, whole.ids))
    assert (lr - clean).abs().max() <= 14 / 255 + 1e-6
    assert (lr - clean).abs().mean() > 5 / 255


def test_options_reach_the_attack(context: Context) -> None:
    whole = batch()
    table = {"kind": "adversarial", "eps": 8, "alpha": "2/255", "steps": 3, "structure": 2, "loss": "l1"}
    attack = StructuredPGD(
        context.generator, eps=8 / 255, alpha=2 / 255, steps=3, structure=2, objective="l1", seed=7
    )
    wanted = attack(bicubic_down(whole.hr), whole.hr, whole.ids)
    assert torch.equal(made(context, **table, quantize=False)(whole), wanted)
    assert torch.equal(made(context, **table, quantize=False)(replace(whole, score=None)), wanted)


def test_no_steps_is_structured_random_noise_without_running_the_generator(context: Context) -> None:
    whole = replace(batch(), score=None)
    generator = Upscaler()
    lr = made(replace(context, generator=generator), kind="adversarial", steps=0)(whole)
    wanted = RandomNoise(generator, eps=14 / 255, structure=1.5, seed=7)
    assert torch.equal(lr, wanted(bicubic_down(whole.hr, quantize=True), None, whole.ids))
    assert generator.calls == 0


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_attack_costs_one_pass_and_one_score_a_step(steps: int, context: Context) -> None:
    generator, scored = Upscaler(), []
    whole = batch()

    def score(sr: Tensor) -> Tensor:
        scored.append(sr.requires_grad)
        return distance(whole.hr)(sr)

    made(replace(context, generator=generator), kind="adversarial", steps=steps)(replace(whole, score=score))
    assert generator.calls == steps
    assert scored == [True] * steps


def test_percep_without_a_perceptual_loss_is_refused(context: Context) -> None:
    degradation = made(context, kind="adversarial")
    with pytest.raises(BadInput, match="percep"):
        degradation(replace(batch(), score=None))


def test_a_term_that_is_not_installed_is_missed_when_built(context: Context) -> None:
    with pytest.raises(Unavailable, match="vgg19"):
        made(context, kind="adversarial", loss="l1+vgg19")


def test_percep_is_the_loss_of_training_and_not_vgg19(context: Context) -> None:
    degradation = made(context, kind="adversarial", loss=" Percep + 0.010*l1 ")
    assert degradation.describe()["loss"] == "0.01*l1+percep"
    degradation(batch())


def test_bf16_attack_stays_in_the_ball(context: Context) -> None:
    whole = batch()
    lr = made(context, kind="adversarial", precision="bf16")(whole)
    clean = bicubic_down(whole.hr, quantize=True)
    assert lr.dtype == torch.float32 and (lr - clean).abs().max() <= 14 / 255 + 1e-6
    # Most signs agree with those of fp32; the noise is the same.
    assert (lr == made(context, kind="adversarial")(whole)).float().mean() > 0.8


# noise injection


def patches(images: list[np.ndarray[Any, Any]], **changes: Any) -> NoisePatches:
    rules = {"patch": 8, "stride": 8, "max_variance": 20.0, "min_mean": 0.0, "limit": 100} | changes
    return collect_patches(images, PatchRules(**rules), source="here", seed=0)


def gray(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values.astype(np.uint8)[..., None].repeat(3, -1)


def test_patches_obey_the_rules() -> None:
    stripes = np.tile([96, 104], (8, 4))  # variance 16, mean 100
    wide = np.tile([95, 105], (8, 4))  # variance 25
    dark = np.tile([0, 8], (8, 4))  # variance 16, mean 4
    image = gray(np.vstack([np.hstack([stripes, wide]), np.hstack([dark, stripes + 20])]))
    assert len(patches([image])) == 3
    assert len(patches([image], min_mean=4.0)) == 2  # above, not at
    assert len(patches([image], max_variance=25.1)) == 4
    assert len(patches([image], max_variance=16.1, min_mean=110.0)) == 1
    assert len(patches([gray(np.full((17, 23), 9))], stride=3)) == 4 * 6
    assert len(patches([image], limit=2)) == 2


@pytest.mark.parametrize(
    ("rules", "advice"),
    [
        ({"max_variance": 16.0}, r"below max_variance = 16 \(the smoothest has 16.0\): raise"),
        ({"min_mean": 200.0}, r"min_mean = 200 \(the brightest has 100.0\): lower min_mean"),
        ({"patch": 9}, "at most 8 px.*set patch of noise-injection to 8 or less"),
    ],
)
def test_rules_no_patch_can_meet_are_told(rules: dict[str, Any], advice: str) -> None:
    with pytest.raises(BadInput, match=advice):
        patches([gray(np.tile([96, 104], (8, 4)))], **rules)


def test_a_limit_keeps_a_fair_choice() -> None:
    images = [gray(np.full((8, 8), level)) for level in range(100, 200)]
    choices = [patches([*images], limit=10, min_mean=float(m)) for m in (0, 1)]
    assert choices[0].hash == choices[1].hash
    levels = {int(k) for k in choices[0]._patches[:, 0, 0, 0]}
    assert len(levels) == 10
    assert min(levels) < 150 < max(levels)


def test_noise_is_a_patch_without_its_mean(folder: Path, context: Context) -> None:
    table = {"kind": "noise-injection", "source": str(folder), "patch": 8, "stride": 8}
    degradation = made(context, **table)
    facts = degradation.describe()
    assert facts["noise_patches"] == 15  # the flat image's 5 x 3 places, none of the edges'
    # Gray in the middle of the range, where nothing is clipped: LR less 0.5 is the noise alone.
    whole = Batch(torch.full((5, 3, P, P), 128 / 255), tuple("abcde"))
    noise = degradation(whole) - 128 / 255
    assert noise.mean((-2, -1)).abs().max() < 1e-6
    assert 2 < noise.std() * 255 < 4
    pixels = np.asarray(Image.open(folder / "flat.png")).astype(np.float64)
    places = [pixels[i : i + 8, j : j + 8] for i in range(0, 40, 8) for j in range(0, 24, 8)]
    known = torch.from_numpy(np.stack([p - p.mean((0, 1)) for p in places])).permute(0, 3, 1, 2) / 255
    for sample in noise:
        assert (known - sample).abs().amax((1, 2, 3)).min() < 1e-6


def test_noise_is_clipped_to_the_range(folder: Path, context: Context) -> None:
    degradation = made(context, kind="noise-injection", source=str(folder), patch=8, stride=8)
    lr = degradation(Batch(torch.ones(4, 3, P, P), tuple("abcd")))
    assert lr.max() == 1 and 0.3 < (lr < 1).float().mean() < 0.7


def test_bad_sources_are_refused(tmp_path: Path, context: Context) -> None:
    for source, named in [(str(tmp_path / "no"), "not a directory"), ("mini:x", "mini:ntire or mini:aim")]:
        with pytest.raises(BadInput, match=named):
            made(context, kind="noise-injection", source=source)


# Kernels


def bicubic_kernel() -> np.ndarray[Any, Any]:
    taps = weight_matrix(64)[8, 32 - 6 : 32 + 10]
    return np.outer(taps, taps)


def test_the_bicubic_kernel_downscales_as_bicubic() -> None:
    hr = noisy(3)
    for padding in (0, 2, ((1, 4), (0, 3))):
        kernels = Kernels([np.pad(bicubic_kernel(), padding)])
        assert kernels.weights.shape == (1, 1, 16, 16)
        lr = kernels.downscale(hr, [0, 0, 0]).clamp(0, 1)
        assert torch.allclose(lr, bicubic_down(hr), atol=1e-6)


def test_each_image_gets_its_own_kernel_and_is_correlated_with_it() -> None:
    draw = np.random.default_rng(0)
    lopsided = np.zeros((8, 8))
    lopsided[1:7, 1:7] = draw.random((6, 6))
    # The same everything but mirrored, so that a convolution in place of a correlation would show.
    lopsided = lopsided + np.rot90(lopsided, 2) + np.eye(8)
    box = np.ones((4, 4))
    kernels = Kernels([lopsided, box])
    hr = noisy(2)
    lr = kernels.downscale(hr, [0, 1])
    assert torch.allclose(lr[1:], F.avg_pool2d(hr[1:], 4), atol=1e-6)
    wide = ndimage.correlate(hr[0, 1].double().numpy(), lopsided / lopsided.sum(), origin=0, mode="reflect")
    # SciPy's origin of an even kernel is its element 4; that of ours lies between 3 and 4 of LR's HR cell.
    assert np.allclose(lr[0, 1, :, :], wide[2::4, 2::4], atol=1e-6)


def test_a_kernel_is_put_where_lr_stays_aligned() -> None:
    ramp = torch.arange(64.0).reshape(1, 1, 1, 64).expand(1, 3, 64, 64) / 255
    y, x = np.indices((15, 15))
    for dy, dx in ((0.0, 0.0), (1.5, 1.5), (-0.7, 2.2)):
        blob = np.exp(-((y - 7 - dy) ** 2 + (x - 7 - dx) ** 2) / 4)
        kernels = Kernels([blob])
        assert kernels.weights.sum() == pytest.approx(1, abs=1e-5)
        lr = kernels.downscale(ramp, [0])
        middle = lr[0, 0, 8, 6:10] * 255
        assert torch.allclose(middle, 4 * torch.arange(6.0, 10.0) + 1.5, atol=2e-2)
    # KernelGAN's own frame, odd and 1.5 px off its middle, is moved by whole pixels: nothing is blurred.
    moved = centred(np.pad(bicubic_kernel(), ((3, 0), (3, 0))))
    assert np.allclose(moved, bicubic_kernel(), atol=1e-12)


def test_kernel_files(tmp_path: Path, folder: Path, context: Context) -> None:
    kernel = bicubic_kernel()
    savemat(tmp_path / "a.mat", {"Kernel": kernel, "other": np.zeros((3, 3))})
    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = kernel, np.ones((4, 4))
    savemat(tmp_path / "b.mat", {"kernels": cell})
    np.save(tmp_path / "c.npy", np.stack([kernel, kernel]))
    np.savez(tmp_path / "d.npz", x=kernel)
    assert len(load_kernels(tmp_path)) == 6
    assert len(load_kernels(tmp_path / "b.mat")) == 2
    table = {"kind": "noise-injection", "source": str(folder), "patch": 8, "stride": 8}
    with_kernel = made(context, **table, kernels=str(tmp_path / "a.mat"), quantize=False)
    whole = batch()
    assert torch.allclose(with_kernel(whole), made(context, **table, quantize=False)(whole), atol=1e-5)
    mixed = made(context, **table, kernels=str(tmp_path / "b.mat"))
    different = (mixed(whole) - with_kernel(whole)).abs().amax((1, 2, 3)) > 0.02
    assert different.any() and not different.all()


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.npy", b"no array"), ("a.mat", b"x" * 200), ("zero.npy", None), ("empty", None)],
)
def test_bad_kernels_are_named(name: str, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / name
    if content:
        path.write_bytes(content)
    elif name == "empty":
        path.mkdir()
    else:
        np.save(path, np.zeros((3, 3)))
    with pytest.raises(BadInput, match=name):
        load_kernels(path)


def test_the_real_bicubic_kernel_file(shared: Path) -> None:
    kernels = load_kernels(shared / "assets/kernels/kernels_bicubicx234.mat")
    lr = kernels.downscale(crops(range(2)), [2, 2]).clamp(0, 1)
    assert (lr - bicubic_down(crops(range(2)))).abs().mean() < 0.5 / 255


# Source domains


@pytest.mark.parametrize("name", ["ntire", "aim"])
def test_mini_domains_are_training_crops_degraded(name: str, context: Context) -> None:
    asked: list[int] = []

    def watched(indices: Sequence[int]) -> Tensor:
        asked.extend(indices)
        return crops(indices)

    domain = open_domain(f"mini:{name}", replace(context, crops=watched), count=20)
    assert sorted(asked) == list(range(FIRST_CROP, FIRST_CROP + 20))
    images = list(domain)
    assert len(images) == len(domain) == 20
    assert all(image.shape == (P // 4, P // 4, 3) and image.dtype == np.uint8 for image in images)
    hr = (crops(asked) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    clean = np.stack([degrade.bicubic(image) for image in hr]).astype(np.float64)
    inside = (clean > 40) & (clean < 215)
    residual = (np.stack(images) - clean)[inside]
    if name == "ntire":
        assert residual.std() == pytest.approx(6.65, abs=0.3)
        assert residual.mean() == pytest.approx(-1, abs=0.5)
    for number, (image, source) in enumerate(zip(images, hr, strict=True)):
        digest = hashlib.sha256(f"{context.seed}\0mini:{name}\0{number}".encode()).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
        assert (image == getattr(degrade, name)(source, random)).all()
    again = open_domain(f"mini:{name}", context, count=20)
    other = open_domain(f"mini:{name}", replace(context, seed=1), count=20)
    assert again.content_hash == domain.content_hash != other.content_hash


def test_crops_of_a_domain_are_places_of_its_images(folder: Path, context: Context) -> None:
    domain = open_domain(str(folder), context)
    cut = domain.crops(range(40), 8, seed=1)
    assert torch.equal(cut[3:5], domain.crops([3, 4], 8, seed=1))
    assert not torch.equal(cut, domain.crops(range(40), 8, seed=2))
    edges = cut.std((1, 2, 3)) > 0.4
    assert edges.any() and not edges.all()
    assert cut[~edges].mean() * 255 == pytest.approx(120, abs=2)
    with pytest.raises(BadInput, match="24 x 40 px, smaller than crops of 25"):
        domain.crops([0], 25, seed=1)


# Frequency separation


def test_low_pass_is_the_average_of_the_window() -> None:
    x = noisy(2)
    assert torch.equal(low_pass(x, 5, border=False), F.avg_pool2d(x, 5, 1))
    assert torch.allclose(low_pass(x, 5)[..., 2:-2, 2:-2], F.avg_pool2d(x, 5, 1))
    assert torch.allclose(low_pass(x, 5)[..., 0, 0], x[..., :3, :3].mean((-2, -1)))
    flat = torch.full((1, 3, 9, 9), 0.3)
    assert torch.allclose(low_pass(flat, 9), flat)
    assert torch.allclose(high_pass(flat, 9), torch.full_like(flat, 0.5))
    assert torch.allclose(high_pass(x, 5), 0.5 + 0.5 * (x - low_pass(x, 5)))
    assert torch.equal(low_pass(x, 1), x)
    for width in (0, 4):
        with pytest.raises(BadInput, match="odd"):
            low_pass(x, width)
    with pytest.raises(BadInput, match="does not fit"):
        low_pass(x, 33, border=False)


def test_dsgan_has_the_published_size() -> None:
    conv = 64 * 64 * 9 + 64
    published = (3 * 64 * 9 + 64 + 1) + 8 * (2 * conv + 1) + (64 * 3 * 9 + 3)
    assert sum(p.numel() for p in DSGAN().parameters()) == published
    judge = build_texture_discriminator(64, torch.Generator().manual_seed(0))
    due = (75 * 64 + 64) + (1600 * 128 + 128 + 256) + (3200 * 256 + 256 + 512) + (256 + 1)
    assert sum(p.numel() for p in judge.parameters()) == due
    assert judge(noisy(1)).shape == (1, 1, P, P)


def test_a_batch_norm_hides_how_strong_noise_is() -> None:
    """Real and made are batches of their own: noise of twice the strength gets the same logits."""
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for norm, ratio in (("batch", 1.0), ("none", 2.0)):
        judge = build_texture_discriminator(4, torch.Generator().manual_seed(0), norm)  # type: ignore[arg-type]
        for layer in judge.modules():
            if isinstance(layer, torch.nn.Conv2d):
                assert layer.bias is not None
                torch.nn.init.zeros_(layer.bias)
        assert torch.allclose(judge(2 * noise), ratio * judge(noise), atol=1e-4)


def test_a_dsgan_that_skips_starts_as_the_identity() -> None:
    network = build_dsgan(4, 1, True, torch.Generator().manual_seed(0))
    x = torch.cat([noisy(2), torch.zeros(1, 3, P, P), torch.ones(1, 3, P, P)])
    assert (network(x) - x).abs().max() <= 0.5 / 255 + 1e-6


def test_a_dsgan_like_the_identity_keeps_clean_lr(folder: Path, context: Context) -> None:
    whole = Batch(crops(range(16)), tuple(str(i) for i in range(16)))
    clean = made(context, kind="clean")(whole)
    table = FS | {"source": str(folder), "skip": True, "quantize": False}
    still = made(context, **table | {"lr": 1e-9})
    assert (still(whole) - clean).abs().max() <= 0.5 / 255 + 1e-4
    moved = made(context, **table | {"lr": 1e-2, "iterations": 30})(whole)
    assert (moved - clean).abs().max() > 1e-3
    assert (low_pass(moved, 5) - low_pass(clean, 5)).abs().mean() < 2 / 255


def test_the_losses_of_the_first_step_by_hand(folder: Path, context: Context) -> None:
    settings = degradations.parse(FS | {"source": str(folder), "low_pass": 3})
    assert isinstance(settings, FrequencySeparationSettings)
    domain = open_domain(str(folder), context)
    training = DSGANTraining(_plan(settings, ""), context, domain)
    losses = training._step(0)
    network = build_dsgan(4, 1, False, seeded(7, "generator", "dsgan"))
    judge = build_texture_discriminator(2, seeded(7, "discriminator", "dsgan"))
    lr = bicubic_down(crops([FIRST_INPUT, FIRST_INPUT + 1]), quantize=True)
    sr, real = network(lr), domain.crops([0, 1], 8, 7)

    def logits(x: Tensor) -> Tensor:
        ones = torch.ones(3, 1, 3, 3)
        share = F.conv2d(torch.ones_like(x), ones, padding=1, groups=3)
        mean = F.conv2d(x, ones, padding=1, groups=3) / share
        made: Tensor = judge(0.5 + 0.5 * (x - mean))
        return made

    colour = (F.avg_pool2d(sr, 3, 1) - F.avg_pool2d(lr, 3, 1)).abs().mean()
    texture = -torch.sigmoid(logits(sr)).log().mean()
    discriminator = -torch.sigmoid(logits(real)).log().mean() - (1 - torch.sigmoid(logits(sr))).log().mean()
    assert torch.allclose(losses, torch.stack([colour, texture, torch.zeros(()), discriminator]), rtol=1e-5)
    # Adam's first step moves every weight by the learning rate against its gradient's sign.
    (colour + 0.005 * texture).backward()
    for before, after in zip(network.parameters(), training.network.parameters(), strict=True):
        assert before.grad is not None
        clear = before.grad.abs() > 1e-5
        moved = (after - before).detach()
        assert torch.allclose(moved[clear], -2e-4 * before.grad[clear].sign(), atol=2e-6)
        assert clear.any()


def test_a_trained_dsgan_is_kept_and_taken_again_only_where_it_fits(
    tmp_path: Path, folder: Path, context: Context
) -> None:
    lines: list[str] = []
    run = replace(context, folder=tmp_path / "run", report=lines.append)
    table = FS | {"source": str(folder)}
    first = made(run, **table)
    trained = [line for line in lines if line.startswith("DSGAN 3/3")]
    assert len(trained) == 1
    lines.clear()
    second = made(run, **table)
    assert lines == [f"DSGAN for {folder}: already trained"]
    assert torch.equal(first(batch()), second(batch()))
    assert first.describe() == second.describe()
    assert torch.equal(first(batch()), made(context, **table)(batch()))  # trained without a folder
    for change in ({"lr": 1e-3}, {"iterations": 4}, {"texture": 0.1}):
        lines.clear()
        made(run, **table | change)
        assert any("left" in line for line in lines), change
    (tmp_path / "run/dsgan.safetensors").write_bytes(b"half a file")
    lines.clear()
    assert torch.equal(made(run, **table)(batch()), first(batch()))
    assert any("left" in line for line in lines)


def test_an_interrupted_training_leaves_nothing(tmp_path: Path, folder: Path, context: Context) -> None:
    def stop(line: str) -> None:
        if line.startswith("DSGAN 2/3"):
            raise KeyboardInterrupt

    run = replace(context, folder=tmp_path / "run", report=stop)
    with pytest.raises(KeyboardInterrupt):
        made(run, **FS, source=str(folder))
    assert not list((tmp_path / "run").glob("*.safetensors"))
    made(replace(run, report=lambda line: None), **FS, source=str(folder))
    assert [file.name for file in (tmp_path / "run").glob("*.safetensors")] == ["dsgan.safetensors"]


def test_without_lpips_the_dsgan_takes_lpips_lite_and_says_so(folder: Path, context: Context) -> None:
    large = replace(context, crops=lambda indices: F.interpolate(crops(indices), scale_factor=4))
    table = FS | {"source": "mini:ntire", "source_images": 4, "crop": 32, "perceptual_net": "auto"}
    facts = made(large, **table).describe()
    assert facts["perceptual_used"] == "lpips-lite"
    assert "lpips-alex is not installed" in facts["perceptual_note"]
    with pytest.raises(Unavailable, match="download"):
        made(context, **FS | {"source": str(folder), "perceptual_net": "lpips-alex"})


def test_with_lpips_the_dsgan_uses_it(shared_weights: Path, context: Context) -> None:
    large = replace(context, crops=lambda indices: F.interpolate(crops(indices), scale_factor=4))
    table = FS | {"source": "mini:ntire", "source_images": 4, "crop": 32, "perceptual_net": "auto"}
    assert made(large, **table).describe()["perceptual_used"] == "lpips-alex"


def test_dsgan_crops_larger_than_the_training_crops_are_refused(folder: Path, context: Context) -> None:
    with pytest.raises(BadInput, match="set crop of frequency-separation to 8 or less"):
        made(context, **FS | {"source": str(folder), "crop": 16})


def test_the_learning_rate_falls_over_the_last_half() -> None:
    assert [decay(i, 8) for i in range(8)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


# mixture


def test_a_mixture_keeps_its_proportions_and_its_samples_places(context: Context) -> None:
    parts = [{"kind": "clean"}, {"kind": "adversarial", "steps": 0, "weight": 3}]
    mixture = made(context, kind="mixture", parts=parts)
    assert isinstance(mixture, Mixture)
    owners = [mixture.part_of(str(i)) for i in range(2000)]
    assert set(owners) == {0, 1}
    # Four standard deviations of a binomial of 2000 draws with p = 3/4.
    assert np.mean(owners) == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 2000) ** 0.5)
    whole = batch(12)
    assert len(set(owners[:12])) == 2
    each = [made(context, **{k: v for k, v in part.items() if k != "weight"})(whole) for part in parts]
    wanted = torch.stack([each[owner][i] for i, owner in enumerate(owners[:12])])
    assert torch.equal(mixture(whole), wanted)


def test_a_score_of_some_samples_is_that_of_the_whole_batch() -> None:
    whole = batch(5)
    assert whole.score is not None
    part = whole.select([3, 1])
    assert part.ids == ("3", "1") and part.score is not None
    sr = noisy(5, 40)
    some = sr[[3, 1]].requires_grad_()
    scores = part.score(some)
    assert torch.equal(scores, whole.score(sr)[[3, 1]])
    (gradient,) = torch.autograd.grad(scores.sum(), some)
    alone = sr.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(whole.score(alone).sum(), alone)
    assert torch.equal(gradient, wanted[[3, 1]])
    assert replace(whole, score=None).select([0]).score is None


def test_parts_of_a_mixture_keep_what_they_train_apart(
    tmp_path: Path, folder: Path, context: Context
) -> None:
    parts = [FS | {"source": str(folder)}, FS | {"source": "mini:ntire", "source_images": 2}]
    mixture = made(replace(context, folder=tmp_path), kind="mixture", parts=parts)
    hashes = [part["dsgan_hash"] for part in mixture.describe()["parts"]]
    assert hashes[0] != hashes[1]
    for name in ("part-1", "part-2"):
        assert (tmp_path / name / "dsgan.safetensors").is_file()
    assert isinstance(made(context, **parts[0]), FrequencySeparation)
