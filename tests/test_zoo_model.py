"""The interface of a loaded model: bicubic's numbers, sizes, gradients, precision, tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from srbench import zoo
from srbench.errors import BadInput, RunFailed
from srbench.support.torchvision import prepare_torchvision
from srbench.zoo.bicubic import Bicubic
from srbench.zoo.model import SRModel
from srbench.zoo.schema import Card

prepare_torchvision()
from spandrel import SizeRequirements  # noqa: E402

SIDE = st.integers(1, 24)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def wrap(network: nn.Module, size: SizeRequirements | None = None, **kwargs: object) -> SRModel:
    card = {
        "name": "net",
        "title": "Net",
        "domain": "unknown",
        "architecture": {"family": "test"},
        "licence": "",
        "citation": "",
        "redistributable": False,
        "value_range": kwargs.pop("value_range", 1.0),
    }
    precision = str(kwargs.pop("precision", "fp32"))
    card_ = Card.model_validate(card)
    return SRModel(network, name="net", card=card_, weights_sha256="", size=size, precision=precision)


class Shuffle(nn.Module):
    """Two 3 x 3 convolutions and a pixel shuffle: sees 2 LR pixels to every side."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.b(F.relu(self.a(x))), 4)


class Picky(nn.Module):
    """Nearest-neighbour upscaling that takes only the sizes it asked for."""

    def __init__(self, size: SizeRequirements) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        assert self.size.check(x.shape[-1], x.shape[-2]), x.shape
        return F.interpolate(x, scale_factor=4)


# bicubic


def test_bicubic_equals_pillow_in_the_interior() -> None:
    plane = rand(20, 26).numpy()
    expected = np.asarray(Image.fromarray(plane).resize((26 * 4, 20 * 4), Image.Resampling.BICUBIC))
    got = Bicubic()(torch.from_numpy(plane).expand(1, 3, -1, -1))[0, 1].numpy()
    # Pillow cuts the kernel off at the edge where MATLAB mirrors the image: two LR pixels differ.
    assert np.abs(got - expected)[8:-8, 8:-8].max() < 1e-5
    assert np.abs(got - expected)[0, 0] > 1e-3


