"""Predict how long an evaluation takes and how much it stores, from what networks and attacks compute.

    seconds of an image = ((F + 2 G) M p + 2 G 16 O p) / rate + 16 p metrics + rest

F forward passes and G forward passes with a gradient to the input (each the arithmetic of two), counted by
running the attack; M multiply-accumulate operations (MAC) of the network for an LR pixel; p LR pixels; O MAC
of the attack's objective for an HR pixel, of which an LR pixel has 16. Rate, metrics and rest belong to a
machine. ``benchmarks/scaling.py`` measures them and compares the formula with runs, and
``srbench maintain cost`` prints what a large benchmark would take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srbench.attacks.passes import AttackPasses

RECORD_BYTES = 2_000
"""A stored record has so many bytes: 1.2 kB for the clean input, 1.9 under ``rsr``, 3.0 under ``strong``."""
VGG19_MACS = 389_000
"""VGG19 to conv5_4, the paper's objective, takes so many MAC for an HR pixel."""


@dataclass(frozen=True)
class Passes(AttackPasses):
    """Counts what one image costs under an attack, everything an evaluation does with it among it.

    Attributes:
        forwards: the attack's forward passes without a gradient, and those whose SR is measured or compared.
        gradients: the attack's forward passes with a gradient to the input.
        measured: SR images that metrics are computed of: under an attack that makes no 8-bit image, that of
            the saved file too.
    """

    measured: int = 1


@dataclass(frozen=True)
class Machine:
    """Says what a device and the cores that feed it do.

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
    """Describes a benchmark.

    Attributes:
        models, datasets, images: how many; images of each data set.
        attacks: what an image costs under each.
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
        """Return how many records there will be."""
        return self.models * self.datasets * self.images * len(self.attacks)


def network_seconds(
    passes: Passes, macs: float, pixels: int, machine: Machine, objective: float = VGG19_MACS
) -> float:
    """Return the seconds in the network, and in the attack's objective, for one image."""
    network = (passes.forwards + 2 * passes.gradients) * macs
    return pixels * (network + 2 * passes.gradients * 16 * objective) / machine.rate


def other_seconds(pixels: int, machine: Machine, measured: int) -> float:
    """Return the seconds in metrics, of so many SR images, and everything else for one image."""
    return measured * 16 * pixels * machine.metrics + machine.rest


def device_seconds(work: Workload, machine: Machine) -> float:
    """Return the seconds one device is busy: the network, or metrics where these take longer beside it."""
    images = work.models * work.datasets * work.images
    total = 0.0
    for passes in work.attacks.values():
        network = network_seconds(passes, work.macs, work.pixels, machine, work.objective)
        other = other_seconds(work.pixels, machine, passes.measured)
        total += images * max(network, other / machine.at_once)
    return total


def stored_bytes(work: Workload) -> int:
    """Return the bytes of all records."""
    return work.records * RECORD_BYTES


def count_passes(attacks: Sequence[str]) -> dict[str, Passes]:
    """Measure one small image under each attack, and count.

    Raises:
        BadInput: an unknown attack.
    """
    import tempfile

    import torch
    from torch import nn

    from srbench import datasets, protocols
    from srbench.attacks import resolve
    from srbench.run.options import RunOptions
    from srbench.run.plan import make_plan
    from srbench.run.prepared import prepare_run
    from srbench.zoo.catalog import own_card
    from srbench.zoo.refs import from_factory

    counts = [0, 0]
    sets, _ = datasets.resolve(["clean-mini"])
    size = sets[0].lr_size(sets[0].ids[0])

    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Conv2d(3, 3, 1, bias=False)
            with torch.no_grad():
                self.mix.weight.copy_(torch.eye(3)[:, :, None, None])

        def forward(self, lr: torch.Tensor) -> torch.Tensor:
            # What looks at a model before it is measured takes smaller images, or none at all.
            if lr.device.type != "meta" and lr.shape[-2:] == size:
                counts[lr.requires_grad] += len(lr)
            return nn.functional.interpolate(self.mix(lr), scale_factor=4, mode="bicubic")

    network = Counter()
    ref = from_factory("counter", "counter", own_card("counter"), lambda: network)
    protocol = protocols.protocol("rsr")
    passes = {}
    for attack in attacks:
        plan = make_plan([ref], sets, resolve([attack]), protocol, limit=1)
        with tempfile.TemporaryDirectory(prefix="srbench-") as store:
            prepared = prepare_run(plan, protocol, RunOptions(device="cpu", store=store), metrics=["psnr"])
            counts[:] = 0, 0
            prepared.run()
            (record,) = prepared.records()
        passes[attack] = Passes(counts[0], counts[1], 2 if record.saved else 1)
    return passes


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
"""RRDBNet 64/23 x4 takes so many MAC for an LR pixel, as :func:`srbench.zoo.cost.cost` counts them."""
GPU = Machine("A100-class GPU with 8 cores (assumed)", rate=20e12, metrics=1.0e-6, rest=0.05, at_once=8)
"""This assumes a quarter of the 78 TMAC/s that an A100 names for TF32, and metrics on the cores beside it."""


def table(work: Workload, machine: Machine, counts: Sequence[int]) -> str:
    """Return Markdown: the attacks, and the days on so many devices."""
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
