"""How long an evaluation takes and how much it stores, from what networks and attacks compute.

    seconds of an image = ((F + 2 G) M p + 2 G 16 O p) / rate + 16 p metrics + rest

F forward passes and G forward passes with a gradient to the input (each the arithmetic of two), counted by
running the attack; M multiply-accumulate operations (MAC) of the network for an LR pixel; p LR pixels; O MAC
of the attack's objective for an HR pixel, of which an LR pixel has 16. Rate, metrics and rest belong to a
machine. ``benchmarks/scaling.py`` measures them and compares the formula with runs, and
``python -m srbench.run.cost_model`` prints what a large benchmark would take.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RECORD_BYTES = 2_000
"""Of a stored record: 1.2 kB for the clean input, 1.9 under ``rsr``, 3.0 under ``strong``."""
VGG19_MACS = 389_000
"""Per HR pixel: VGG19 to conv5_4, the paper's objective."""


@dataclass(frozen=True)
class Passes:
    """What one image costs under an attack, everything an evaluation does with it among it.

    Attributes:
        forwards: forward passes without a gradient.
        gradients: forward passes with a gradient to the input.
        measured: SR images that metrics are computed of: under an attack that makes no 8-bit image, that of
            the saved file too.
    """

    forwards: int
    gradients: int
    measured: int = 1


@dataclass(frozen=True)
class Machine:
    """What a device and the cores that feed it do.

    Attributes:
        rate: MAC a second in networks.
        metrics: seconds of an HR pixel in metrics, for one image after the other.
        rest: seconds of an image for everything else.
        at_once: images whose metrics and rest run side by side while the network runs.
    """

    name: str
    rate: float
    metrics: float
    rest: float
    at_once: int = 1


@dataclass(frozen=True)
class Workload:
    """A benchmark.

    Attributes:
        macs: of the network, for an LR pixel.
        pixels: of an LR image.
        objective: MAC of the attacks' objective for an HR pixel.
    """

    models: int
    datasets: int
    images: int
    attacks: Mapping[str, Passes]
    macs: float
    pixels: int
    objective: float = VGG19_MACS

    @property
    def records(self) -> int:
        """How many there will be."""
        return self.models * self.datasets * self.images * len(self.attacks)


def network_seconds(
    passes: Passes, macs: float, pixels: int, machine: Machine, objective: float = VGG19_MACS
) -> float:
    """Seconds in the network, and in the attack's objective, for one image."""
    network = (passes.forwards + 2 * passes.gradients) * macs
    return pixels * (network + 2 * passes.gradients * 16 * objective) / machine.rate


def other_seconds(pixels: int, machine: Machine, measured: int) -> float:
    """Seconds in metrics, of so many SR images, and everything else for one image."""
    return measured * 16 * pixels * machine.metrics + machine.rest


def device_seconds(work: Workload, machine: Machine) -> float:
    """Seconds that one device is busy: the network, or metrics where these take longer beside it."""
    images = work.models * work.datasets * work.images
    total = 0.0
    for passes in work.attacks.values():
        network = network_seconds(passes, work.macs, work.pixels, machine, work.objective)
        other = other_seconds(work.pixels, machine, passes.measured)
        total += images * max(network, other / machine.at_once)
    return total


def stored_bytes(work: Workload) -> int:
    """Bytes of all records."""
    return work.records * RECORD_BYTES


def count_passes(attacks: Sequence[str]) -> dict[str, Passes]:
    """Run each attack in an evaluation of one small image, and count.

    Raises:
        BadInput: an unknown attack.
    """
    import tempfile

    import torch
    from torch import nn

    from srbench import evaluation
    from srbench.zoo.catalog import own_card
    from srbench.zoo.refs import from_factory

    counted = [0, 0]

    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Conv2d(3, 3, 1, bias=False)
            with torch.no_grad():
                self.mix.weight.copy_(torch.eye(3)[:, :, None, None])

        def forward(self, lr: torch.Tensor) -> torch.Tensor:
            if lr.device.type != "meta":
                counted[lr.requires_grad] += len(lr)
            return nn.functional.interpolate(self.mix(lr), scale_factor=4, mode="bicubic")

    network = Counter()
    ref = from_factory("counter", "counter", own_card("counter"), lambda: network)
    found = {}
    for attack in attacks:
        with tempfile.TemporaryDirectory(prefix="srbench-") as store:
            request = evaluation.Request(
                models=(ref,),
                datasets=("clean-mini",),
                attacks=(attack,),
                metrics=("psnr",),
                limit=1,
                device="cpu",
                store=store,
            )
            prepared = evaluation.prepare(request)
            counted[:] = 0, 0
            (record,) = evaluation.run(prepared).records
        found[attack] = Passes(counted[0], counted[1], 2 if record.saved else 1)
    return found


ATTACKS = (
    "none",
    "random",
    "rsr",
    "rsr@8",
    "rsr-paper",
    "ifgsm-choi",
    "strong",
    "gaussian-noise:3",
    "jpeg:3",
    "defocus-blur:3",
)
RRDBNET_MACS = 17_926_848
"""RRDBNet 64/23 x4, as :func:`srbench.zoo.cost.cost` counts it."""
GPU = Machine("A100-class GPU with 8 cores (assumed)", rate=20e12, metrics=1.0e-6, rest=0.05, at_once=8)
"""A quarter of the 78 TMAC/s that an A100 names for TF32, metrics on the cores beside it: not measured."""


def table(work: Workload, machine: Machine, counts: Sequence[int]) -> str:
    """Markdown: the attacks, and the days on so many devices."""
    head = "| attack | forwards | with gradient | network, s | metrics and rest, s |"
    lines = [head, "|---|---:|---:|---:|---:|"]
    for name, passes in work.attacks.items():
        seconds = network_seconds(passes, work.macs, work.pixels, machine, work.objective)
        other = other_seconds(work.pixels, machine, passes.measured) / machine.at_once
        lines.append(f"| {name} | {passes.forwards} | {passes.gradients} | {seconds:.2f} | {other:.2f} |")
    seconds = device_seconds(work, machine)
    lines += ["", "| devices | days |", "|---:|---:|"]
    lines += [f"| {count} | {seconds / count / 86400:,.1f} |" for count in counts]
    return "\n".join([*lines, "", f"{work.records:,} records, {stored_bytes(work) / 1e9:,.0f} GB."])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what a benchmark would take."""
    parser = argparse.ArgumentParser(
        prog="python -m srbench.run.cost_model", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--datasets", type=int, default=50)
    parser.add_argument("--images", type=int, default=100, help="images of a data set")
    parser.add_argument("--attacks", default=",".join(ATTACKS))
    parser.add_argument("--macs", type=float, default=RRDBNET_MACS, help="MAC of the network per LR pixel")
    parser.add_argument("--pixels", type=int, default=510 * 339, help="LR pixels of an image")
    parser.add_argument("--rate", type=float, default=GPU.rate, help="MAC a second of a device")
    parser.add_argument("--devices", default="1,8,512")
    given = parser.parse_args(arguments)
    attacks = count_passes(given.attacks.split(","))
    work = Workload(given.models, given.datasets, given.images, attacks, given.macs, given.pixels)
    machine = Machine(GPU.name, given.rate, GPU.metrics, GPU.rest, GPU.at_once)
    print(table(work, machine, [int(count) for count in given.devices.split(",")]))


if __name__ == "__main__":
    main()
