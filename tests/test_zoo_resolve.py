"""From what a user writes to models: names, wildcards, files, Python factories, registration."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from srbench import zoo
from srbench.errors import BadInput
from srbench.support import home
from srbench.train import suite
from srbench.zoo import catalog
from srbench.zoo.factories import state_sha256
from srbench.zoo.from_python import from_python

# The models whose weights come with srbench.
PACKAGED = [name for name in zoo.names() if zoo.card(name).packaged]
FACTORIES = """
import numpy as np
import torch
from torch import nn

class Up(nn.Module):
    def __init__(self, scale=4, broken=None):
        super().__init__()
        self.body = nn.Conv2d(3, 3, 3, padding=1)
        self.scale, self.broken = scale, broken

    def forward(self, x):
        if self.broken == "small" and x.shape[-1] < 16:
            raise ValueError("needs 16 pixels")
        if self.broken == "raise":
            raise ValueError("kernel size can't be greater")
        if self.broken == "nan":
            return torch.full((1, 3, 4 * x.shape[2], 4 * x.shape[3]), float("nan"))
        if self.broken == "list":
            return [x]
        return nn.functional.interpolate(self.body(x), scale_factor=self.scale)

def good(): return Up()
def fivefold(): return Up(5)
def nan(): return Up(broken="nan")
def small(): return Up(broken="small")
def fails_to_run(): return Up(broken="raise")
def gives_a_list(): return Up(broken="list")
def fails(): raise RuntimeError("no such weights")
def wants_argument(x): return Up()
def not_a_module(): return "hello"
def restless():
    net = Up()
    net.body.bias.fill_(np.random.default_rng().random())
    return net
class Nested:
    make = Up
