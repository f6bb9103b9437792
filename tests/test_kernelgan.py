"""KernelGAN: its parts against closed forms, the kernels it finds against those that images were made by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_recovery import gaussian, halved, likeness, width
from PIL import Image
from scipy import ndimage, signal

from srbench.datasets.base import Pixels
from srbench.errors import BadInput, RunFailed
from srbench.train.data.dead_leaves import canvas
from srbench.train.data.resize import weight_matrix
from srbench.train.degradations import Batch, Context, estimated_kernels, make_degradation, parse
from srbench.train.degradations.kernelgan import (
    KernelGANSettings,
    _bicubic_halving,
    _Constraints,
    clean,
    double,
    estimate_halving_kernel,
    estimate_kernel,
)
from srbench.train.degradations.kernelgan_crops import Crops
from srbench.train.degradations.kernelgan_networks import LinearGenerator, PatchJudge, downscale
from srbench.train.degradations.kernels import Kernel

SHORT = KernelGANSettings(iterations=30, features=8, lr=1e-2)
"""Too short to find a kernel, long enough for something that is one."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A thread for each of many small operations costs more than it saves."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_generators_kernel_is_its_six_layers_and_so_are_the_gradients() -> None:
    image = torch.randn(2, 3, 40, 44, generator=drawn(1)).double()
    network = LinearGenerator(8, drawn(2)).double()
    layered = image.flatten(0, 1).unsqueeze(1)
    for number, weights in enumerate(network.filters):
        layered = F.conv2d(layered, weights, stride=2 if number == 5 else 1)
    layered = layered.squeeze(1).unflatten(0, (2, 3))
    once = downscale(image, network.kernel())
    assert network.kernel().shape == (13, 13)
    assert once.shape == (2, 3, 14, 16)
    assert torch.allclose(once, layered, rtol=1e-9, atol=0)
    for ours, theirs in zip(
        torch.autograd.grad(once.square().sum(), list(network.filters)),
        torch.autograd.grad(layered.square().sum(), list(network.filters)),
        strict=True,
    ):
        assert torch.allclose(ours, theirs, rtol=1e-8, atol=0)


def test_the_judge_is_a_convolutional_network_of_spectral_norm_one() -> None:
    image = torch.randn(1, 3, 26, 26, generator=drawn(1))
    judge = PatchJudge(16, drawn(2))
    for _ in range(30):  # each step of training is one of the power iteration
        judge(image)
    judge.eval()
    features: Any = image
    for layer in judge.layers:
        if isinstance(layer, torch.nn.Linear):
            assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=0.02)
            side = 7 if layer.in_features == 147 else 1
            weights = layer.weight.unflatten(1, (-1, side, side))
            features = F.conv2d(features, weights, layer.bias)
        elif isinstance(layer, torch.nn.BatchNorm1d):
            features = F.batch_norm(features, layer.running_mean, layer.running_var, layer.weight, layer.bias)
        else:
            features = layer(features)
    assert features.shape == (1, 1, 20, 20)
    assert torch.allclose(judge(image).flatten(), features.flatten(), atol=1e-6)


def test_the_bicubic_it_starts_from_is_matlabs() -> None:
    # The weights of x1/4 are the same cubic, twice as wide: every second of them lies between those of x1/2.
    wide = weight_matrix(64)[8]
    wide = wide[wide != 0]
    half = _bicubic_halving()
    rows = half.sum(1)
    assert np.allclose(half, np.outer(rows, rows))
    cubic = np.interp(np.arange(8) - 3.5, (np.arange(len(wide)) - (len(wide) - 1) / 2) / 2, 2 * wide)
    assert np.allclose(rows, cubic, atol=0.02)
    row = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256  # as published, in multiples of 2^-8
    assert np.allclose(rows, row, atol=1e-12)


def test_constraints_come_in_once_the_output_is_near_bicubic() -> None:
    constraints = _Constraints(bicubic=5)
    kernel = torch.from_numpy(np.pad(gaussian(1.5, 1.5, 12), ((1, 0), (1, 0)))).float()
    far = torch.tensor(0.01)
    assert float(constraints(kernel, far)) == pytest.approx(5 * 0.01, abs=2e-3)
    assert float(constraints(2 * kernel, far)) == pytest.approx(5 * 0.01 + 0.5, abs=4e-3)
    for iteration in range(400):
        constraints.update(iteration, 0.1 if iteration > 250 else 1.0)
    assert constraints._sparsity == 0
    constraints.update(400, 0.1)
    assert constraints._bicubic == pytest.approx(0.05)
    for iteration in range(401, 3000):
        constraints.update(iteration, 1.0)
    assert (constraints._bicubic, constraints._sparsity, constraints._centre) == (5e-6, 5, 1)
    small = np.abs(kernel.numpy()).clip(1e-9) ** 0.2
    centred, moved = (float(constraints(k, torch.zeros(()))) for k in (kernel, kernel.roll(-1, 1)))
    assert centred == pytest.approx(5 * small.mean(), rel=2e-3)
    assert moved - centred == pytest.approx(0.5, abs=0.02)  # mean of the squares of 1 px and 0 px


