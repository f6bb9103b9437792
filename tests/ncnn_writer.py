"""A writer of ncnn's two files, and networks to write."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

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
