"""What srbench says a network needs for an image, against what a process takes: one table.

    python benchmarks/memory_model.py --sides 96,192
    python benchmarks/memory_model.py --networks compact,rrdb3,NET.pth --sides 64 --gradient

A process of its own for every row runs the network once on a small image, notes the peak of its memory, runs
it on the large image, and notes how much higher the peak is: that is *taken*. *Counted* is
``srbench.zoo.memory.needed`` without its margin; a ratio above the margin would be an image that does not fit
where srbench thought that it does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from overhead import network
from peak import peak_mib
from torch import nn

from srbench import zoo
from srbench.zoo.memory import MARGIN, needed


def made(name: str) -> nn.Module:
    if Path(name).exists() or name in zoo.names():
        return zoo.resolve([name])[0].load()
    return network(name).requires_grad_(False)


def run(model: nn.Module, side: int, gradient: bool) -> None:
    lr = torch.rand(1, 3, side, side)
    if not gradient:
        with torch.inference_mode():
            model(lr)
        return
    sr = model(lr.requires_grad_())
    torch.autograd.grad(sr, lr, torch.ones_like(sr))


def row(name: str, side: int, gradient: bool) -> str:
    torch.set_num_threads(1)
    model = made(name)
    run(model, 16, gradient)
    before = peak_mib()
    run(model, side, gradient)
    taken = peak_mib() - before
    counted = needed(model, side, side, gradient=gradient) / MARGIN / (1 << 20)
    what = "forward and gradient" if gradient else "forward"
    return f"| {name} | {side} x {side} | {what} | {counted:.0f} | {taken:.0f} | {taken / counted:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--networks", default="compact,rrdb3", help="compact, rrdbN, models, checkpoints")
    parser.add_argument("--sides", default="96,192", help="of square LR images, in pixels")
    parser.add_argument("--gradient", action="store_true", help="with the gradient to the LR image")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "SIDE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(row(args.one[0], int(args.one[1]), args.gradient))
        return
    print("| network | LR | what | counted MiB | taken MiB | taken / counted |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    for name in args.networks.split(","):
        for side in args.sides.split(","):
            given = [sys.executable, __file__, "--one", name, side] + ["--gradient"] * args.gradient
            done = subprocess.run(given, check=True, capture_output=True, text=True)
            print(done.stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