@given(height=st.integers(1, 9), width=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_bicubic_mirrors_images_of_any_size(height: int, width: int) -> None:
    lr = rand(1, 3, height, width, seed=height * 16 + width)
    wide = np.pad(lr.numpy(), ((0, 0), (0, 0), (12, 12), (12, 12)), mode="symmetric")
    expected = Bicubic()(torch.from_numpy(wide))[..., 48:-48, 48:-48]
    assert torch.allclose(Bicubic()(lr), expected, atol=1e-6)


def test_bicubic_of_set5_has_the_psnr_every_paper_prints(shared: Path) -> None:
    model = zoo.resolve(["bicubic"])[0].load()
    weight = torch.tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)

    def read(path: Path) -> Tensor:
        pixels = np.array(Image.open(path).convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255

    psnrs = []
    for file in sorted((shared / "assets/images/Set5/LR_bicubic/X4").glob("*.png")):
        sr = (model(read(file)).clamp(0, 1) * 255).round() / 255
        hr = read(shared / "assets/images/Set5/HR" / file.name.replace("x4.png", ".png"))
        hr = hr[..., : sr.shape[-2], : sr.shape[-1]]
        error = ((sr - hr) * weight).sum(1)[..., 4:-4, 4:-4]
        psnrs.append(float(10 * torch.log10(255**2 / error.square().mean())))
    assert len(psnrs) == 5
    assert abs(np.mean(psnrs) - 28.42) < 0.05


def test_bicubic_overshoots_and_has_no_weights() -> None:
    ref = zoo.resolve(["bicubic"])[0]
    assert ref.weights_sha256 == "" and ref.card.domain == "none"
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1
    sr = ref.load()(step)
    assert sr.min() < -0.01 and sr.max() > 1.01
    assert torch.equal(ref.load(precision="bf16")(step), sr)


# gradients and state


def test_gradient_flows_to_the_input_and_nowhere_else(shared: Path) -> None:
    craft = str(shared / "assets/models/CRAFT_x4.pth")
    compact = str(shared / "assets/models/realesr-animevideov3-x4_from_ncnn.pth")
    for ref in zoo.resolve(["bicubic", compact, craft]):
        model = ref.load()
        lr = rand(1, 3, 13, 9).requires_grad_()
        sr = model(lr)
        assert sr.shape == (1, 3, 52, 36)
        sr.square().mean().backward()
        assert lr.grad is not None and torch.isfinite(lr.grad).all()
        assert (lr.grad != 0).float().mean() > 0.99
        assert not any(p.requires_grad for p in model.parameters())


def test_output_is_not_clamped(shared: Path) -> None:
    path = shared / "assets/models/RealESRGAN_General_WDN_x4_v3_from_ncnn.pth"
    sr = zoo.resolve([str(path)])[0].load()(rand(1, 3, 32, 32))
    assert sr.min() < 0 and sr.max() > 1


def test_model_stays_in_eval_mode_and_says_who_it_is() -> None:
    model = wrap(nn.Sequential(nn.Dropout(0.9), nn.Upsample(scale_factor=4))).train()
    assert not model.training and not model.network[0].training
    lr = rand(1, 3, 4, 4)
    assert torch.equal(model(lr), F.interpolate(lr, scale_factor=4))
    assert (model.name, model.scale, model.weights_sha256, model.card.name) == ("net", 4, "", "net")


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 3, 0, 8)], ids=str)
def test_wrong_input_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected LR of shape"):
        wrap(Shuffle())(torch.zeros(shape))


def test_a_network_that_breaks_its_promise_on_some_size() -> None:
    halving = nn.Sequential(nn.AvgPool2d(2), nn.Upsample(scale_factor=8))
    model = wrap(halving)
    assert model(rand(1, 3, 8, 6)).shape == (1, 3, 32, 24)
    with pytest.raises(RunFailed, match=r"net turned an LR of \(1, 3, 9, 7\) into \(1, 3, 32, 24\)"):
        model(rand(1, 3, 9, 7))


# value range and precision


@pytest.mark.parametrize("value_range", [1.0, 255.0])
def test_value_range_is_applied_in_and_out(value_range: float) -> None:
    seen = []

    class Look(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(float(x.max()))
            return F.interpolate(x, scale_factor=4)

    lr = torch.ones(1, 3, 4, 4)
    sr = wrap(Look(), value_range=value_range)(lr)
    assert seen == [value_range]
    assert torch.equal(sr, torch.ones(1, 3, 16, 16))


def test_bf16_runs_the_network_in_bf16_and_returns_fp32(shared: Path) -> None:
    ref = zoo.resolve([str(shared / "assets/models/realesr-animevideov3-x4_from_ncnn.pth")])[0]
    full, half = ref.load(), ref.load(precision="bf16")
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in full.parameters()} == {torch.float32}
    lr = F.interpolate(rand(1, 3, 6, 6), size=(24, 24), mode="bilinear")
    with torch.inference_mode():
        a, b = full(lr), half(lr)
    assert b.dtype == torch.float32
    assert 0 < (a - b).abs().mean() < 0.01


def test_unknown_precision_and_device() -> None:
    ref = zoo.resolve(["bicubic"])[0]
    with pytest.raises(BadInput, match="'fp8' is not a precision: choose fp32 or bf16"):
        ref.load(precision="fp8")
    with pytest.raises(BadInput, match="bicubic cannot be put on device 'gpu'"):
        ref.load(device="gpu")


# sizes


