"""The cost model: passes against a closed form, arithmetic against counted operations, sums by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import inside, record
from hypothesis import given
from hypothesis import strategies as st

from srbench.run import cost_model as scaling
from srbench.run.cost_model import Machine, Passes, Workload, device_seconds, network_seconds, stored_bytes
from srbench.store.lines import to_line

MACHINE = Machine("round numbers", rate=1e9, metrics=1e-7, rest=0.01)
WORK = Workload(
    2, 3, 5, {"none": Passes(1, 0), "pgd": Passes(3, 10, 2)}, macs=1e4, pixels=1000, objective=500
)


def test_a_benchmark_is_the_sum_of_its_images() -> None:
    clean = 1e4 * 1000 / 1e9
    attacked = (23 * 1e4 * 1000 + 20 * 16 * 500 * 1000) / 1e9
    assert network_seconds(WORK.attacks["none"], 1e4, 1000, MACHINE, 500) == pytest.approx(clean)
    assert network_seconds(WORK.attacks["pgd"], 1e4, 1000, MACHINE, 500) == pytest.approx(attacked)
    # Metrics and the rest take longer than the clean pass, and less than the attack.
    assert device_seconds(WORK, MACHINE) == pytest.approx(30 * (max(clean, 0.0016 + 0.01) + attacked))
    assert WORK.records == 60
    assert stored_bytes(WORK) == 60 * scaling.RECORD_BYTES


@given(st.integers(1, 50), st.integers(1, 10**6), st.floats(1e3, 1e8))
def test_time_is_proportional(times: int, pixels: int, macs: float) -> None:
    work = replace(WORK, pixels=pixels, macs=macs)
    assert device_seconds(replace(work, models=2 * times), MACHINE) == pytest.approx(
        times * device_seconds(work, MACHINE)
    )
    fast = replace(MACHINE, rate=MACHINE.rate * times, metrics=0, rest=0)
    slow = replace(MACHINE, metrics=0, rest=0)
    assert device_seconds(work, slow) == pytest.approx(times * device_seconds(work, fast))


def test_passes_are_those_of_the_attacks() -> None:
    from srbench.attacks import preset

    passes = scaling.count_passes(["none", "jpeg:3", "random", "ifgsm-choi"])
    # Clean and attacked SR; under an attack that is no file yet, SR of the saved file too.
    assert passes["none"] == Passes(1, 0)
    assert passes["jpeg:3"] == Passes(2, 0)
    assert passes["random"] == Passes(3, 0, 2)
    assert passes["ifgsm-choi"] == Passes(3, dict(preset("ifgsm-choi").options)["steps"], 2)


def test_a_gradient_is_two_forward_passes() -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.Conv2d(8, 8, 3, padding=1))
    network.requires_grad_(False)
    counts = []
    for gradient in (False, True):
        image = torch.zeros(1, 8, 16, 16, requires_grad=gradient)
        counter = FlopCounterMode(display=False)
        with counter:
            made = network(image).sum()
            if gradient:
                made.backward()
        counts.append(counter.get_total_flops())
    assert counts[1] == 2 * counts[0]


def test_the_networks_are_counted() -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from srbench.support.torchvision import prepare_torchvision
    from srbench.zoo.cost import cost

    prepare_torchvision()
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
    from torchvision.models import vgg19

    with torch.device("meta"):
        full = RRDBNet(in_nc=3, out_nc=3, num_filters=64, num_blocks=23, scale=4)
        features, image = vgg19().features[:35], torch.empty(1, 3, 224, 224)
        counter = FlopCounterMode(display=False)
        with counter:
            features(image)
    assert cost(full)["macs_per_lr_pixel"] == scaling.RRDBNET_MACS
    assert counter.get_total_flops() / 2 / 224**2 == pytest.approx(scaling.VGG19_MACS, rel=1e-3)


def test_a_record_is_about_as_long_as_said() -> None:
    from srbench import evaluation as job

    wanted = job.EvaluationRequest(
        models=("bicubic",), datasets=("clean-mini",), attacks=("random",), metrics=("psnr", "ssim"), limit=1
    )
    (measured,) = job.run(job.prepare(wanted)).records
    assert 0.5 * scaling.RECORD_BYTES < len(to_line(measured)) < 1.5 * scaling.RECORD_BYTES
    assert len(to_line(record())) < len(to_line(measured))


@pytest.mark.slow
def test_the_page_shows_what_the_command_prints() -> None:
    printed = inside("maintain", "cost").stdout
    page = (Path(__file__).resolve().parents[1] / "docs/scaling.md").read_text()
    assert printed.strip() in page
