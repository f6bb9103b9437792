"""The gate: the true degradation passes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dsgan_cases import made, noisy_folder, small_context, smooth
from PIL import Image
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.datasets import degrade
from srbench.errors import BadInput, RunFailed
from srbench.train.degradations import Context
from srbench.train.degradations.dsgan_gate import Degrade, Match, Texture, check, compare, misses, texture
from srbench.train.degradations.source_domain import open_domain


@pytest.fixture
def context() -> Context:
    return small_context()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return noisy_folder(tmp_path / "source")


def test_texture_of_white_noise() -> None:
    draw = torch.Generator().manual_seed(0)
    tiles = 120 + 6 * torch.randn(2000, 3, 16, 16, generator=draw, dtype=torch.float64)
    tiles += torch.linspace(-9, 9, 16, dtype=torch.float64)  # a plane, which is no noise
    found = texture(tiles)
    assert found.std == pytest.approx(6 * (1 - 3 / 256) ** 0.5, rel=0.01)
    assert found.gray == pytest.approx(found.std / 3**0.5, rel=0.02)
    # Power is in proportion to area: rings of radius 1/4 and 1/8 of a cycle a pixel.
    shares = [(1 - torch.pi / 16) ** 0.5, (torch.pi / 16 * 3 / 4) ** 0.5, (torch.pi / 64 * 3 / 4) ** 0.5]
    # The plane that is taken away lies in the coarsest.
    assert found.octaves[:2] == pytest.approx([6 * share for share in shares[:2]], rel=0.05)
    assert found.octaves[2] == pytest.approx(6 * shares[2], rel=0.2)
    alike = texture(tiles[:, :1].expand(-1, 3, -1, -1))
    assert alike.gray == pytest.approx(alike.std)
    assert len(texture(tiles[..., :8, :8]).octaves) == 2


def perfect(lr: Tensor, ids: Sequence[str], strength: float = 1.0) -> Tensor:
    """The noise of mini:ntire, of another draw."""
    made = []
    for image, sample in zip(lr, ids, strict=True):
        rng = np.random.default_rng(int(sample))
        noise = degrade.NTIRE_MEAN + degrade.NTIRE_STD * degrade._near_white((*image.shape[1:], 3), rng)
        made.append(image + strength * torch.from_numpy(noise / 255).permute(2, 0, 1).to(image))
    return (torch.stack(made).clamp(0, 1) * 255).round() / 255


def gray(lr: Tensor, ids: Sequence[str]) -> Tensor:
    """Noise of the right level that is alike in all channels."""
    return lr + (perfect(lr, ids) - lr)[:, :1]


def smeared(lr: Tensor, ids: Sequence[str]) -> Tensor:
    """Noise of the right level and the wrong spectrum."""
    noise = F.avg_pool2d(perfect(lr, ids) - lr, 3, 1, 1, count_include_pad=False)
    return lr + 3 * noise


def still(lr: Tensor, ids: Sequence[str]) -> Tensor:
    return lr


def amplifying(lr: Tensor, ids: Sequence[str]) -> Tensor:
    """What a DSGAN without noise of its own learns: to amplify what the shrunk noisy image has left."""
    return lr + 3.2 * (lr - F.avg_pool2d(lr, 5, 1, 2, count_include_pad=False))


@pytest.mark.parametrize("known", [True, False], ids=["mini", "folder"])
def test_the_gate_passes_the_true_degradation_alone(known: bool, context: Context, folder: Path) -> None:
    domain = open_domain("mini:ntire" if known else str(folder), context, count=1)

    def difference(matches: Sequence[Match]) -> float:
        return max(match.difference for match in matches)

    matches = compare(domain, perfect, context)
    check(matches, 0.15)
    assert difference(matches) < 0.1
    wrong: list[Degrade] = [still, gray, smeared, amplifying]
    wrong += [lambda lr, ids, factor=factor: perfect(lr, ids, factor) for factor in (0.8, 1.25)]  # type: ignore[misc]
    for degradation in wrong:
        matches = compare(domain, degradation, context)
        assert difference(matches) > 0.15
        with pytest.raises(RunFailed, match="the DSGAN misses its source by"):
            check(matches, 0.15)
        check(matches, 0)


def test_noise_in_place_of_blur_does_not_pass(context: Context) -> None:
    """The residual of a blur is as strong as what it takes away, and noise can be as strong as that."""

    def rough(indices: Sequence[int]) -> Tensor:
        draw = torch.Generator().manual_seed(indices[0])
        detail = F.interpolate(torch.randn(len(indices), 3, 32, 32, generator=draw), scale_factor=4)
        return (smooth(indices, 128) + 0.05 * detail).clamp(0, 1)

    context = replace(context, crops=rough)
    domain = open_domain("mini:aim", context, count=1)
    true = compare(domain, still, context)[0].source

    def noisy(lr: Tensor, ids: Sequence[str]) -> Tensor:
        return lr + true.std / 255 * torch.randn(lr.shape, generator=generator(0, ids[0], "test"))

    residual, image = compare(domain, noisy, context)
    assert residual.dsgan.std == pytest.approx(true.std, rel=0.1)
    assert image.difference > 0.15


def test_too_little_counts_alone_where_a_match_is_one_sided() -> None:
    weak, strong = Texture(2.0, 1.0, (1.0,)), Texture(4.0, 2.0, (2.0,))
    assert Match("x", strong, weak, one_sided=True).difference == 0.5
    assert Match("x", weak, strong, one_sided=True).difference == 0
    assert Match("x", weak, strong).difference == 1
    assert Match("x", Texture(0.0, 0.0, ()), Texture(0.1, 0.0, ())).difference == pytest.approx(0.2)
    assert misses([Match("x", weak, strong), Match("y", weak, strong, counts=False)]) == 1
    assert misses([Match("x", weak, Texture(float("nan"), 1.0, (1.0,)))]) > 1e9
    with pytest.raises(RunFailed, match="gate 15%"):
        check([Match("x", weak, Texture(float("nan"), 1.0, (1.0,)))], 0.15)


def test_a_run_fails_by_its_gate_and_its_dsgan_is_kept(context: Context, tmp_path: Path) -> None:
    lines: list[str] = []
    run = replace(context, folder=tmp_path, report=lines.append)
    with pytest.raises(RunFailed, match=r"misses its source by .*gate 15%.*std .*set gate = 0"):
        made(run, gate=0.15)
    assert (tmp_path / "dsgan.safetensors").is_file()
    lines.clear()
    noise = made(run, gate=0).describe()["noise"]
    assert lines[0] == "DSGAN for mini:ntire: already trained"
    assert noise["residual"]["source"]["std"] == pytest.approx(6.6, abs=0.3)
    assert noise["residual"]["difference"] > 0.9


def test_what_cannot_be_compared_is_said(context: Context, tmp_path: Path) -> None:
    path = tmp_path / "white"
    path.mkdir()
    Image.fromarray(np.full((64, 64, 3), 255, np.uint8)).save(path / "white.png")
    assert "neither dark nor bright" in made(context, source=str(path)).describe()["noise"]["not_measured"]
    with pytest.raises(BadInput, match="neither dark nor bright, too few"):
        made(context, source=str(path), gate=0.15)
    small = tmp_path / "small"
    small.mkdir()
    Image.fromarray(np.full((24, 64, 3), 99, np.uint8)).save(small / "small.png")
    with pytest.raises(BadInput, match="has 32 px a side"):
        made(context, source=str(small), pairs="training", gate=0.15)


def test_a_folder_whose_smooth_places_show_no_noise_is_not_judged(context: Context, folder: Path) -> None:
    noisy = compare(open_domain(str(folder), context), still, context)
    assert [match.counts for match in noisy] == [True, True]
    for file in folder.iterdir():
        pixels = np.asarray(Image.open(file).reduce(8).resize((256, 256), Image.Resampling.BICUBIC))
        Image.fromarray(degrade.jpeg(pixels, 30)).save(file)
    matches = compare(open_domain(str(folder), context), still, context)
    assert [match.counts for match in matches] == [False, True]
    assert "not judged" in matches[0].verdict
    check(matches, 0.15)
