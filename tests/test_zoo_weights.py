"""Finding and installing weights."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from srbench import zoo
from srbench.errors import BadInput, RunFailed
from srbench.support import home
from srbench.zoo import catalog, weights
from srbench.zoo.installed import Installed, installed_path
from srbench.zoo.schema import Card

GENERAL = "RealESRGAN_General_x4_v3_from_ncnn.pth"
SHA256 = "9eee18521051f0c18b2763a9641c36377b0032ea127661f231eb9017a2354874"


def small_network(seed: int = 0) -> nn.Module:
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(seed)
    network: nn.Module = Compact(num_feat=8, num_conv=2, upscale=4)
    return network


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weight file of a small network, and a card 'toy' for it that publishes no sha256."""
    file = tmp_path / "published" / "toy.pth"
    file.parent.mkdir()
    network = small_network()
    torch.save({"params": network.state_dict()}, file)
    publish(monkeypatch, parameters=sum(p.numel() for p in network.parameters()))
    return file


def publish(monkeypatch: pytest.MonkeyPatch, parameters: int, **source: Any) -> None:
    card = Card.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "domain": "clean",
            "architecture": {"family": "Compact", "parameters": parameters},
            "licence": "MIT",
            "citation": "nobody",
            "redistributable": True,
            "sources": [{"url": "https://example.org/toy.pth", "filename": "toy.pth", **source}],
        }
    )
    cards = catalog.shipped() | {"toy": card}
    monkeypatch.setattr(catalog, "shipped", lambda: cards)


