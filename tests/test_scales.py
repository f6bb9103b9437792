"""x2, x3, x4 and x8 from model to board: each has its data, its reference, and a board of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import record
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

import srbench
from srbench import datasets, protocols, zoo
from srbench.attacks import StructuredPGD, presets
from srbench.attacks.tiles import attack_in_tiles
from srbench.boards.csv_records import from_frame
from srbench.cli import main
from srbench.datasets.degrade import bicubic
from srbench.entries import standard
from srbench.errors import BadInput
from srbench.evaluation import EvaluationRequest, evaluate, prepare
from srbench.run.memory_fit import IMAGE, demand
from srbench.support.scales import SCALES, at_scale
from srbench.support.torchvision import prepare_torchvision
from srbench.zoo.schema import user_card

prepare_torchvision()
from spandrel.architectures.Compact import Compact  # noqa: E402

scales = pytest.mark.parametrize("scale", SCALES)
IDS = ("boat", "tree")


class Up(nn.Module):
    """Nearest neighbours, a little brighter: a network of any scale with a gradient."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.gain = nn.Parameter(torch.tensor(1.02))

    def forward(self, lr: Tensor) -> Tensor:
        return nn.functional.interpolate(lr * self.gain, scale_factor=self.scale)


def pairs(folder: Path, scale: int, height: int = 16, width: int = 18) -> str:
    """Two pairs whose HR have a few rows and columns too many, as photographs do."""
    for index, name in enumerate(IDS):
        hr = np.random.default_rng(index).integers(0, 256, (height * scale, width * scale, 3), dtype=np.uint8)
        wide = np.pad(hr, ((0, scale - 1), (0, scale - 1), (0, 0)))
        for role, pixels in (("lr", bicubic(hr, scale)), ("hr", wide)):
            (folder / role).mkdir(parents=True, exist_ok=True)
            suffix = f"x{scale}" if role == "lr" else ""
            Image.fromarray(pixels).save(folder / role / f"{name}{suffix}.png")
    return f"set=pairs:{folder / 'lr'}:{folder / 'hr'}"


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Run the command line here; its exit code and everything it said."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["srbench", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out + said.err

    return run


