"""What a user says of a model behind it: it goes to the right one, is checked, and identifies records."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers import inside, write_pairs
from torch import Tensor, nn

from srbench import zoo
from srbench.errors import BadInput
from srbench.support import home
from srbench.support.torchvision import prepare_torchvision
from srbench.zoo import catalog
from srbench.zoo.from_python import from_python
from srbench.zoo.options import with_options

prepare_torchvision()
from spandrel.architectures.Compact import Compact  # noqa: E402

# Levels of 255 matter to it: it is no multiple of itself in another range.
CODE = """
import torch
from torch import nn

class Levels(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.9))

    def forward(self, lr):
        return nn.functional.interpolate((lr * self.gain - 100).abs() + 50, scale_factor=4)

class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Levels()

    def forward(self, lr):
        return self.inner(lr * 255) / 255

class Clamped(nn.Module):
    def forward(self, lr):
        return nn.functional.interpolate(lr.clamp(0, 1), scale_factor=4)
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "my_levels.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.setattr(catalog, "_registered", {})
    yield "my_levels"
    sys.modules.pop("my_levels", None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save(Compact(num_feat=8, num_conv=1, upscale=4).state_dict(), tmp_path / "net.pth")
    return tmp_path / "net.pth"


LR = torch.rand(1, 3, 7, 9, generator=torch.Generator().manual_seed(0))


def test_options_go_to_the_model_before_them() -> None:
    found = with_options(
        ["a=x.pth", "range=255", "title=A, B", "y.pth,range=255,domain=aim", "z:f", "bicubic"]
    )
    assert [spec for spec, _ in found] == ["a=x.pth", "y.pth", "z:f", "bicubic"]
    assert [said.value_range for _, said in found] == [255, 255, 1, 1]
    assert [said.title for _, said in found] == ["A, B", "", "", ""]
    assert [said.domain for _, said in found] == ["", "aim", "", ""]


def test_a_network_for_255_is_given_255(code: str) -> None:
    with pytest.raises(BadInput, match=r"looks like a range of \[0, 255\].*net\.pth,range=255"):
        zoo.resolve([f"{code}:Levels"])
    mine, twin = zoo.resolve([f"mine={code}:Levels", "range=255", f"{code}:Wrapped"])
    assert (mine.name, mine.card.value_range) == ("mine", 255)
    assert torch.equal(mine.load()(LR), twin.load()(LR))
    alone = zoo.resolve([f"{code}:Levels,range=255"])[0]
    assert torch.equal(alone.load()(LR), twin.load()(LR))


def test_a_range_that_is_not_the_networks(code: str) -> None:
    with pytest.raises(BadInput, match=r"with range=255, which looks like a range of \[0, 1\]: leave range="):
        zoo.resolve([f"{code}:Clamped,range=255"])


def test_a_checkpoint_with_options(file: Path) -> None:
    (plain,) = zoo.resolve([str(file)])
    (same,) = zoo.resolve([f"{file},range=1,scale=4,title=My net,domain=aim"])
    assert same.weights_sha256 == plain.weights_sha256 == home.sha256_file(file)
    assert (same.name, same.card.title, same.card.domain) == ("net", "My net", "aim")
    (levels,) = zoo.resolve([f"mine={file}", "range=255"])
    assert levels.weights_sha256 != plain.weights_sha256
    expected = plain.load().network(LR * 255) / 255
    assert torch.equal(levels.load()(LR), expected)


def test_two_ranges_in_one_command_are_two_models(file: Path) -> None:
    refs = zoo.resolve([str(file), f"{file},range=255", f"mine={file},range=255"])
    assert [ref.name for ref in refs] == [
        *(f"net@{ref.weights_sha256[:8]}" for ref in refs[:2]),
        "mine",
    ]
    assert refs[1].weights_sha256 == refs[2].weights_sha256 != refs[0].weights_sha256


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (["range=net.pth"], "range=net.pth: 'range' is an option of the model before it"),
        (["range=255", "net.pth"], "range=255: 'range' is an option of the model before it"),
        (["net.pth", "title=other.pth"], "'title' is an option .* cannot name a model: choose another name"),
        (["net.pth", "key=bicubic"], "'key' is an option .* cannot name a model"),
        (["net.pth", "domain=my_module:make"], "'domain' is an option .* cannot name a model"),
        (["net.pth,range=2"], "range=2: the values of a network go up to 1 or up to 255"),
        (["net.pth,range=[0,1]"], "range=.*go up to 1 or up to 255"),
        (["net.pth", "range=1", "range=255"], "range= is given twice"),
        (["net.pth", "scale=5"], "scale=5: srbench measures x2, x3, x4 and x8"),
        (["net.pth", "domain=rain"], "domain=rain: this is no training domain, choose one of none, clean"),
        (["net.pth", "title="], "title=: say what, or leave it out"),
        (["bicubic,range=255"], "bicubic,range=255: options are for files and code of your own"),
        (["mine=bicubic", "title=My own"], "options are for files and code of your own"),
        (["all,domain=aim"], "options are for files and code of your own"),
        (["esrgan*,domain=aim"], "options are for files and code of your own"),
        (["my_levels:Wrapped,key=net_g"], "key= chooses a network in a checkpoint file, this is code"),
    ],
)
def test_what_is_refused(specs: list[str], words: str, code: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        zoo.resolve(specs)
    assert "\n" not in str(caught.value)


def test_a_comma_of_a_path_is_no_option(file: Path) -> None:
    other = file.with_name("a,title=b.pth")
    other.write_bytes(file.read_bytes())
    assert zoo.resolve([str(other)])[0].name == "a,title=b"


def test_from_python(code: str, file: Path) -> None:
    refs = from_python({"mine": f"{file},range=255,title=Mine", "same": f"{code}:Levels,range=255"})
    assert [(name, ref.card.title) for name, (ref, _) in refs.items()] == [("mine", "Mine"), ("same", "same")]
    assert {ref.card.value_range for ref, _ in refs.values()} == {255}


def test_register_takes_a_range(code: str) -> None:
    class Doubled(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return nn.functional.interpolate(lr.clamp(max=128), scale_factor=4)

    zoo.register("levels", Doubled, value_range=255)
    zoo.register("plain", Doubled)
    levels, plain = zoo.resolve(["levels", "plain"])
    assert float(levels.load()(torch.ones(1, 3, 8, 8)).max()) == pytest.approx(128 / 255)
    assert levels.weights_sha256 != plain.weights_sha256
    with pytest.raises(BadInput, match="value_range is 1 or 255, not 2"):
        zoo.register("twice", Doubled, value_range=2)


def test_ranges_do_not_share_records_and_titles_do(file: Path, tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1)
    rest = ["--datasets", f"pairs:{lr}:{hr}", "--metrics", "psnr", "--store", str(tmp_path / "s"), "--json"]
    done = {
        spec: inside("evaluate", "--models", spec, *rest)
        for spec in (f"{file}", f"{file},range=255", f"{file},range=1,title=My\\, net")
    }
    measured = [run.stderr.splitlines()[-1].partition(" in ")[0] for run in done.values()]
    assert measured == [
        "1 images measured, 0 already",
        "1 images measured, 0 already",
        "0 images measured, 1 already",
    ]
    rows = [json.loads(run.stdout) for run in done.values()]
    assert rows[0] != rows[1]
    assert "My, net" in json.dumps(rows[2])
