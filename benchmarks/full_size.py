"""An image of DIV2K's size through a full-size RRDBNet, whole and in tiles: memory, time, what changes.

    python benchmarks/full_size.py ../shared/assets/images/DIV2K_test_LR_bicubic_x4/0901.png
    python benchmarks/full_size.py IMAGE.png --model rsr-mini --tile 96

Each way runs in a process of its own, whose peak memory the kernel counts. The network has 64 features, 23
blocks and random weights (``--model`` takes a trained one of the zoo instead); what it adds to bicubic is
scaled to a standard deviation of a twentieth of the range, which is what networks add. PSNR, SSIM and LPIPS
are taken against the bicubic image, as protocol rsr computes them, and differences from those of the whole
image are shown: how far tiles would move a leaderboard. The last row is ``srbench evaluate --tile auto`` with
``--memory``: what it chose, and what the whole command took.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peak import peak_mib
from torch import Tensor, nn

from srbench import evaluation, zoo
from srbench.run.image import as_tensor
from srbench.support.torchvision import prepare_torchvision

STD = 0.05
HEADER = ("way", "peak MiB", "while running", "seconds", "max /255", "mean /255", "PSNR dB", "SSIM", "LPIPS")


class Full(nn.Module):
    """Bicubic and, scaled, what an RRDBNet 64/23 with random weights makes of the image."""

    def __init__(self) -> None:
        super().__init__()
        prepare_torchvision()
        from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

        torch.manual_seed(0)
        self.network = RRDBNet(num_filters=64, num_blocks=23)
        self.bicubic = zoo.resolve(["bicubic"])[0].load()
        self.register_buffer("scale", torch.ones(()))
        with torch.inference_mode():
            made = self.network(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
        self.scale.copy_(STD / made.std())

    def forward(self, lr: Tensor) -> Tensor:
        made: Tensor = self.bicubic(lr) + self.scale * self.network(lr)
        return made


def load(path: str) -> Tensor:
    from srbench.datasets.decode import decode, read

    return as_tensor(decode(read(Path(path)), Path(path)))


def child(args: argparse.Namespace) -> None:
    """One way, in this process; prints what it took."""
    torch.set_num_threads(args.threads)
    if args.model:
        zoo_model = zoo.resolve([args.model])[0].load()
    else:
        zoo.register("full", Full)
        zoo_model = zoo.resolve(["full"])[0].load()
    lr = load(args.image)
    before = peak_mib()
    started = time.perf_counter()
    with torch.inference_mode():
        sr = zoo_model(lr) if args.halo is None else zoo.tiled(zoo_model, lr, args.tile, args.halo)
    seconds = time.perf_counter() - started
    np.save(args.out, sr.numpy())
    print(json.dumps({"seconds": seconds, "peak": peak_mib(), "network": peak_mib() - before}))


def command(args: argparse.Namespace) -> None:
    """``srbench evaluate`` on the image, in this process."""
    if not args.model:
        zoo.register("full", Full)
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images")
        images.mkdir()
        (images / Path(args.image).name).symlink_to(Path(args.image).resolve())
        request = evaluation.EvaluationRequest(
            models=(args.model or "full",),
            datasets=(f"folder:{images}",),
            metrics=("piqe",),
            memory=args.memory,
            workers=1,
            threads=args.threads,
            store=Path(folder, "store"),
        )
        started = time.perf_counter()
        result = evaluation.run(evaluation.prepare(request))
    (record,) = result.records
    told = "whole" if record.tile is None else f"tile {record.tile}, halo {record.halo}"
    print(json.dumps({"seconds": time.perf_counter() - started, "peak": peak_mib(), "told": told}))


def in_a_process(args: argparse.Namespace, *arguments: str) -> dict[str, Any]:
    given = [sys.executable, __file__, args.image, "--threads", str(args.threads), "--tile", str(args.tile)]
    given += ["--model", args.model] if args.model else []
    done = subprocess.run([*given, *arguments], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def metrics(sr: Tensor, hr: Tensor) -> dict[str, float | None]:
    from srbench import protocols
    from srbench.run.instruments import Instruments

    instruments = Instruments(protocols.protocol("rsr"), ("psnr", "ssim", "lpips"), "cpu")
    with torch.inference_mode():
        values, _ = instruments.measure(instruments.names(paired=True), sr, hr)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("image", help="an LR image")
    parser.add_argument("--model", help="a trained model of the zoo, in place of random weights")
    parser.add_argument("--tile", type=int, default=192)
    parser.add_argument("--halos", default="16,32,64")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", type=float, default=4.0, help="GiB for the last row")
    parser.add_argument("--halo", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    parser.add_argument("--command", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.command or args.out:
        (command if args.command else child)(args)
        return
    lr = load(args.image)
    hr = zoo.resolve(["bicubic"])[0].load()(lr).clamp(0, 1)
    size, named = f"{lr.shape[-1]} x {lr.shape[-2]}", args.model or "RRDBNet 64/23"
    print(f"{size} LR pixels, {named}, {args.threads} thread(s)")
    print(f"| {' | '.join(HEADER)} |")
    print(f"| --- |{' ---: |' * (len(HEADER) - 1)}")
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, tuple[str, ...]] = {"whole": ()}
        ways |= {f"tile {args.tile}, halo {h}": ("--halo", h) for h in args.halos.split(",")}
        whole, values = torch.empty(0), dict[str, float | None]()
        for name, arguments in ways.items():
            file = str(Path(folder, "sr.npy"))
            took = in_a_process(args, "--out", file, *arguments)
            sr = torch.from_numpy(np.load(file))
            found = metrics(sr, hr)
            if not arguments:
                whole, values = sr, found
            differ = (sr.clamp(0, 1) - whole.clamp(0, 1)).abs() * 255
            shown = [_shown(found.get(key), values.get(key)) for key in ("psnr", "ssim", "lpips")]
            print(
                f"| {name} | {took['peak']:.0f} | {took['network']:.0f} | {took['seconds']:.1f} | "
                f"{float(differ.max()):.2g} | {float(differ.mean()):.2g} | {' | '.join(shown)} |",
                flush=True,
            )
        print("Whole:", ", ".join(f"{key} {value:.4f}" for key, value in values.items() if value is not None))
    took = in_a_process(args, "--command", "--memory", str(args.memory))
    print(
        f"srbench evaluate --memory {args.memory:g}: {took['told']}, peak {took['peak']:.0f} MiB, "
        f"{took['seconds']:.1f} s"
    )


def _shown(value: float | None, whole: float | None) -> str:
    return "–" if value is None or whole is None else f"{value - whole:.1e}"


if __name__ == "__main__":
    main()