def test_crops_are_where_the_edges_are_and_begin_at_even_places() -> None:
    pixels = np.full((160, 200, 3), 90.0)
    pixels[40:60, 120:140] = np.random.default_rng(0).uniform(0, 255, (20, 20, 1))
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    bicubic = torch.from_numpy(_bicubic_halving()).float()
    crops = Crops(image, bicubic, (64, 26), 50, drawn(0))
    for places, side in zip(crops._places, (64, 26), strict=True):
        tops, lefts = np.array(places).T
        assert (tops % 2 == 0).all() and (lefts % 2 == 0).all()
        assert (abs(tops + side / 2 - 50) <= side / 4 + 14).all()
        assert (abs(lefts + side / 2 - 130) <= side / 4 + 14).all()
        assert len(set(places)) > 5
    halved, kept = crops(3)
    assert halved.shape == (1, 3, 64, 64) and kept.shape == (1, 3, 26, 26)
    top, left = crops._places[1][3]
    assert torch.equal(kept, image[:, :, top : top + 26, left : left + 26])
    flat = Crops(torch.zeros(1, 3, 70, 70), bicubic, (64, 26), 40, drawn(0))
    assert {place for places in flat._places for place in places} >= {(0, 0)}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), blur=st.floats(0.7, 2.5), noise=st.floats(0, 0.02))
def test_kernels_are_cleaned_centred_and_doubled(seed: int, blur: float, noise: float) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.indices((13, 13))
    dy, dx = rng.uniform(5.5, 7.5, 2)
    raw = np.exp(-0.5 * ((y - dy) ** 2 + (x - dx) ** 2) / blur**2)
    kernel = clean(raw / raw.sum() * rng.uniform(0.9, 1.1) + noise * rng.normal(size=(13, 13)) / 13)
    for found in (kernel, double(kernel)):
        assert found.shape[0] == found.shape[1] and len(found) % 2 == 0
        assert found.sum() == pytest.approx(1, abs=1e-9)
        assert np.abs(np.array(ndimage.center_of_mass(found)) - (len(found) - 1) / 2).max() < 0.01


def test_the_doubled_kernel_downscales_as_halving_twice_does() -> None:
    kernel = gaussian(1.3, 0.8, 8)
    dilated = np.zeros((15, 15))
    dilated[::2, ::2] = kernel
    assert likeness(double(kernel), signal.convolve2d(kernel, dilated)) == pytest.approx(1, abs=1e-12)
    hr = torch.rand(1, 3, 96, 96, generator=drawn(4), dtype=torch.float64)
    halving, quartering = (torch.from_numpy(k) for k in (kernel, double(kernel)))
    twice = downscale(downscale(hr, halving), halving)
    margin = (22 - len(quartering)) // 2
    rows = hr[0, :, None, margin:, margin:]
    once = F.conv2d(rows, quartering[None, None], stride=4)[:, 0, :19, :19]
    assert torch.allclose(once, twice[0], atol=1e-5)


def test_an_estimate_follows_from_image_and_seed_alone() -> None:
    image = canvas(3, 0, 96)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = estimate_kernel(image, seed=0, settings=SHORT)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        assert np.array_equal(estimate_kernel(image, seed=0, settings=SHORT), first)
    assert not np.array_equal(estimate_kernel(image, seed=1, settings=SHORT), first)
    assert not np.array_equal(estimate_kernel(image[::-1], seed=0, settings=SHORT), first)
    with pytest.raises(BadInput, match="crops of 64 px; 96 x 60 px"):
        estimate_kernel(image[:60], seed=0, settings=SHORT)


def context(folder: Path | None, lines: list[str]) -> Context:
    network = torch.nn.Identity()
    return Context(
        network, 7, folder, lambda i: torch.rand(len(i), 3, 64, 64), torch.device("cpu"), lines.append
    )


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(canvas(5, number, 80)).save(folder / f"{number}.png")
    return folder


def table(images: Path, **changes: Any) -> dict[str, Any]:
    noise = {"kind": "noise-injection", "source": str(images), "patch": 16, "stride": 16, "max_variance": 1e4}
    return noise | {"kernels": "kernelgan", "kernelgan": SHORT.model_dump()} | changes


