"""Settings and images that no attack takes, a line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from attacked_nets import Net, images
from torch import nn

import srbench
from srbench.attacks import (
    APGD,
    Ensemble,
    RandomNoise,
    StructuredPGD,
    preset,
)
from srbench.errors import BadInput


@pytest.mark.parametrize("changes", [{"steps": 3.0}, {"restarts": 2.0}, {"samples": 1.0}])
def test_whole_numbers_of_any_type_are_whole_numbers(changes: dict[str, float]) -> None:
    whole = {key: int(value) for key, value in changes.items()}
    assert preset("rsr").with_(**changes).hash == preset("rsr").with_(**whole).hash
    lr, hr = images()
    kept = {"preset": "rsr", "objective": "l1"}
    ours, theirs = (srbench.attack(Net().eval(), lr, hr, **kept, **each) for each in (changes, whole))  # type: ignore[arg-type]
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 2.5}, "steps is 2.5: it has to be a whole number"),
        ({"steps": "3"}, "steps is '3': it has to be a whole number"),
        ({"steps": float("nan")}, "steps is nan"),
        ({"steps": True}, "steps is True"),
        ({"steps": 0}, "steps is 0: it has to be 1 or more"),
        ({"restarts": 1.5}, "restarts is 1.5"),
        ({"samples": None}, "samples is None"),
        ({"alpha": 2}, "alpha is 2: it has to be above 0 and at most 1: write 2 levels of 255 as 2/255"),
        ({"alpha": 0}, "alpha is 0: it has to be above 0"),
        ({"alpha": "1/255"}, "alpha is '1/255'"),
        ({"structure": "fine"}, "structure is 'fine': it has to be a number"),
        ({"structure": [2]}, r"structure is \[2\]"),
        ({"momentum": None}, "momentum is None"),
        ({"eps": "14"}, "eps is '14'"),
        ({"eps": True}, "eps is True"),
        ({"rounded": "no"}, "rounded is 'no': it has to be True or False"),
        ({"straight_through": 1}, "straight_through is 1"),
        ({"objective": 3}, "objective is 3"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"preset": "apgd"}, "unknown attack 'apgd'"),
        ({"preset": ""}, "'' names no attack"),
        ({"preset": None}, "None names no attack"),
        ({"preset": "ifgsm-choi", "start": "bogus"}, "start is 'bogus': choose auto, zero or random"),
        ({"preset": "ifgsm-choi", "start": None}, "start is None"),
        ({"preset": "square", "queries": 2.5}, "queries is 2.5"),
        ({"preset": "square", "share": "all"}, "share is 'all'"),
        ({"preset": "square", "share": 0}, "share is 0"),
        ({"ids": "0801"}, "image ids are '0801': they have to be a list"),
    ],
)
def test_settings_of_another_kind_are_refused_in_a_line(changes: dict[str, Any], said: str) -> None:
    lr, hr = images()
    with pytest.raises(BadInput, match=said) as caught:
        srbench.attack(Net().eval(), lr, hr, **changes)
    assert "\n" not in str(caught.value)


def test_classes_refuse_them_too() -> None:
    noise = RandomNoise(Net())
    for make, said in (
        (lambda: APGD(Net(), steps=2.5), "steps is 2.5"),  # type: ignore[arg-type]
        (lambda: APGD(Net(), start="bogus"), "start is 'bogus'"),  # type: ignore[arg-type]
        (lambda: StructuredPGD(Net(), alpha=2), "alpha is 2"),
        (lambda: RandomNoise(Net(), eps="14"), "eps '14' is not a number"),
        (lambda: RandomNoise(Net(), rounded=1), "rounded is 1"),
        (lambda: Ensemble(noise.model, attacks=[noise], references=0.5), "references is 0.5"),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadInput, match=said):
            make()


@pytest.mark.parametrize("image", [[[0.5]], 0.5, None, torch.rand(1, 3, 8, 8).numpy()])
def test_what_is_no_tensor_is_refused_in_a_line(image: Any) -> None:
    lr, _ = images(1)
    with pytest.raises(BadInput, match=r"LR has to be a torch\.Tensor of shape \(N, 3, H, W\), not"):
        srbench.attack(Net().eval(), image)
    if image is not None:
        with pytest.raises(BadInput, match=r"HR has to be a torch\.Tensor"):
            StructuredPGD(Net().eval())(lr, image)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
@pytest.mark.parametrize(
    "wrap", [lambda net: net, lambda net: net.forward, lambda net: lambda lr: net(lr) + 0]
)
def test_other_float_types_are_converted(kind: torch.dtype, wrap: Callable[[nn.Module], Any]) -> None:
    lr, hr = images()
    net = Net().eval()
    made = srbench.attack(wrap(net), lr.to(kind), hr.to(kind), objective="l1")
    assert made.dtype == torch.float32
    assert torch.equal(made, srbench.attack(net, lr.to(kind).float(), hr.to(kind).float(), objective="l1"))
    double = Net().double().eval()
    assert srbench.attack(double, lr.double(), hr.double(), objective="l1").dtype == torch.float64