number = 3
net = Up()
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of factories in the current directory, and its name."""
    (tmp_path / "my_networks.py").write_text(FACTORIES)
    (tmp_path / "broken_module.py").write_text("import my_networks\n1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield "my_networks"
    sys.modules.pop("my_networks", None)
    sys.modules.pop("broken_module", None)


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_registered", {})


class Nearest(nn.Module):
    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(x * self.gain, scale_factor=4)


# names and files


def test_order_is_kept_and_duplicates_are_dropped(shared_weights: Path) -> None:
    home.forget_weight_files()
    file = str(shared_weights / "models/CRAFT_x4.pth")
    refs = zoo.resolve(["realesrgan-general-wdn", file, "bicubic", "realesrgan*", file, "all"])
    first = ["realesrgan-general-wdn", "CRAFT_x4", "bicubic", "realesrgan-general"]
    assert [r.name for r in refs] == [*first, *PACKAGED]


def test_all_on_a_fresh_machine_is_what_comes_with_srbench() -> None:
    assert [r.name for r in zoo.resolve(["all"])] == ["bicubic", *PACKAGED]
    suites = {training.model for training in suite.load("mini-zoo").trainings()}
    assert sorted(PACKAGED) == sorted(suites)
    assert zoo.resolve([]) == []


def test_wildcards() -> None:
    assert [r.name for r in zoo.resolve(["B?cub*"])] == ["bicubic"]
    with pytest.raises(
        BadInput, match=r"no model that matches 'esrgan-fs-\*d' is installed: srbench models install"
    ):
        zoo.resolve(["esrgan-fs-*d"])
    with pytest.raises(BadInput, match=r"unknown model 'zzz\*'"):
        zoo.resolve(["zzz*"])


def test_unknown_name() -> None:
    with pytest.raises(BadInput, match="unknown model 'bicubik': did you mean bicubic"):
        zoo.resolve(["bicubik"])


def test_a_file_that_is_no_checkpoint_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(BadInput, match=r"net\.onnx is no checkpoint by its name"):
        zoo.resolve([str(tmp_path / "net.onnx")])


def test_two_files_of_one_name(shared: Path, tmp_path: Path) -> None:
    models = shared / "assets/models"
    for folder, name in (
        ("a", "RealESRGAN_General_x4_v3_from_ncnn"),
        ("b", "realesr-animevideov3-x4_from_ncnn"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.pth").write_bytes((models / f"{name}.pth").read_bytes())
    files = [str(tmp_path / "a/net.pth"), str(tmp_path / "b/net.pth")]
    refs = zoo.resolve(files)
    assert [ref.name for ref in refs] == [f"net@{home.sha256_file(Path(file))[:8]}" for file in files]
    assert [ref.name for ref in zoo.resolve([*reversed(files), files[0]])] == [ref.name for ref in refs][::-1]
    assert f"{refs[1].name} is {files[1]}; NAME={files[1]}" in refs[1].note
    assert [ref.name for ref in zoo.resolve(files[:1])] == ["net"], "a file alone keeps its name"


def test_a_checkpoint_that_changes_during_a_run(shared: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.pth"
    file.write_bytes((shared / "assets/models/realesr-animevideov3-x4_from_ncnn.pth").read_bytes())
    ref = zoo.resolve([str(file)])[0]
    assert ref.weights_sha256 == home.sha256_file(file) == ref.load().weights_sha256
    file.write_bytes(b"")
    with pytest.raises(BadInput, match="was changed or removed since the run began"):
        ref.load()


def test_a_ref_can_be_sent_to_another_process(shared_weights: Path) -> None:
    home.forget_weight_files()
    for ref in zoo.resolve(["all"]):
        assert pickle.loads(pickle.dumps(ref)) == ref


# factories


def test_factory_in_the_current_directory(mine: str) -> None:
    ref = zoo.resolve([f"{mine}:good"])[0]
    assert ref.name == f"{mine}:good" and ref.card.domain == "unknown"
    model = ref.load()
    assert model(torch.rand(1, 3, 5, 7)).shape == (1, 3, 20, 28)
    assert ref.weights_sha256 == model.weights_sha256
    assert len(ref.weights_sha256) == 64


@pytest.mark.parametrize("what", ["Up", "Nested.make", "net", "small"])
def test_other_things_that_make_a_network(what: str, mine: str) -> None:
    zoo.resolve([f"{mine}:{what}"])[0].load()(torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no_such_module:f", "no_such_module cannot be imported .ModuleNotFoundError"),
        ("broken_module:f", "broken_module cannot be imported .ZeroDivisionError"),
        ("my_networks:nope", "my_networks has no 'nope'"),
        ("my_networks:", "has no ''"),
        (":good", "cannot be imported"),
        ("my_networks:number", "is int, not a function"),
        ("my_networks:not_a_module", "returned str, not an nn.Module"),
        ("my_networks:fails", "failed when called without arguments .RuntimeError: no such weights"),
        ("my_networks:wants_argument", "failed when called without arguments .TypeError"),
        (
            "my_networks:fivefold",
            r"turned an LR of \(1, 3, 8, 8\) into \(1, 3, 40, 40\), expected \(1, 3, 32, 32\)",
        ),
        ("my_networks:nan", "not finite"),
        ("my_networks:gives_a_list", r"into a list of \(1, 3, 8, 8\), expected one tensor"),
        ("my_networks:fails_to_run", "failed on a .* LR .ValueError: kernel size"),
    ],
)
def test_factories_that_cannot_be_used(spec: str, message: str, mine: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        zoo.resolve([spec])
    assert "\n" not in str(caught.value)


def test_resolving_and_loading_leave_the_user_s_random_numbers_alone(mine: str, shared: Path) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    checkpoint = str(shared / "assets/models/realesr-animevideov3-x4_from_ncnn.pth")
    for ref in zoo.resolve([f"{mine}:good", "bicubic", checkpoint]):
        ref.load()
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_are_the_same_each_time(mine: str) -> None:
    torch.manual_seed(1)
    first = zoo.resolve([f"{mine}:good"])[0]
    torch.manual_seed(2)
    assert zoo.resolve([f"{mine}:good"])[0] == first
    with pytest.raises(BadInput, match="gives other weights each time"):
        zoo.resolve([f"{mine}:restless"])[0].load()


def test_state_sha256_sees_keys_types_shapes_and_values() -> None:
    base = nn.Linear(2, 3)
    nn.init.zeros_(base.weight)
    nn.init.zeros_(base.bias)
    seen = {state_sha256(base)}
    assert state_sha256(nn.Sequential(base)[0]) in seen
    seen.add(state_sha256(nn.Sequential(base)))
    seen.add(state_sha256(nn.utils.skip_init(nn.Linear, 3, 2)))
    seen.add(state_sha256(base.double()))
    base.float()
    with torch.no_grad():
        base.bias[0] = 1
    seen.add(state_sha256(base))
    assert len(seen) == 5


# registration


def test_register() -> None:
    zoo.register("nearest", Nearest, domain="clean", title="Nearest", licence="MIT", citation="me")
    assert zoo.names()[-1] == "nearest"
    assert zoo.card("nearest").domain == "clean" and zoo.card("nearest").licence == "MIT"
    assert zoo.status("nearest").installed
    refs = zoo.resolve(["all"])
    assert [r.name for r in refs] == ["bicubic", *PACKAGED, "nearest"]
    lr = torch.rand(1, 3, 6, 5)
    assert torch.equal(refs[-1].load()(lr), nn.functional.interpolate(lr, scale_factor=4))
    zoo.register("nearest", lambda: Nearest(0.5))
    assert zoo.names().count("nearest") == 1
    assert torch.equal(zoo.resolve(["near*"])[0].load()(lr), refs[-1].load()(lr) * 0.5)


def test_a_registered_network_is_not_touched() -> None:
    own = Nearest()
    zoo.register("own", lambda: own)
    ref = zoo.resolve(["own"])[0]
    ref.load(precision="bf16")
    assert own.training and own.gain.requires_grad and own.gain.dtype == torch.float32
    with torch.no_grad():
        own.gain.fill_(2)
    with pytest.raises(BadInput, match="gives other weights each time"):
        ref.load()


@pytest.mark.parametrize("name", ["", "all", "a b", "a/b", "a:b", "a*", "-x", "a,b"])
def test_names_that_cannot_be_registered(name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a model"):
        zoo.register(name, Nearest)


def test_what_else_register_refuses() -> None:
    with pytest.raises(BadInput, match="'esrgan' is a model of the zoo already"):
        zoo.register("esrgan", Nearest)
    with pytest.raises(BadInput, match="'rainy' is not a training domain: choose one of none, clean"):
        zoo.register("mine", Nearest, domain="rainy")
    with pytest.raises(BadInput, match="is not callable"):
        zoo.register("mine", 3)  # type: ignore[arg-type]
    assert "mine" not in zoo.names()


def test_a_registered_factory_that_fails_says_so() -> None:
    zoo.register("flat", lambda: nn.Conv2d(3, 3, 1))
    with pytest.raises(BadInput, match=r"flat turned an LR of \(1, 3, 8, 8\) into \(1, 3, 8, 8\)"):
        zoo.resolve(["flat"])


def test_a_name_of_the_users_own(tmp_path: Path) -> None:
    from spandrel.architectures.Compact import Compact

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        torch.save(
            Compact(num_feat=8, num_conv=1, upscale=4).state_dict(), tmp_path / folder / "net_g_latest.pth"
        )
    one, two = (str(tmp_path / folder / "net_g_latest.pth") for folder in ("one", "two"))
    with pytest.raises(BadInput, match=r"two different models .* mine-2="):
        zoo.resolve([f"mine={one}", f"mine={two}"])
    refs = zoo.resolve([one, f"mine={two}"])
    assert [ref.name for ref in refs] == ["net_g_latest", "mine"]
    assert refs[1].load().name == refs[1].card.title == "mine"
    taken = zoo.resolve([one, f"net_g_latest={two}"])
    assert [ref.name for ref in taken] == [f"net_g_latest@{taken[0].weights_sha256[:8]}", "net_g_latest"]
    with pytest.raises(BadInput, match="bicubic is a model of the zoo"):
        zoo.resolve([f"bicubic={one}"])
    with pytest.raises(BadInput, match="models; name one"):
        zoo.resolve(["mine=esrgan-*mini"])


def test_a_file_called_like_a_model_of_the_zoo_is_no_second_one(tmp_path: Path) -> None:
    from spandrel.architectures.Compact import Compact

    file = tmp_path / "bicubic.pth"
    torch.save(Compact(num_feat=8, num_conv=1, upscale=4).state_dict(), file)
    name = f"bicubic@{home.sha256_file(file)[:8]}"
    (alone,) = zoo.resolve([str(file)])
    assert (alone.name, alone.card.title, alone.load().name) == (name, name, name)
    assert [ref.name for ref in zoo.resolve(["bicubic", str(file)])] == ["bicubic", name]
    assert list(from_python([str(file), "bicubic"])) == [name, "bicubic"]
    (mine,) = zoo.resolve([f"mine={file}"])
    assert (mine.name, mine.note) == ("mine", "")
