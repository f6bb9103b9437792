"""ncnn files that are damaged or of other wires: one line each, and memory bounded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ncnn_writer import (
    Writer,
    rrdbnet_state,
    same,
    write_rrdbnet,
)

from srbench.errors import BadInput
from srbench.zoo.ncnn.networks import read_ncnn


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
