"""Fit the cost model of srbench.run.cost_model on some cells and compare it with the time of others.

The rate is fitted on one network without an attack, metrics and rest on bicubic interpolation; other
networks, and attacks, are predicted. Times are those of the processor (one thread), which other programs on
the machine disturb less than a clock on the wall.
"""

from __future__ import annotations

import argparse
import tempfile
import time

from torch import nn

from srbench import evaluation
from srbench.run.cost_model import Machine, count_passes, network_seconds, other_seconds
from srbench.support.torchvision import prepare_torchvision
from srbench.zoo.catalog import own_card
from srbench.zoo.cost import cost
from srbench.zoo.refs import ModelRef, from_factory, resolve

PIXELS = 64 * 64
METRICS = ("psnr", "ssim")
LONGEST = 50e6
"""MAC of an LR pixel in gradient steps: larger networks are not attacked, for time."""
FITTED = "rrdb 32/4"
SHAPES = {"rrdb 16/2": (16, 2), FITTED: (32, 4), "rrdb 64/1": (64, 1), "rrdb 64/3": (64, 3)}


def network(name: str) -> ModelRef:
    """An RRDBNet of some width and depth with random weights."""
    import torch

    prepare_torchvision()
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    def make() -> nn.Module:
        torch.manual_seed(0)
        filters, blocks = SHAPES[name]
        made: nn.Module = RRDBNet(in_nc=3, out_nc=3, num_filters=filters, num_blocks=blocks, scale=4)
        return made

    return from_factory(name, name, own_card(name.replace(" ", "-").replace("/", "-")), make)


def seconds_per_image(model: ModelRef, attack: str, images: int) -> float:
    """Processor seconds of an image, less what a run of one image takes more than once."""
    spent = []
    for limit in (1, 1 + images):
        with tempfile.TemporaryDirectory(prefix="srbench-") as store:
            prepared = evaluation.prepare(
                evaluation.EvaluationRequest(
                    models=(model,),
                    datasets=("clean-mini",),
                    attacks=(attack,),
                    metrics=METRICS,
                    limit=limit,
                    device="cpu",
                    workers=1,
                    store=store,
                )
            )
            started = time.process_time()
            evaluation.run(prepared)
            spent.append(time.process_time() - started)
    return (spent[1] - spent[0]) / images


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8, help="timed in each cell; two are too few")
    parser.add_argument("--attacks", default="none,random,ifgsm-choi")
    given = parser.parse_args()
    attacks = given.attacks.split(",")
    passes = count_passes(attacks)
    (bicubic,) = resolve(["bicubic"])
    rest = seconds_per_image(bicubic, "none", given.images)
    networks = {name: network(name) for name in SHAPES}
    macs = {name: cost(ref.load())["macs_per_lr_pixel"] for name, ref in networks.items()}
    fitted = seconds_per_image(networks[FITTED], "none", given.images)
    rate = macs[FITTED] * PIXELS / (fitted - rest)
    # How much of bicubic's time is metrics does not show at one size: all of it counts as such.
    machine = Machine("this", rate, metrics=rest / (16 * PIXELS), rest=0)
    print(
        f"rate {rate / 1e9:.1f} GMAC/s, metrics and rest {1000 * rest:.0f} ms an image of 64 x 64 LR pixels\n"
    )
    print("| network | attack | MAC per LR pixel | predicted, s | measured, s | predicted / measured |")
    print("|---|---|---:|---:|---:|---:|")
    for name, ref in networks.items():
        for attack in attacks:
            counted = passes[attack]
            if (name, attack) == (FITTED, "none") or counted.gradients * macs[name] > LONGEST:
                continue
            # The objective of ifgsm-choi is a squared error, which has no network.
            predicted = network_seconds(counted, macs[name], PIXELS, machine, objective=0)
            predicted += other_seconds(PIXELS, machine, counted.measured)
            measured = seconds_per_image(ref, attack, given.images)
            print(
                f"| {name} | {attack} | {macs[name]:,.0f} | {predicted:.3f} | {measured:.3f} "
                f"| {predicted / measured:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