def test_kernels_of_a_source_are_kept_and_a_stop_loses_one_at_most(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    run = context(tmp_path / "run", lines)
    calls: list[int] = []

    def stopping(image: Pixels, **how: Any) -> Kernel:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return estimate_kernel(image, **how)

    monkeypatch.setattr(estimated_kernels, "estimate_kernel", stopping)
    with pytest.raises(KeyboardInterrupt):
        make_degradation(parse(table(images)), run).prepare()
    kept = list((tmp_path / "run").rglob("*.npy"))
    assert len(kept) == 2
    degradation = make_degradation(parse(table(images)), run)
    degradation.prepare()
    facts = degradation.describe()
    assert len(calls) == 4 and facts["kernel_count"] == 3
    again = make_degradation(parse(table(images)), run)
    again.prepare()
    assert len(calls) == 4 and again.describe() == facts
    assert "KernelGAN: all kernels were estimated before" in lines
    kept[0].write_bytes(kept[0].read_bytes()[:-9])
    mended = make_degradation(parse(table(images)), run)
    assert mended.describe()["kernel_hash"] == facts["kernel_hash"] and len(calls) == 5
    # Without a folder the same kernels come out; of other settings or another choice, others.
    nowhere = make_degradation(parse(table(images)), replace(run, folder=None))
    assert nowhere.describe()["kernel_hash"] == facts["kernel_hash"]
    one = make_degradation(parse(table(images, kernel_images=1)), run)
    assert one.describe()["kernel_count"] == 1 and len(calls) == 8
    batch = Batch(torch.rand(2, 3, 64, 64, generator=drawn(0)), ("0", "1"))
    assert degradation(batch).shape == (2, 3, 16, 16)
    # The folder serves as files of kernels elsewhere.
    place = str(next(path.parent for path in (tmp_path / "run").rglob("*.npy")))
    from_files = make_degradation(parse(table(images, kernels=place)), run)
    assert from_files.describe()["kernel_count"] == 3


def test_an_image_that_comes_to_no_kernel_is_left_out_and_many_are_refused(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("d", "e"):
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{name}.png")
    lines: list[str] = []
    bad = {2}

    def diverging(image: Pixels, number: int, *rest: Any) -> Kernel:
        if number in bad:
            raise RunFailed("KernelGAN came to no kernel")
        return gaussian(1.0 + number / 10, 1.0)

    monkeypatch.setattr(estimated_kernels, "_estimate", diverging)
    facts = make_degradation(parse(table(images)), context(None, lines)).describe()
    assert facts["kernel_count"] == 4
    assert f"KernelGAN: image 3 of {images} has no kernel: left out" in lines
    bad.add(4)
    with pytest.raises(RunFailed, match="2 of 5 images so far: KernelGAN came to no kernel"):
        make_degradation(parse(table(images)), context(None, lines)).prepare()


def test_what_cannot_be_estimated_from_is_refused(images: Path, tmp_path: Path) -> None:
    Image.fromarray(canvas(5, 9, 80)[:50]).save(images / "9.png")
    degradation = make_degradation(parse(table(images)), context(tmp_path / "run", []))
    with pytest.raises(BadInput, match=r"image 4 of .*images is 80 x 50 px: choose larger"):
        degradation.prepare()
    with pytest.raises(BadInput, match=r"kernelgan\.crop"):
        parse(table(images, kernelgan={"crop": 8}))
    with pytest.raises(BadInput, match=r"kernelgan\.steps"):
        parse(table(images, kernelgan={"steps": 8}))


def test_textures_that_show_in_colours_alone_are_no_noise(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 6, (32, 32, 3))
    stripes = np.zeros((32, 32, 3))
    stripes[::2] = (20, -0.299 / 0.587 * 20, 0)  # of no luma
    for name, pixels in (("noise", noise), ("stripes", noise + stripes)):
        Image.fromarray(pixels.round().astype(np.uint8)).save(tmp_path / f"{name}.png")
    kind = {"kind": "noise-injection", "source": str(tmp_path), "patch": 16, "stride": 16, "max_variance": 30}

    def count(bound: float | None) -> int:
        settings = parse(kind | {"max_colour_variance": bound})
        return int(make_degradation(settings, context(None, [])).describe()["noise_patches"])

    assert (count(None), count(60)) == (8, 4)
    with pytest.raises(BadInput, match=r"of 8 patches .* below max_colour_variance = 3 "):
        count(3)


@pytest.mark.slow
def test_the_kernel_an_image_was_made_by_is_found() -> None:
    # A third of the published iterations; the rest change little, as the learning rate is down to a tenth.
    truth, settings = gaussian(1.5, 1.5), KernelGANSettings(iterations=1000)
    image = halved(canvas(0, 1), truth)
    found = estimate_halving_kernel(image, seed=0, settings=settings)
    bicubic = np.pad(_bicubic_halving(), 3)
    assert likeness(bicubic, truth) < 0.85
    assert likeness(found, truth) > 0.96
    assert width(found) == pytest.approx(1.5, abs=0.2)
    assert likeness(double(found), double(truth)) > 0.96
