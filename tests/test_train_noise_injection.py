"""Noise patches and kernels: rules, files, and where a kernel is put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from degradation_cases import P, batch, crops, made, noisy, small_context, two_sources
from PIL import Image
from scipy import ndimage
from scipy.io import savemat

from srbench.errors import BadInput
from srbench.train.data.resize import bicubic_down, weight_matrix
from srbench.train.degradations import Batch, Context
from srbench.train.degradations.kernels import Kernels, centred, load_kernels
from srbench.train.degradations.noise_patches import NoisePatches, PatchRules, collect_patches


@pytest.fixture
def context() -> Context:
    return small_context()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_sources(tmp_path)


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
