"""A model made by code is identified by that code too: a change of it is another model's records."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import inside, write_pairs
from torch import Tensor, nn

from srbench import zoo
from srbench.zoo.from_python import from_python
from srbench.zoo.source_code import module_sha256

NETWORK = """
from torch import nn
from my_parts import shift

class Net(nn.Module):
    def forward(self, lr):
        return shift(lr.repeat_interleave(4, -1).repeat_interleave(4, -2))

def make_model():
    return Net()
"""
PARTS = "import my_deeper\n\ndef shift(image):\n    return image + my_deeper.BY\n"


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    files = {"my_network": NETWORK, "my_parts": PARTS, "my_deeper": "BY = 0.0\n", "my_other": "X = 1\n"}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.mark.parametrize("changed", ["my_network", "my_parts", "my_deeper"])
def test_the_code_that_a_module_reaches_in_its_folder_counts(changed: str, code: Path) -> None:
    before = module_sha256("my_network")
    (code / "my_other.py").write_text("X = 2\n")
    assert module_sha256("my_network") == before, "what it does not import is no part of it"
    with (code / f"{changed}.py").open("a") as file:
        file.write("# changed\n")
    assert module_sha256("my_network") != before


def test_modules_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_package").mkdir()
    for name, text in (("__init__", ""), ("models", "from .parts import f\n"), ("parts", "f = 1\n")):
        (tmp_path / f"my_package/{name}.py").write_text(text)
    before = module_sha256("my_package.models")
    (tmp_path / "my_package/parts.py").write_text("f = 2\n")
    assert module_sha256("my_package.models") != before


def test_records_of_other_code_are_not_taken_for_this_ones(code: Path) -> None:
    lr, hr = write_pairs(code, 1, side=24)
    command = ["evaluate", "--models", "my_network:make_model", "--datasets", f"pairs:{lr}:{hr}"]
    command += ["--metrics", "psnr", "--store", str(code / "store"), "--json"]
    first = inside(*command)
    again = inside(*command)
    assert first.stdout == again.stdout, again.stderr
    assert "0 images measured, 1 already" in again.stderr
    (code / "my_deeper.py").write_text("BY = 0.25\n")
    changed = inside(*command)
    assert "1 images measured, 0 already" in changed.stderr
    assert changed.stdout != first.stdout


class Nearest(nn.Module):
    def forward(self, lr: Tensor) -> Tensor:
        return lr.repeat_interleave(4, -1).repeat_interleave(4, -2)


class Darker(nn.Module):
    def forward(self, lr: Tensor) -> Tensor:
        return 0.9 * lr.repeat_interleave(4, -1).repeat_interleave(4, -2)


def test_models_without_weights_are_told_apart() -> None:
    refs = [ref for ref, _ in from_python({"a": Nearest(), "b": Darker(), "c": Nearest()}).values()]
    assert refs[0].weights_sha256 != refs[1].weights_sha256
    assert refs[0].weights_sha256 == refs[2].weights_sha256
    assert zoo.resolve(["bicubic"])[0].weights_sha256 == "", "what comes with srbench has srbench's version"