def search(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setenv("SRBENCH_WEIGHTS", os.pathsep.join(map(str, folders)))
    home.forget_weight_files()


def leftovers(private_home: Path) -> list[str]:
    """Every file in the home, but for locks and what was recorded on first use."""
    # What a checkpoint was unpacked to is kept by its sha256, whatever becomes of the installation.
    kept = private_home / "unpacked"
    files = (
        p
        for p in private_home.rglob("*")
        if p.is_file() and p.suffix != ".lock" and not p.is_relative_to(kept)
    )
    return sorted(p.name for p in files if p.parent.name != "first-use")


@pytest.mark.parametrize("name", [n for n in zoo.names() if zoo.card(n).sources])
def test_on_a_fresh_machine_every_model_says_how_to_install_it(name: str) -> None:
    state = zoo.status(name)
    assert (state.installed, state.path, state.sha256) == (False, None, None)
    sources = zoo.card(name).sources
    if any(source.downloads for source in sources):
        command = f"srbench models install {name}"
        assert state.how.startswith(f"{command}  # downloads http")
        assert f"or give the file with --from {sources[0].by_hand}" in state.how
    else:
        command = f"srbench models install {name} --from {sources[0].filename}"
        assert state.how.startswith(f"{command}  # download http")
    assert "\n" not in state.how
    assert (zoo.card(name), state) in zoo.missing()
    with pytest.raises(BadInput, match=f"{name} is not installed: {command}  # "):
        zoo.resolve([name])


def test_bicubic_needs_nothing() -> None:
    state = zoo.status("bicubic")
    assert state.installed and state.how == "" and state.path is None
    assert "bicubic" not in [card.name for card, _ in zoo.missing()]


def test_real_weights_are_found_by_sha256_under_any_name(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = tmp_path / "deep" / "er" / "whatever.PT"
    renamed.parent.mkdir(parents=True)
    shutil.copy(shared / "assets/models" / GENERAL, renamed)
    search(monkeypatch, tmp_path)
    state = zoo.status("realesrgan-general")
    assert (state.installed, state.path, state.sha256, state.verified) == (True, renamed, SHA256, True)
    assert not zoo.status("realesrgan-general-wdn").installed


def test_both_real_esrgan_models_are_found_in_the_assets(shared_weights: Path) -> None:
    home.forget_weight_files()
    refs = zoo.resolve(["all"])
    published = {r.name: r for r in refs if not r.card.packaged}
    assert list(published) == ["bicubic", "realesrgan-general", "realesrgan-general-wdn"]
    assert published["realesrgan-general"].weights_sha256 == SHA256


def test_only_files_of_the_right_size_are_hashed(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (shared / "assets/models" / GENERAL).stat().st_size
    for name, content in {"a.pth": b"x" * size, "b.pth": b"x" * (size - 1), "c.txt": b"x" * size}.items():
        (tmp_path / name).write_bytes(content)
    search(monkeypatch, tmp_path)
    hashed: list[str] = []
    monkeypatch.setattr(weights, "sha256_file", lambda p: hashed.append(p.name) or home.sha256_file(p))
    assert not zoo.status("realesrgan-general").installed
    assert set(hashed) == {"a.pth"}


def test_a_dangling_link_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "RSR.pth").symlink_to(tmp_path / "gone.pth")
    search(monkeypatch, tmp_path)
    assert not zoo.status("rsr").installed


def test_the_right_name_with_the_wrong_content_is_ignored_and_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / zoo.card("esrgan").sources[0].filename
    file.write_bytes(b"not it")
    search(monkeypatch, tmp_path)
    state = zoo.status("esrgan")
    assert not state.installed
    digest = hashlib.sha256(b"not it").hexdigest()
    assert f"{file} was ignored: its sha256 is {digest[:16]}…, not ff704c30…" in state.how


def test_a_published_prefix_is_enough_with_the_published_name(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = home.sha256_file(toy)
    publish(monkeypatch, 1, sha256=digest[:8])
    search(monkeypatch, toy.parent)
    assert zoo.status("toy") == weights.Status(True, toy, digest, verified=True)
    toy.rename(toy.with_name("renamed.pth"))
    home.forget_weight_files()
    assert not zoo.status("toy").installed


def test_without_a_published_sha256_the_name_counts_and_the_network_is_checked(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(monkeypatch, toy.parent)
    state = zoo.status("toy")
    assert state.installed and not state.verified
    assert zoo.resolve(["toy"])[0].weights_sha256 == home.sha256_file(toy)
    publish(monkeypatch, parameters=16_697_987)
    with pytest.raises(BadInput, match=r"is not toy: it is a Compact of .* toy has 16,697,987"):
        zoo.resolve(["toy"])


def test_install_a_real_model(shared: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = shared / "assets/models" / GENERAL
    search(monkeypatch, source.parent)
    before = zoo.resolve(["realesrgan-general"])[0]
    monkeypatch.delenv("SRBENCH_WEIGHTS")
    state = zoo.install("realesrgan-general", source)
    assert state.installed and state.verified and state.how == ""
    assert state.path == private_home / "weights/models/realesrgan-general.safetensors"
    assert leftovers(private_home) == ["realesrgan-general.json", "realesrgan-general.safetensors"]
    record = Installed.model_validate_json(state.path.with_suffix(".json").read_text())
    assert record.source_filename == GENERAL and record.source_sha256 == SHA256 and record.verified
    assert record.bytes == source.stat().st_size
    assert record.file_sha256 == hashlib.sha256(state.path.read_bytes()).hexdigest()
    assert record.time.tzinfo is not None
    # The identity of the model is that of the published file, converted or not.
    after = zoo.resolve(["realesrgan-general"])[0]
    assert after == before and hash(after) == hash(before)
    lr = torch.rand(1, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    assert torch.equal(after.load()(lr), before.load()(lr))


def test_install_refuses_another_file_and_keeps_what_was_there(
    shared: Path, private_home: Path, tmp_path: Path
) -> None:
    wrong = shared / "assets/models/RealESRGAN_General_WDN_x4_v3_from_ncnn.pth"
    with pytest.raises(BadInput, match=r"is not realesrgan-general: its sha256 is dc2fc37f.*--models"):
        zoo.install("realesrgan-general", wrong)
    assert leftovers(private_home) == []
    zoo.install("realesrgan-general", shared / "assets/models" / GENERAL)
    cut = tmp_path / GENERAL
    cut.write_bytes((shared / "assets/models" / GENERAL).read_bytes()[:100_000])
    with pytest.raises(BadInput, match="is not realesrgan-general"):
        zoo.install("realesrgan-general", cut)
    zoo.resolve(["realesrgan-general"])[0].load()


def test_install_without_a_published_sha256_is_marked_unverified(toy: Path, private_home: Path) -> None:
    state = zoo.install("toy", toy.rename(toy.with_name("any name.pth")))
    assert state.installed and not state.verified
    assert zoo.resolve(["toy"])[0].load().weights_sha256 == state.sha256


@pytest.mark.parametrize("content", [b"", b"<html>", None], ids=["empty", "html", "another network"])
def test_a_bad_file_installs_nothing(content: bytes | None, toy: Path, private_home: Path) -> None:
    if content is None:
        torch.save(nn.Conv2d(3, 3, 3).state_dict(), toy)
    else:
        toy.write_bytes(content)
    with pytest.raises(BadInput, match=r"toy\.pth"):
        zoo.install("toy", toy)
    assert leftovers(private_home) == []
    assert not zoo.status("toy").installed


def test_install_says_what_cannot_be_installed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="bicubic needs no weights"):
        zoo.install("bicubic", tmp_path / "x.pth")
    with pytest.raises(BadInput, match="unknown model 'nope'"):
        zoo.install("nope", tmp_path / "x.pth")
    with pytest.raises(BadInput, match=r"x\.pth: no such file"):
        zoo.install("rsr", tmp_path / "x.pth")


def test_a_home_that_cannot_be_written(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SRBENCH_HOME", str(tmp_path / "file"))
    with pytest.raises(RunFailed, match=r"weights/models cannot be written \(Not a directory\)"):
        zoo.install("toy", toy)


@pytest.mark.parametrize("stage", ["weights", "record"])
def test_a_full_disk_leaves_the_earlier_install(
    stage: str, toy: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = zoo.install("toy", toy)
    [known] = (private_home / "first-use").glob("*.json")
    known.unlink()
    torch.save({"params": small_network(seed=1).state_dict()}, toy)

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if stage == "weights":
        monkeypatch.setattr("safetensors.torch.save_file", full)
    else:
        monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunFailed, match="No space left on device"):
        zoo.install("toy", toy)
    monkeypatch.undo()
    monkeypatch.setenv("SRBENCH_HOME", str(private_home))
    publish(monkeypatch, parameters=sum(p.numel() for p in small_network().parameters()))
    assert leftovers(private_home) == ["toy.json", "toy.safetensors"]
    assert zoo.status("toy") == first
    zoo.resolve(["toy"])[0].load()


def test_an_installed_file_that_changed_is_not_run(toy: Path) -> None:
    zoo.install("toy", toy)
    ref = zoo.resolve(["toy"])[0] if zoo.status("toy").installed else None
    assert ref is not None
    data = bytearray(installed_path("toy").read_bytes())
    data[-1] ^= 1
    installed_path("toy").write_bytes(data)
    with pytest.raises(BadInput, match=r"toy\.safetensors was changed since it was installed: run"):
        ref.load()


@pytest.mark.parametrize("damage", ["no weights", "no record", "broken record"])
def test_half_an_install_is_none(damage: str, toy: Path) -> None:
    zoo.install("toy", toy)
    path = installed_path("toy")
    if damage == "no weights":
        path.unlink()
    elif damage == "no record":
        path.with_suffix(".json").unlink()
    else:
        path.with_suffix(".json").write_text("{")
    home.forget_weight_files()
    assert not zoo.status("toy").installed


def test_found_weights_that_change_during_a_run(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search(monkeypatch, toy.parent)
    ref = zoo.resolve(["toy"])[0]
    torch.save(small_network(seed=1).state_dict(), toy)
    with pytest.raises(BadInput, match="was changed or removed since the run began"):
        ref.load()
    toy.unlink()
    with pytest.raises(BadInput, match="was changed or removed since the run began"):
        ref.load()