def matlab(hr: np.ndarray, scale: int) -> np.ndarray:
    """Shrink as MATLAB's antialiased imresize does, by the weights of each output pixel."""

    def cubic(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        return np.where(
            x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x <= 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0)
        )

    def along(image: np.ndarray) -> np.ndarray:
        size = image.shape[0]
        out = np.zeros((size // scale, *image.shape[1:]))
        for row in range(size // scale):
            centre = (row + 0.5) * scale - 0.5
            taps = np.arange(int(np.floor(centre - 2 * scale)), int(np.ceil(centre + 2 * scale)) + 1)
            weights = cubic((centre - taps) / scale)
            weights /= weights.sum()
            mirrored = np.concatenate([np.arange(size), np.arange(size)[::-1]])[taps % (2 * size)]
            out[row] = np.tensordot(weights, image[mirrored].astype(float), axes=1)
        return np.floor(np.clip(out, 0, 255) + 0.5)

    return along(along(hr).swapaxes(0, 1)).swapaxes(0, 1).astype(np.uint8)


@scales
def test_bicubic_shrinks_as_matlab_does(scale: int) -> None:
    hr = np.random.default_rng(0).integers(0, 256, (6 * scale, 7 * scale, 3), dtype=np.uint8)
    apart = matlab(hr, scale).astype(int) - bicubic(hr, scale)
    assert np.abs(apart).max() <= (1 if scale == 3 else 0)  # at x3 the weights are rounded, and so are ties
    assert (apart != 0).mean() < 0.01


@scales
def test_a_network_is_measured_at_its_scale(scale: int, tmp_path: Path) -> None:
    data = pairs(tmp_path, scale)
    found = srbench.evaluate(
        {"up": Up(scale), "bicubic": "bicubic"}, datasets=data, protocol="y", metrics=["psnr"], scale=scale
    )
    assert list(found.model) == ["up", "up", "bicubic", "bicubic"]
    assert list(found.sr_height) == [scale * 16] * 4
    assert ("scale" in found.columns) == (scale != 4)  # older records have none, and are x4
    loaded = datasets.resolve([data], scale=scale)[0][0].load("boat")
    assert loaded.hr is not None
    assert loaded.hr.shape == (16 * scale, 18 * scale, 3)
    sr = np.round(np.clip(loaded.lr.repeat(scale, 0).repeat(scale, 1) / 255 * np.float32(1.02), 0, 1) * 255)
    luma = [
        (image[scale:-scale, scale:-scale] / 255 @ np.array([65.481, 128.553, 24.966]) + 16)
        for image in (loaded.hr.astype(float), sr)
    ]
    assert found.psnr[0] == pytest.approx(peak_signal_noise_ratio(*luma, data_range=255), abs=0.01)
    assert [record.scale for record in from_frame(found)] == [scale] * 4


@scales
def test_checkpoints_and_code_know_their_scale(
    scale: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    torch.save(Compact(num_feat=8, num_conv=1, upscale=scale).state_dict(), tmp_path / "net.pth")
    (tmp_path / f"code_x{scale}.py").write_text(
        f"from torch import nn\nmake = lambda: nn.Upsample(scale_factor={scale})\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for spec in (
        "net.pth",
        f"net.pth,scale=x{scale}",
        f"code_x{scale}:make",
        f"code_x{scale}:make,scale={scale}",
    ):
        (ref,) = zoo.resolve([spec], scale)
        assert ref.card.scale == scale
        assert ref.load()(torch.rand(1, 3, 9, 7)).shape == (1, 3, 9 * scale, 7 * scale)
        other = 8 if scale != 8 else 4
        with pytest.raises(
            BadInput, match=f"is an x{scale} model, and x{other} is measured: --scale {scale}"
        ):
            zoo.resolve([spec], other)
    with pytest.raises(BadInput, match=f"this is an x{scale} model"):
        zoo.resolve([f"net.pth,scale={other}"])
    with pytest.raises(BadInput, match="expected"):
        zoo.resolve([f"code_x{scale}:make,scale={other}"])


@scales
def test_all_and_wildcards_take_the_models_of_the_scale(scale: int) -> None:
    names = [ref.name for ref in zoo.resolve(["all"], scale)]
    assert names[0] == "bicubic"
    assert ("rsr-mini" in names) == (scale == 4)
    if scale == 4:
        assert [ref.name for ref in zoo.resolve(["all"])] == names
    else:
        with pytest.raises(BadInput, match=rf"no x{scale} model matches 'rsr-m\*': rsr-mini is x4"):
            zoo.resolve(["rsr-m*"], scale)
        with pytest.raises(BadInput, match=f"rsr-mini is an x4 model, and x{scale} is measured: --scale 4"):
            zoo.resolve(["rsr-mini"], scale)


@scales
def test_mini_sets_are_there_at_every_scale(scale: int) -> None:
    (clean,), said = datasets.resolve(["clean"], track="mini", scale=scale)
    image = clean.load(clean.ids[0])
    assert image.hr is not None
    assert (clean.name, clean.scale, len(clean)) == ("clean-mini2", scale, 20)
    assert image.hr.shape[:2] == tuple(scale * side for side in image.lr.shape[:2])
    assert clean.lr_size(clean.ids[0]) == image.lr.shape[:2]
    assert np.array_equal(image.lr, bicubic(image.hr, scale))
    assert any("--track mini" in line for line in said)
    (noisy,), _ = datasets.resolve(["ntire-mini"], scale=scale)
    again = datasets.resolve(["ntire-mini"], scale=scale)[0][0]
    assert noisy.content_hash == again.content_hash
    assert f"x{scale}" in noisy.title


@scales
def test_sets_are_registered_for_each_scale(scale: int, tmp_path: Path) -> None:
    pairs(tmp_path, scale)
    status = datasets.add("set5", tmp_path / "lr", tmp_path / "hr", scale=scale)
    assert status.available
    assert [s for s in SCALES if datasets.status("set5", s).available] == [scale]
    assert datasets.resolve(["set5"], scale=scale)[0][0].scale == scale
    assert datasets.verify("set5", scale).content_hash == status.content_hash
    datasets.add("own", tmp_path / "lr", tmp_path / "hr", scale=scale)
    assert datasets.own_names(scale) == ["own"]
    other = 8 if scale != 8 else 4
    with pytest.raises(BadInput, match=r"it must be exactly .* times the LR"):
        datasets.add("set5", tmp_path / "lr", tmp_path / "hr", scale=other)
    with pytest.raises(BadInput, match="not registered"):
        datasets.resolve(["set5"], scale=other)
    datasets.remove("set5", scale)
    assert not datasets.status("set5", scale).available


@scales
def test_protocol_y_cuts_the_scale_and_a_protocol_has_a_hash_for_each(scale: int) -> None:
    y, rsr = protocols.protocol("y", scale), protocols.protocol("rsr", scale)
    assert (y.known["psnr"].crop, y.known["ssim"].crop, rsr.known["psnr"].crop) == (scale, scale, 4)
    assert len({protocols.protocol("y", s).hash for s in SCALES}) == len(SCALES)
    assert y.at(4).hash == protocols.protocol("y").hash or scale != 4


def test_a_cell_at_x4_lies_where_it_always_lay() -> None:
    path = "rsr/clean-mini/none/bicubic-"
    plan = prepare(EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",))).plan
    assert plan[0].protocol.hash.startswith("12af5d00")
    assert str(plan[0].path).startswith(path)
    others = {
        s: prepare(
            EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",), scale=s)
        ).plan[0]
        for s in SCALES
    }
    assert others[4].path == plan[0].path
    assert len({cell.path for cell in others.values()}) == len(SCALES)
    assert str(others[2].path).startswith("rsr/clean-mini-x2/none/bicubic-")


@scales
def test_structured_noise_finds_the_worst_at_any_scale(scale: int, tmp_path: Path) -> None:
    lr = torch.full((1, 3, 16, 12), 0.5)
    hr = torch.full((1, 3, 16 * scale, 12 * scale), 0.5)
    attack = StructuredPGD(Up(scale), eps=8 / 255, objective="mse", steps=40, alpha=1 / 255)
    adversarial = attack(lr, hr)
    assert (adversarial - lr).abs().min() == pytest.approx(8 / 255, abs=1e-4)  # each pixel goes to its bound
    pieces = attack_in_tiles(attack, lr, hr, "a", tile=8, halo=2)
    assert (pieces - lr).abs().min() == pytest.approx(8 / 255, abs=1e-4)
    with pytest.raises(BadInput, match="attacks need an RGB model of"):
        attack(lr, torch.full((1, 3, 32, 24) if scale != 2 else (1, 3, 48, 36), 0.5))
    data = pairs(tmp_path, scale, 24, 24)
    (ref,) = zoo.resolve([zoo.ModelRef("up", user_card("up", {}, scale=scale), "0" * 64, _opened(scale))])
    done = evaluate(
        EvaluationRequest(
            models=(ref,),
            datasets=(data,),
            attacks=("none", "ifgsm-choi"),
            metrics=("psnr",),
            scale=scale,
            tile=16,
            halo=4,
            store=tmp_path / "store",
        )
    )
    assert not done.outcome.failures
    assert "ifgsm-choi" in presets.presets()
    values = {(r.attack, r.image): r.metrics["psnr"] for r in done.records}
    for image in IDS:
        assert values["ifgsm-choi", image] < values["none", image]  # type: ignore[operator]


def _opened(scale: int) -> Callable[[], object]:
    from srbench.zoo.own import network_of

    return lambda: network_of(Up(scale), "up")


@scales
def test_memory_is_counted_in_pixels_of_hr(scale: int, tmp_path: Path) -> None:
    data = pairs(tmp_path, scale, 40, 40)
    request = EvaluationRequest(models=("bicubic",), datasets=(data,), metrics=("psnr",), scale=scale)
    cell = prepare(request).plan[0]
    beside = at_scale(IMAGE, scale) * 40 * 40
    assert beside == 64 * scale**2 * 40 * 40
    model = cell.model.load()
    from srbench.zoo.memory import needed

    assert demand(cell, lambda ref: model) == beside + needed(model, 40, 40)


@pytest.mark.parametrize("scale", ["1", "5", "0", "-4", "2.5", "two"])
def test_other_scales_are_one_line(scale: str, command: Callable[..., tuple[int, str]]) -> None:
    for arguments in (
        ("evaluate",),
        ("attack", "bicubic"),
        ("datasets",),
        ("leaderboard",),
        ("compare", "a", "b"),
    ):
        code, said = command(*arguments, "--scale", scale)
        assert code == 2
        assert said.splitlines() == [f"srbench: --scale {scale}: SR is measured at x2, x3, x4 and x8"]
    with pytest.raises(BadInput, match="SR is measured at"):
        srbench.evaluate("bicubic", scale=scale)  # type: ignore[arg-type]


def test_the_command_line_measures_at_a_scale(
    tmp_path: Path, command: Callable[..., tuple[int, str]]
) -> None:
    data, store = pairs(tmp_path, 2), str(tmp_path / "store")
    shared = ("--datasets", data, "--metrics", "psnr", "--store", store)
    code, said = command("evaluate", "--models", "all", "--scale", "x2", *shared)
    assert code == 0
    assert "x2 · protocol rsr" in said
    assert "bicubic" in said
    code, said = command("evaluate", "--models", "bicubic", *shared)
    assert code == 2
    assert "--scale 2 takes them" in said
    code, said = command("evaluate", "--models", "rsr-mini", "--scale", "2", *shared)
    assert (code, said.count("\n")) == (2, 1)
    assert "rsr-mini is an x4 model, and x2 is measured" in said
    code, said = command("leaderboard", "--store", store, "--scale", "4")
    assert code == 2
    code, said = command("leaderboard", "--store", store, "--scale", "2")
    assert code == 0


def test_an_entry_is_x4(tmp_path: Path, command: Callable[..., tuple[int, str]]) -> None:
    torch.save(Compact(num_feat=8, num_conv=1, upscale=2).state_dict(), tmp_path / "net.pth")
    code, said = command("submit", str(tmp_path / "net.pth"))
    assert code == 2
    assert "net is an x2 model, and an entry is x4: measure it with srbench evaluate --scale 2" in said
    assert not standard.belongs(record(dataset="ntire-mini", scale=2))
    assert standard.belongs(record(dataset="ntire-mini"))
