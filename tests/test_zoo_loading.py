"""Weight files: every published layout loads to the same network, everything else is refused in one line."""

from __future__ import annotations

import argparse
import os
import pickle
import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from srbench import zoo
from srbench.errors import BadInput
from srbench.support.torchvision import prepare_torchvision
from srbench.zoo.checkpoint import read_state_dict
from srbench.zoo.loading import load_network

prepare_torchvision()
from spandrel.architectures.Compact import Compact  # noqa: E402
from spandrel.architectures.ESRGAN import ESRGAN  # noqa: E402

State = dict[str, Tensor]
BLOCKS = 2


@pytest.fixture(scope="module")
def rrdb() -> nn.Module:
    torch.manual_seed(0)
    return ESRGAN(num_filters=16, num_blocks=BLOCKS).eval()


def to_middle(old: State) -> State:
    """The key table of BasicSR's history: model.N -> conv_first, RRDB_trunk, …"""
    names = {
        "model.0": "conv_first",
        f"model.1.sub.{BLOCKS}": "trunk_conv",
        "model.3": "upconv1",
        "model.6": "upconv2",
        "model.8": "HRconv",
        "model.10": "conv_last",
    }
    renamed = {}
    for key, value in old.items():
        layer, kind = key.rsplit(".", 1)
        block = re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0", layer)
        new = "RRDB_trunk.{}.RDB{}.conv{}".format(*block.groups()) if block else names[layer]
        renamed[f"{new}.{kind}"] = value
    return renamed


def to_new(old: State) -> State:
    swaps = [
        ("RRDB_trunk", "body"),
        ("RDB", "rdb"),
        ("trunk_conv", "conv_body"),
        ("upconv", "conv_up"),
        ("HRconv", "conv_hr"),
    ]
    state = to_middle(old)
    for before, after in swaps:
        state = {key.replace(before, after): value for key, value in state.items()}
    return state


LAYOUTS = {"old": dict, "middle": to_middle, "new": to_new}


def prefixed(state: State) -> State:
    return {f"module.{key}": value for key, value in state.items()}


