"""What networks return, in which dtype, as TorchScript: one rule for those from files and those from code."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.zoo.from_python import from_python
from srbench.zoo.model import SRModel
from srbench.zoo.model_ref import ModelRef
from srbench.zoo.own_dtype import OwnDtype
from srbench.zoo.schema import user_card

LR = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))


class Up(nn.Module):
    """One convolution; what it returns is made of its image and LR."""

    def __init__(self, returned: Callable[[Tensor, Tensor], Any] = lambda image, lr: image) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.body = nn.Conv2d(3, 48, 3, padding=1)
        self.returned = returned

    def forward(self, lr: Tensor) -> Any:
        return self.returned(F.pixel_shuffle(self.body(lr), 4), lr)


class Plain(nn.Module):
    """The same without a choice, which TorchScript can read."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Up().body

    def forward(self, lr: Tensor) -> Tensor:
        return F.pixel_shuffle(self.body(lr), 4)


def ref_of(network: nn.Module | Callable[[], nn.Module]) -> ModelRef:
    return from_python({"net": network})["net"][0]


def of_a_file(network: nn.Module) -> SRModel:
    """The network as those are wrapped that come from a file."""
    return SRModel(copy.deepcopy(network), name="net", card=user_card("net", {}), weights_sha256="")


BESIDE: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "alone": lambda image, lr: image,
    "tuple": lambda image, lr: (image, torch.zeros(1, 33)),
    "second in a list": lambda image, lr: [lr, image],
    "dict": lambda image, lr: {"features": [lr], "sr": image},
}
NO_IMAGE: dict[str, tuple[Callable[[Tensor, Tensor], Any], str]] = {
    "two images": (
        lambda image, lr: (image, image),
        "a tuple of 2 images of .*: let it return the",
    ),
    "no image": (
        lambda image, lr: [lr],
        r"a list of \(1, 3, 8, 8\), expected one tensor of \(",
    ),
    "none": (lambda image, lr: None, "into NoneType, expected a tensor"),
    "a dict of text": (lambda image, lr: {"a": "b"}, "a dict of str, expected one tensor"),
    "an empty tuple": (lambda image, lr: (), "a tuple of nothing, expected one tensor"),
}


@pytest.mark.parametrize("how", BESIDE)
def test_what_stands_beside_the_image_is_left_out(how: str) -> None:
    network = Up(BESIDE[how])
    expected = Up()(LR)
    assert torch.equal(ref_of(network).load()(LR), expected)
    assert torch.equal(of_a_file(network)(LR), expected)


@pytest.mark.parametrize("how", NO_IMAGE)
def test_what_holds_no_one_image_is_refused(how: str) -> None:
    returned, words = NO_IMAGE[how]
    with pytest.raises(BadInput, match=words) as caught:
        ref_of(Up(returned))
    with pytest.raises(RuntimeError) as of_file:
        of_a_file(Up(returned))(LR[..., :8, :7].expand(1, 3, 8, 7))
    assert str(of_file.value).partition(" into ")[2].split(" of ")[0] in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64], ids=str)
def test_a_network_runs_in_its_own_dtype(dtype: torch.dtype) -> None:
    network = Up().to(dtype)
    model = ref_of(network).load()
    assert {p.dtype for p in model.parameters()} == {dtype}
    sr = model(LR)
    assert sr.dtype == torch.float32
    assert torch.equal(sr, network(LR.to(dtype)).float())
    assert ref_of(network).weights_sha256 != ref_of(Up()).weights_sha256
    lr = LR.clone().requires_grad_()
    model(lr).sum().backward()
    assert lr.grad is not None and lr.grad.dtype == torch.float32 and bool(lr.grad.any())
    half = ref_of(network).load(precision="bf16")
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


def script(how: str, network: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; such networks are still about
        if how == "traced":
            return torch.jit.trace(network.eval(), torch.rand(1, 3, 8, 8))
        scripted = torch.jit.script(network.eval())
        return torch.jit.freeze(scripted) if how == "frozen" else scripted


@pytest.mark.parametrize("how", ["traced", "scripted", "frozen"])
def test_torchscript_from_a_factory(how: str) -> None:
    network = Plain()
    ref = ref_of(lambda: script(how, network))
    assert torch.allclose(ref.load()(LR), network(LR), atol=1e-6)
    assert torch.allclose(ref.load().channels_last()(LR), network(LR), atol=1e-6)
    assert ref.load(precision="bf16")(LR).shape == (1, 3, 36, 28)
    assert ref_of(lambda: script(how, network)).weights_sha256 == ref.weights_sha256
    lr = LR.clone().requires_grad_()
    ref.load()(lr).sum().backward()
    assert lr.grad is not None and bool(lr.grad.any())


@pytest.mark.parametrize("how", ["scripted", "frozen"])
def test_torchscript_is_identified_by_weights_and_code(how: str) -> None:
    class Darker(Plain):
        def forward(self, lr: Tensor) -> Tensor:
            return F.pixel_shuffle(self.body(lr), 4) * 0.9

    other = Plain()
    with torch.no_grad():
        other.body.bias.add_(0.1)
    found = {ref_of(script(how, network)).weights_sha256 for network in (Plain(), Darker(), other)}
    assert len(found) == 3


def test_own_dtype_leaves_alone_what_has_one() -> None:
    with OwnDtype(torch.bfloat16):
        made = torch.zeros(2), torch.linspace(0, 1, 3), torch.tensor([1.0]), torch.full((2,), 0.5)
        kept = torch.zeros(2, dtype=torch.float32), torch.arange(3), torch.ones(2) > 0, LR.float()
        of_tensor = torch.as_tensor(LR), torch.zeros_like(LR)
    assert {tensor.dtype for tensor in made} == {torch.bfloat16}
    assert [tensor.dtype for tensor in kept] == [torch.float32, torch.int64, torch.bool, torch.float32]
    assert {tensor.dtype for tensor in of_tensor} == {torch.float32}
    assert torch.zeros(1).dtype == torch.float32
