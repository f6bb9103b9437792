"""What training codes save around a generator: the plain file's weights, to the bit, or one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from srbench import zoo
from srbench.errors import BadInput
from srbench.support import home
from srbench.support.torchvision import prepare_torchvision
from srbench.zoo.checkpoint import read_state_dict

prepare_torchvision()
from spandrel.architectures.Compact import Compact  # noqa: E402
from spandrel.architectures.ESRGAN import ESRGAN  # noqa: E402

State = dict[str, Tensor]


@pytest.fixture(scope="module", params=["Compact", "ESRGAN of the first layout"])
def plain(request: pytest.FixtureRequest) -> State:
    torch.manual_seed(0)
    network = (
        Compact(num_feat=16, num_conv=2, upscale=4)
        if request.param == "Compact"
        else ESRGAN(num_filters=16, num_blocks=1)
    )
    return dict(network.state_dict())


def before(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def changed(state: State) -> State:
    return {name: value + 1 for name, value in state.items()}


OTHER = {"conv.weight": torch.ones(3, 3, 1, 1)}
WRAPPED: dict[str, Callable[[State], Any]] = {
    "nothing": lambda s: s,
    "torch.compile": lambda s: before("_orig_mod.", s),
    "DataParallel of torch.compile": lambda s: before("module._orig_mod.", s),
    "params of torch.compile": lambda s: {"params": before("_orig_mod.", s)},
    "params and params_ema": lambda s: {"params": changed(s), "params_ema": s},
    "flat params_ema": lambda s: before("params_ema.", s),
    "Lightning net_g with losses": lambda s: {
        "state_dict": before("net_g.", s) | before("loss.vgg.", OTHER),
        "epoch": 3,
    },
    "Lightning model": lambda s: {"state_dict": before("model.", s)},
    "Lightning net": lambda s: {"state_dict": before("net.", s) | before("criterion.", OTHER)},
    "Lightning generator and discriminator": lambda s: {
        "state_dict": before("generator.", s) | before("discriminator.", OTHER)
    },
    "Lightning generator and its average": lambda s: {
        "state_dict": before("generator.", changed(s)) | before("generator_ema.", s)
    },
    "AveragedModel": lambda s: {"n_averaged": torch.tensor(7)} | before("module.", s),
    "generator": lambda s: {"generator": s},
    "net_g beside net_d": lambda s: {"net_g": s, "net_d": OTHER, "iteration": 5},
    "netG beside netD": lambda s: {"netG": before("module.", s), "netD": OTHER},
    "model_state": lambda s: {"model_state": s, "optimizer": {"lr": 1e-4}},
    "DSGAN": lambda s: {"model_g_state_dict": s, "model_d_state_dict": OTHER},
    "another name alone": lambda s: {"my_network": s, "epoch": 3, "optimizer": {"lr": 1e-4}},
    "an average's shadow": lambda s: {"model": changed(s), "ema": {"decay": 0.9, "shadow": s}},
    "a training of srbench's": lambda s: {"generator": s, "optimizer_g": {"state": {}}, "average": {}},
    "a training of srbench's with an average": lambda s: {
        "generator": changed(s),
        "optimizer_g": {"state": {}},
        "discriminator": OTHER,
        "average": s,
    },
    "thop's counters": lambda s: s | {"total_ops": torch.zeros(1), "total_params": torch.zeros(1)},
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_the_weights_are_those_of_the_plain_file(wrapper: str, plain: State, tmp_path: Path) -> None:
    torch.save(WRAPPED[wrapper](plain), tmp_path / "net.pth")
    found = read_state_dict(tmp_path / "net.pth")
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], plain[name]) for name in plain)


SEVERAL: dict[str, Callable[[State], Any]] = {
    "neither named a generator": lambda s: {"first": s, "second": changed(s), "epoch": 3},
    "in a dict": lambda s: {"networks": {"first": before("module.", s), "second": changed(s)}},
    "by prefix": lambda s: {"state_dict": before("first.", s) | before("second.", changed(s))},
    "beside a generator": lambda s: {"net_g": changed(s), "first": {"state_dict": s}, "second": OTHER},
}


@pytest.mark.parametrize("wrapper", SEVERAL)
def test_a_key_says_which_of_several_networks_is_meant(wrapper: str, plain: State, tmp_path: Path) -> None:
    torch.save(SEVERAL[wrapper](plain), tmp_path / "net.pth")
    key = "first.state_dict" if wrapper == "beside a generator" else "first"
    found = read_state_dict(tmp_path / "net.pth", key)
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], plain[name]) for name in plain)


def test_networks_that_cannot_be_told_apart_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"first": OTHER, "second": OTHER, "optimizer": {"lr": 1.0}}, path)
    with pytest.raises(BadInput, match=r"holds 2 networks \(first, second\): .* net\.pth,key=first"):
        read_state_dict(path)
    with pytest.raises(BadInput, match=r"no network 'third': it holds first, second; .* net\.pth,key=first"):
        read_state_dict(path, "third")
    torch.save(OTHER, path)
    with pytest.raises(BadInput, match="holds no 'third', and no networks by name: leave key= out"):
        read_state_dict(path, "third")


def test_keys_on_the_command_line_are_other_models(plain: State, tmp_path: Path) -> None:
    path = tmp_path / "gan.pth"
    torch.save({"photo": plain, "anime": {name: value / 2 for name, value in plain.items()}}, path)
    photo, anime = zoo.resolve([f"a={path},key=photo", f"b={path},key=anime"])
    assert len({photo.weights_sha256, anime.weights_sha256, home.sha256_file(path)}) == 3
    lr = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.save(plain, tmp_path / "plain.pth")
    (alone,) = zoo.resolve([str(tmp_path / "plain.pth")])
    assert torch.equal(photo.load()(lr), alone.load()(lr))
    assert not torch.equal(anime.load()(lr), alone.load()(lr))
    assert [ref.name for ref in zoo.resolve([f"{path},key=photo", f"{path},key=anime"])] == [
        f"gan@{ref.weights_sha256[:8]}" for ref in (photo, anime)
    ]


def test_content_decides_what_a_file_is(plain: State, tmp_path: Path) -> None:
    save_file(plain, tmp_path / "saved_as.pth")
    torch.save(plain, tmp_path / "saved_as.safetensors")
    for name in ("saved_as.pth", "saved_as.safetensors"):
        found = read_state_dict(tmp_path / name)
        assert found.keys() == plain.keys()
        assert all(torch.equal(found[key], plain[key]) for key in plain)


@pytest.mark.parametrize("suffix", [".bin", ".pth.tar"])
def test_other_names_of_checkpoints(suffix: str, plain: State, tmp_path: Path) -> None:
    torch.save(plain, tmp_path / f"net{suffix}")
    (ref,) = zoo.resolve([str(tmp_path / f"net{suffix}")])
    assert ref.load().scale == 4


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>please log in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 66923471\n", "git lfs pull"),
    ],
)
def test_what_lies_where_weights_should_be_is_named(
    content: bytes, words: str, suffix: str, tmp_path: Path
) -> None:
    (tmp_path / f"net{suffix}").write_bytes(content)
    with pytest.raises(BadInput, match=words):
        read_state_dict(tmp_path / f"net{suffix}")