WRAPPERS: dict[str, Any] = {
    "bare": lambda s: s,
    "params": lambda s: {"params": s},
    "params_ema": lambda s: {"params": {k: v + 1 for k, v in s.items()}, "params_ema": s},
    "state_dict": lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"lr": 1e-4}},
    "model_g_state_dict": lambda s: {"model_g_state_dict": s, "model_d_state_dict": {}, "iteration": 5},
    "module": prefixed,
    "params_ema module": lambda s: {"params_ema": prefixed(s)},
    "ordered": OrderedDict,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_layout_and_wrapper_loads_to_the_same_network(
    layout: str, wrapper: str, rrdb: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save(WRAPPERS[wrapper](LAYOUTS[layout](rrdb.state_dict())), path)
    network = load_network(path)
    lr = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(1))
    reference = rrdb.to(memory_format=torch.channels_last)
    with torch.no_grad():
        assert torch.equal(network.module.eval()(lr), reference(lr))
    assert network.family == "ESRGAN"


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".tar"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before zip"])
def test_both_torch_formats_under_every_suffix(
    suffix: str, zipped: bool, rrdb: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / f"net{suffix}"
    torch.save(rrdb.state_dict(), path, _use_new_zipfile_serialization=zipped)
    state = read_state_dict(path)
    assert all(torch.equal(state[k], v) for k, v in rrdb.state_dict().items())


def test_safetensors(rrdb: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file({k: v.contiguous() for k, v in rrdb.state_dict().items()}, path)
    assert load_network(path).parameters == sum(p.numel() for p in rrdb.parameters())


def test_half_precision_checkpoint_runs_in_fp32(rrdb: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({k: v.half() for k, v in rrdb.state_dict().items()}, path)
    assert {p.dtype for p in load_network(path).module.parameters()} == {torch.float32}


class Payload:
    """Unpickling this runs a shell command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.marker}'",)


def _zip(value: object, path: Path) -> None:
    torch.save({"params": value}, path)


def _legacy(value: object, path: Path) -> None:
    torch.save({"params": value}, path, _use_new_zipfile_serialization=False)


def _raw(protocol: int) -> Any:
    return lambda value, path: path.write_bytes(pickle.dumps({"params": value}, protocol=protocol))


@pytest.mark.parametrize("write", [_zip, _legacy, _raw(2), _raw(4)], ids=["zip", "legacy", "raw2", "raw4"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(write: Any, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pth"
    write(Payload(marker), path)
    for attempt in (
        lambda: read_state_dict(path),
        lambda: zoo.resolve([str(path)]),
        lambda: zoo.install("rsr", path),
    ):
        with pytest.raises(
            BadInput,
            match=r"evil\.pth was refused because loading it (would run code.*system|could run code)",
        ):
            attempt()
    assert not marker.exists()
    assert not zoo.status("rsr").installed


def test_the_payload_of_the_test_above_is_a_real_one(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()


def test_training_state_with_foreign_objects_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "train.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "args": argparse.Namespace(lr=1)}, path)
    with pytest.raises(BadInput, match=r"would run code \(argparse\.Namespace\)"):
        read_state_dict(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"PK\x03\x04abc", b"\x89PNG\r\n\x1a\n" + b"\0" * 50],
    ids=["empty", "text", "half a zip", "png"],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_no_checkpoint_is_said_to_be_none(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"net\{suffix} is damaged or no checkpoint \({len(content)} bytes\)"):
        read_state_dict(path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_truncated_real_checkpoint(keep: float, shared: Path, tmp_path: Path) -> None:
    whole = (shared / "assets/models/RealESRGAN_General_x4_v3_from_ncnn.pth").read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(BadInput, match="damaged or no checkpoint"):
        zoo.resolve([str(path)])


def test_truncated_legacy_and_safetensors(rrdb: nn.Module, tmp_path: Path) -> None:
    pth, safe = tmp_path / "net.pth", tmp_path / "net.safetensors"
    torch.save(rrdb.state_dict(), pth, _use_new_zipfile_serialization=False)
    save_file({k: v.contiguous() for k, v in rrdb.state_dict().items()}, safe)
    for path in (pth, safe):
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(BadInput, match="damaged or no checkpoint"):
            read_state_dict(path)


def test_unsupported_architecture_says_what_to_do(shared: Path) -> None:
    path = shared / "assets/models/RLFN_x4_unsupported_arch.pth"
    with pytest.raises(
        BadInput, match=r"RLFN_x4_unsupported_arch\.pth: spandrel does not know.*module\.path:f"
    ):
        zoo.resolve([str(path)])


def test_torchscript_archive(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; such files are still about
        torch.jit.save(torch.jit.trace(nn.Conv2d(3, 3, 3), torch.rand(1, 3, 8, 8)), path)
    with pytest.raises(BadInput, match="TorchScript archive"):
        read_state_dict(path)


@pytest.mark.parametrize("value", [{"epoch": 3, "params": {}}, [1, 2], torch.zeros(2), {}], ids=str)
def test_a_checkpoint_without_weights(value: object, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(value, path)
    with pytest.raises(BadInput, match="holds no network weights"):
        read_state_dict(path)


def test_other_scales_and_channels_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(Compact(num_feat=8, num_conv=2, upscale=1).state_dict(), path)
    with pytest.raises(BadInput, match=r"is an x1 model \(Compact\): srbench measures x2, x3"):
        load_network(path)
    torch.save(ESRGAN(in_nc=1, out_nc=1, num_filters=16, num_blocks=2).state_dict(), path)
    with pytest.raises(BadInput, match="1 channels in and 1 out"):
        load_network(path)


def test_a_layer_is_missing(rrdb: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    state = rrdb.state_dict()
    del state["model.1.sub.0.RDB2.conv3.0.bias"]
    torch.save(state, path)
    with pytest.raises(BadInput, match=r"do not fit their architecture.*RDB2\.conv3"):
        load_network(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        zoo.resolve([str(tmp_path / "net.pth")])
    (tmp_path / "dir.pth").mkdir()
    with pytest.raises(BadInput, match="no such file"):
        zoo.resolve([str(tmp_path / "dir.pth")])


@pytest.mark.parametrize(
    ("name", "family", "parameters"),
    [
        ("RealESRGAN_General_x4_v3_from_ncnn", "Compact", 1_213_296),
        ("RealESRGAN_General_WDN_x4_v3_from_ncnn", "Compact", 1_213_296),
        ("realesr-animevideov3-x4_from_ncnn", "Compact", 621_424),
        ("CRAFT_x4", "CRAFT", 753_344),
    ],
)
def test_real_checkpoints(name: str, family: str, parameters: int, shared: Path) -> None:
    ref = zoo.resolve([str(shared / f"assets/models/{name}.pth")])[0]
    assert ref.name == ref.card.name == name
    assert ref.card.domain == "unknown"
    assert ref.card.architecture == {"family": family, "parameters": parameters}
    lr = torch.rand(1, 3, 19, 33, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert ref.load()(lr).shape == (1, 3, 76, 132)


def test_the_full_size_rrdbnet_has_the_parameters_its_cards_state() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in ESRGAN().parameters())
    cards = [zoo.card(n) for n in zoo.names() if zoo.card(n).architecture["family"] == "RRDBNet"]
    cards = [card for card in cards if not card.packaged and card.architecture["num_block"] == 23]
    assert len(cards) == 13
    assert {c.architecture["parameters"] for c in cards} == {count}
