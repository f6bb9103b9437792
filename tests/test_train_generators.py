"""The generator: its size, its first weights, and what loads into it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_networks import discriminator, images, parameters
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.support.torchvision import prepare_torchvision
from srbench.train.generator import build_generator, load_into
from srbench.train.initial import initialised
from srbench.zoo.loading import load_network


def convolution(incoming: int, outgoing: int, side: int, bias: bool) -> int:
    return incoming * outgoing * side**2 + outgoing * bias


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
