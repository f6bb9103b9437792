"""The mini track: the same pixels in every process, degraded as strongly as its documentation says."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srbench import datasets
from srbench.datasets import degrade, mini_crops
from srbench.datasets.base import DataSet
from srbench.datasets.mini import MiniSet
from srbench.datasets.mini_crops import CROP, Edition, crops, photographs
from srbench.errors import RunFailed

GOLDEN = {
    "clean-mini": "be2ff315db9786e75bd67facfc91a17094f41f4ca3daeffe6fd8869d8bb0f3e1",
    "ntire-mini": "72c3130288c1742859914f9fc6f61e43d59766d07ec87f03ef5e38aafa83a922",
}


NAMES = [name for name in datasets.names() if datasets.manifest(name).is_mini]


def open_mini(name: str) -> DataSet:
    return MiniSet(datasets.manifest(name))


def stack(name: str) -> np.ndarray:
    """All LR images of a mini set: (N, H, W, 3) float64."""
    data_set = open_mini(name)
    return np.stack([data_set.load(i).lr for i in data_set.ids]).astype(np.float64)


@pytest.fixture
def resize():  # type: ignore[no-untyped-def]
    """pyiqa's port of MATLAB's imresize on (H, W, 3) arrays of any type, not rounded."""
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    import torch
    from pyiqa.matlab_utils import imresize

    def run(image: np.ndarray, scale: float) -> np.ndarray:
        planes = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        return np.asarray(imresize(planes, scale=scale)[0].permute(1, 2, 0))

    return run


@pytest.mark.parametrize(("edition", "images", "sources"), [(1, 12, 5), (2, 20, 12)])
def test_crops_do_not_overlap(edition: Edition, images: int, sources: int) -> None:
    found = list(crops(edition).values())
    assert len(found) == images and len({crop.photograph.source for crop in found}) == sources
    for a, b in combinations(found, 2):
        apart = abs(a.top - b.top) >= CROP or abs(a.left - b.left) >= CROP
        assert apart or a.photograph != b.photograph, (a, b)


def test_the_second_edition_has_one_or_two_crops_of_a_photograph_and_few_gray_ones() -> None:
    shares = Counter(crop.photograph.source for crop in crops(2).values())
    assert set(shares.values()) == {1, 2}
    gray = [photograph.file for photograph in photographs() if not np.ptp(photograph.pixels(), axis=2).any()]
    assert gray == ["camera.png", "coins.png", "gravel.png"] and len(gray) <= len(shares) / 4
    assert sum(crop.photograph.file in gray for crop in crops(2).values()) <= len(crops(2)) / 4


@pytest.mark.parametrize("name", NAMES)
def test_shapes_ids_and_order(name: str) -> None:
    data_set = open_mini(name)
    assert list(data_set.ids) == sorted(data_set.ids)
    assert len(data_set) == datasets.manifest(name).images
    for image_id in data_set.ids:
        image = data_set.load(image_id)
        assert image.lr.shape == (64, 64, 3) and image.lr.dtype == np.uint8
        assert image.hr is not None and image.hr.shape == (256, 256, 3) and image.hr.dtype == np.uint8
        assert data_set.lr_size(image_id) == (64, 64)
        assert image.hr.std() > 12, "a crop without anything in it"


@pytest.mark.parametrize("edition", [1, 2])
def test_every_set_has_the_same_hr_images(edition: Edition) -> None:
    clean, *others = (open_mini(name) for name in NAMES if datasets.manifest(name).edition == edition)
    assert len(others) == 2
    for image_id in clean.ids:
        for other in others:
            assert np.array_equal(clean.load(image_id).hr, other.load(image_id).hr)


def test_a_crop_is_what_its_id_says() -> None:
    import skimage

    photograph = np.asarray(Image.open(Path(skimage.__file__).parent / "data/coffee.png"))
    assert np.array_equal(open_mini("clean-mini").load("coffee-72-320").hr, photograph[72:328, 320:576])


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_content_is_the_same_on_every_machine(name: str) -> None:
    assert open_mini(name).content_hash == GOLDEN[name]


def test_content_is_the_same_in_every_process() -> None:
    code = (
        "from srbench import datasets as d; print([d.status(n).content_hash for n in d.names() if '-' in n])"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in "12"
    }
    here = [datasets.status(n).content_hash for n in datasets.names() if "-" in n]
    assert runs == {f"{here}\n"}
    assert len(set(here)) == len(NAMES)


def test_loaded_pixels_are_the_callers_own() -> None:
    data_set = open_mini("ntire-mini")
    image = data_set.load(data_set.ids[0])
    image.lr[:] = 0
    assert data_set.load(data_set.ids[0]).lr.any()


def test_noise_differs_from_image_to_image() -> None:
    residual = stack("ntire-mini") - stack("clean-mini")
    correlations = np.corrcoef(residual.reshape(len(residual), -1)) - np.eye(len(residual))
    assert np.abs(correlations).max() < 0.05


def test_bicubic_is_that_of_the_ports_but_for_the_second_rounding(resize) -> None:  # type: ignore[no-untyped-def]
    data_set = open_mini("clean-mini")
    for image_id in data_set.ids[:4]:
        hr = data_set.load(image_id).hr
        assert hr is not None
        middle = hr // 2 + 64  # overshoot stays in range, so nothing is clipped between the directions
        # Each rounding moves a value by half a level; the second direction's weights stretch the first's.
        assert np.abs(degrade.bicubic(middle) - resize(middle, 0.25)).max() <= 1.25


@pytest.mark.parametrize("name", ["baby", "bird", "butterfly", "head", "woman"])
def test_bicubic_is_the_published_lr_of_set5_to_the_bit(shared: Path, name: str) -> None:
    root = shared / "assets/images/Set5"
    hr = np.asarray(Image.open(root / f"HR/{name}.png").convert("RGB"))
    published = np.asarray(Image.open(root / f"LR_bicubic/X4/{name}x4.png").convert("RGB"))
    height, width = published.shape[:2]
    assert np.array_equal(degrade.bicubic(hr[: 4 * height, : 4 * width]), published)


def test_bicubic_ties_are_exact() -> None:
    """The weights are whole multiples of 2^-12: no machine can round a sum of them differently."""
    scaled = degrade._cubic((np.arange(16) - 7.5) / 4) / 4 * 2.0**12
    assert np.array_equal(scaled, np.round(scaled))
    assert scaled.sum() == 2**12


def correlation(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(np.corrcoef(a[where], b[where])[0, 1])


def test_ntire_noise_has_the_measured_statistics() -> None:
    clean = stack("clean-mini")
    residual = stack("ntire-mini") - clean
    inside = (clean >= 32) & (clean < 224)  # where clipping cannot reach
    assert 6.5 <= residual[inside].std() <= 6.8
    assert -1.1 <= residual[inside].mean() <= -0.9
    across, down = inside[:, :, 1:] & inside[:, :, :-1], inside[:, 1:] & inside[:, :-1]
    assert 0.03 <= correlation(residual[:, :, 1:], residual[:, :, :-1], across) <= 0.10
    assert 0.03 <= correlation(residual[:, 1:], residual[:, :-1], down) <= 0.10
    for a, b in combinations(range(3), 2):
        both = inside[..., a] & inside[..., b]
        assert 0.02 <= correlation(residual[..., a], residual[..., b], both) <= 0.06
    for low in range(32, 224, 32):
        band = (clean >= low) & (clean < low + 32)
        assert 6.4 <= residual[band].std() <= 6.9, low


def test_ntire_noise_is_like_that_of_the_real_track(shared: Path) -> None:
    """The same statistics, measured by the same code on the two published images and on ntire-mini."""
    images = shared / "assets/images"
    found = []
    for name in ("0905.png", "0922.png"):
        noisy = np.asarray(Image.open(images / "NTIRE2020_RWSR_track1_LR" / name).convert("RGB")).astype(
            float
        )
        clean = np.asarray(Image.open(images / "DIV2K_test_LR_bicubic_x4" / name).convert("RGB")).astype(
            float
        )
        found.append((noisy - clean[: len(noisy)])[(clean[: len(noisy)] >= 32) & (clean[: len(noisy)] < 224)])
    real, clean = np.concatenate(found), stack("clean-mini")
    ours = (stack("ntire-mini") - clean)[(clean >= 32) & (clean < 224)]
    assert abs(real.std() - ours.std()) < 0.25
    assert abs(real.mean() - ours.mean()) < 0.15


def test_aim_is_about_three_decibels_harder_than_ntire(resize) -> None:  # type: ignore[no-untyped-def]
    def psnr(name: str) -> float:
        data_set, values = open_mini(name), []
        for image_id in data_set.ids:
            image = data_set.load(image_id)
            assert image.hr is not None
            sr = np.round(np.clip(resize(image.lr, 4), 0, 255))
            error = (sr - image.hr)[4:-4, 4:-4]
            values.append(10 * np.log10(255**2 / np.mean(error**2)))
        return float(np.mean(values))

    clean, ntire, aim = psnr("clean-mini"), psnr("ntire-mini"), psnr("aim-mini")
    assert clean == pytest.approx(25.29, abs=0.02)
    assert ntire == pytest.approx(24.60, abs=0.02)
    assert 2.5 <= ntire - aim <= 3.7


def test_another_photograph_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mini_crops, "decode", lambda data, path: np.zeros((1, 1, 3), np.uint8))
    chelsea = next(photograph for photograph in photographs() if photograph.file == "chelsea.png")
    with pytest.raises(RunFailed, match=r"chelsea\.png is not the photograph .*: reinstall scikit-image"):
        chelsea.model_copy(update={"sha256": "0" * 64}).pixels()


@pytest.mark.parametrize("name", NAMES)
def test_unknown_ids(name: str) -> None:
    with pytest.raises(KeyError):
        open_mini(name).load("nobody")
    with pytest.raises(KeyError):
        open_mini(name).lr_size("nobody")