@given(h=SIDE, w=SIDE, minimum=st.integers(0, 20), multiple=st.integers(1, 16), square=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_size_goes_through_any_requirement(
    h: int, w: int, minimum: int, multiple: int, square: bool
) -> None:
    size = SizeRequirements(minimum=minimum, multiple_of=multiple, square=square)
    lr = rand(2, 3, h, w)
    assert torch.equal(wrap(Picky(size), size)(lr), F.interpolate(lr, scale_factor=4))


def test_padding_mirrors_as_far_as_it_can_then_repeats() -> None:
    seen = []

    class Look(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x[0, 0, 0].tolist())
            return F.interpolate(x, scale_factor=4)

    line = torch.tensor([0.1, 0.2, 0.3]).expand(1, 3, 8, 3)
    wrap(Look(), SizeRequirements(minimum=8))(line)
    assert seen[0] == pytest.approx([0.1, 0.2, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1])


@pytest.mark.parametrize("name", ["CRAFT_x4", "realesr-animevideov3-x4_from_ncnn"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 17), (16, 16)], ids=str)
def test_real_networks_take_odd_sizes(name: str, shape: tuple[int, int], shared: Path) -> None:
    model = zoo.resolve([str(shared / f"assets/models/{name}.pth")])[0].load()
    with torch.inference_mode():
        sr = model(rand(1, 3, *shape))
    assert sr.shape == (1, 3, 4 * shape[0], 4 * shape[1])
    assert torch.isfinite(sr).all()


def test_channels_last_reaches_the_network_and_moves_rounding_only() -> None:
    layouts: list[bool] = []

    class Looking(Shuffle):
        def forward(self, lr: Tensor) -> Tensor:
            layouts.append(lr.is_contiguous(memory_format=torch.channels_last))
            return super().forward(lr)

    lr = rand(1, 3, 12, 11)
    moved = wrap(Looking()).channels_last()(lr)
    assert torch.allclose(moved, wrap(Looking())(lr), atol=1e-6)
    assert layouts == [True, False]


# tiles


@given(h=SIDE, w=SIDE, tile=st.integers(1, 30), halo=st.integers(2, 9))
@settings(max_examples=50, deadline=None)
def test_tiles_with_enough_context_change_nothing(h: int, w: int, tile: int, halo: int) -> None:
    model = wrap(Shuffle())
    lr = rand(1, 3, h, w)
    whole, pieces = model(lr), zoo.tiled(model, lr, tile, halo)
    assert pieces.shape == whole.shape
    assert torch.allclose(pieces, whole, atol=1e-6)
    if tile >= max(h, w):
        assert torch.equal(pieces, whole)


def test_tiles_with_too_little_context_do_change_something() -> None:
    model = wrap(Shuffle())
    lr = rand(1, 3, 16, 16)
    error = (zoo.tiled(model, lr, 8, halo=0) - model(lr)).abs()[0].amax(0)
    assert error[28:36, :].max() > 1e-3
    assert error[:24, :24].max() < 1e-6


def test_gradient_flows_through_tiles() -> None:
    model = wrap(Shuffle())
    grads = []
    for run in (model, lambda x: zoo.tiled(model, x, 5, 2)):
        lr = rand(1, 3, 12, 11).requires_grad_()
        run(lr).square().sum().backward()
        grads.append(lr.grad)
    assert torch.allclose(grads[0], grads[1], atol=1e-4)


@pytest.mark.parametrize(("tile", "halo"), [(0, 4), (-3, 4), (8, -1)])
def test_impossible_tiles(tile: int, halo: int) -> None:
    with pytest.raises(BadInput, match="use at least 1 and 0"):
        zoo.tiled(wrap(Shuffle()), rand(1, 3, 8, 8), tile, halo)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_bicubic_is_the_same_on_a_gpu() -> None:
    lr = rand(1, 3, 17, 23)
    ref = zoo.resolve(["bicubic"])[0]
    assert torch.allclose(ref.load("cuda")(lr.cuda()).cpu(), ref.load()(lr), atol=1e-5)
