"""`srbench models install` from a local server: a small network whose card is on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from helpers import inside
from misbehaving import Bad, misbehaving
from safetensors.torch import load, load_file
from test_zoo_weights import small_network
from typer.testing import CliRunner

from srbench import zoo
from srbench.cli import app
from srbench.errors import BadInput, Unavailable
from srbench.install import hosts, http
from srbench.support import home
from srbench.zoo import catalog
from srbench.zoo.schema import Card

Publish = Callable[..., None]


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bad]:
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 0.5)
    monkeypatch.setattr(http, "PAUSE_S", 0.0)
    hosts.reachable.cache_clear()
    torch.save({"params": small_network().state_dict()}, tmp_path / "toy.pth")
    torch.save({"params": small_network(seed=1).state_dict()}, tmp_path / "other.pth")
    with misbehaving() as server:
        server.files["toy.pth"] = (tmp_path / "toy.pth").read_bytes()
        yield server


@pytest.fixture
def publish(bad: Bad, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Cards "toy-one" and "toy-two" whose weights are on the server, served in a mode."""

    def write(mode: str = "good", two: str = "toy.pth", **source: object) -> None:
        cards = {
            name: Card.model_validate(
                {
                    "name": name,
                    "title": "Toy",
                    "domain": "clean",
                    "architecture": {
                        "family": "Compact",
                        "parameters": sum(p.numel() for p in small_network().parameters()),
                    },
                    "licence": "its licence",
                    "citation": "nobody",
                    "redistributable": False,
                    "sources": [{"url": f"{bad.url}/{mode}/{file}", "filename": file, **source}],
                }
            )
            for name, file in (("toy-one", "toy.pth"), ("toy-two", two))
        }
        known = catalog.shipped() | cards
        monkeypatch.setattr(catalog, "shipped", lambda: known)

    return write


def get(name: str = "toy-one") -> zoo.Status:
    return zoo.download(name, say=lambda line: None, progress=False)


def test_downloaded_weights_are_those_of_the_file(
    bad: Bad, publish: Publish, private_home: Path, tmp_path: Path
) -> None:
    sha256 = hashlib.sha256(bad.files["toy.pth"]).hexdigest()
    publish(sha256=sha256[:8])
    said: list[str] = []
    state = zoo.download("toy-one", say=said.append, progress=False)
    assert state.installed and state.verified and state.sha256 == sha256
    assert said == [
        "toy-one: licence of the weights: its licence (do not pass them on)",
        f"toy-one: from {bad.url}/good/toy.pth",
    ]
    lr = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    expected = small_network()(lr)
    assert torch.allclose(zoo.resolve(["toy-one"])[0].load()(lr), expected, atol=1e-6)
    assert not [p for p in (private_home / "downloads").iterdir() if p.suffix != ".lock"]
    said.clear()
    assert zoo.download("toy-one", say=said.append, progress=False) == state
    assert said == ["toy-one is installed already"] and len(bad.asked) == 1


def test_an_installed_file_that_changed_is_fetched_again(bad: Bad, publish: Publish) -> None:
    publish()
    path = get().path
    assert path is not None
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert get().path == path and len(bad.asked) == 2
    # The order of a safetensors header is free; the tensors are what they were.
    before, after = load(whole), load_file(path)
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    zoo.resolve(["toy-one"])[0].load()


def test_first_use_is_recorded_and_a_change_refused(
    bad: Bad, publish: Publish, private_home: Path, tmp_path: Path
) -> None:
    publish()
    state = get()
    assert state.installed and not state.verified
    [record] = (private_home / "first-use").glob("*.json")
    assert json.loads(record.read_text())["sha256"] == state.sha256
    bad.files["toy.pth"] = (tmp_path / "other.pth").read_bytes()
    # The second card names the same file at the same place: its first use was the first card's.
    with pytest.raises(BadInput, match="when it was first used on"):
        get("toy-two")
    with pytest.raises(BadInput, match="when it was first used on"):
        zoo.install("toy-one", tmp_path / "other.pth")
    assert zoo.status("toy-one") == state
    record.unlink()
    assert get("toy-two").sha256 != state.sha256


@pytest.mark.parametrize("content", [b"not a network", b"", None], ids=["text", "empty", "half"])
def test_what_is_no_network_is_neither_installed_nor_recorded(
    bad: Bad, publish: Publish, private_home: Path, content: bytes | None
) -> None:
    good = bad.files["toy.pth"]
    bad.files["toy.pth"] = content if content is not None else good[: len(good) // 2]
    publish()
    with pytest.raises((BadInput, Unavailable)) as error:
        get()
    assert "\n" not in str(error.value) and "toy.pth" in str(error.value)
    assert not zoo.status("toy-one").installed and not (private_home / "first-use").exists()
    bad.files["toy.pth"] = good
    assert get().installed


@pytest.mark.parametrize("mode", ["404", "page", "disguised", "wrong", "silent", "cut"])
def test_a_server_that_fails_says_how_else(bad: Bad, publish: Publish, mode: str) -> None:
    publish(mode, sha256=hashlib.sha256(bad.files["toy.pth"]).hexdigest())
    with pytest.raises(Unavailable) as error:
        get()
    line = str(error.value)
    assert line.startswith("toy-one could not be fetched: ") and "\n" not in line
    assert "or give the file with `srbench models install toy-one --from toy.pth`" in line
    assert not zoo.status("toy-one").installed
    publish(sha256=hashlib.sha256(bad.files["toy.pth"]).hexdigest())
    assert get().installed


def test_only_a_person_can_fetch_it(private_home: Path) -> None:
    with pytest.raises(BadInput) as error:
        zoo.download("rsr", say=lambda line: None)
    assert "licence: none stated" in str(error.value)
    assert "get RSR.pth from https://drive.google.com/drive/folders/" in str(error.value)
    assert "`srbench models install rsr --from RSR.pth`" in str(error.value)
    with pytest.raises(BadInput, match="needs no weights"):
        zoo.download("bicubic", say=lambda line: None)
    assert not list(private_home.iterdir())


def test_families() -> None:
    domains = [f"impressionism-{domain}" for domain in ("ntire", "aim", "dped")]
    assert zoo.family("impressionism") == [*domains, "impressionism-df2k-jpeg"]
    assert zoo.family("esrgan-fs") == ["esrgan-fs-ntire", "esrgan-fs-aim", "esrgan-fs-dped"]
    assert zoo.family("esrgan") == ["esrgan"]
    with pytest.raises(BadInput, match="did you mean impressionism"):
        zoo.family("impresionism-ntire")


def test_the_command_installs_a_family(bad: Bad, publish: Publish, tmp_path: Path) -> None:
    bad.files["other.pth"] = (tmp_path / "other.pth").read_bytes()
    publish(two="other.pth")
    done = CliRunner().invoke(app, ["models", "install", "toy"])
    assert done.exit_code == 0, done.output
    for name in ("toy-one", "toy-two"):
        assert f"{name}: licence of the weights: its licence (do not pass them on)" in done.output
        assert f"{name} is installed: " in done.output
        assert zoo.status(name).installed
    assert "as its authors publish none; a later change is refused" in done.output
    done = CliRunner().invoke(app, ["models", "install", "toy", "--from", str(tmp_path / "toy.pth")])
    assert isinstance(done.exception, BadInput) and "toy is 2 models (toy-one, toy-two)" in str(
        done.exception
    )


def test_offline_is_one_line_and_asks_nobody(tmp_path: Path) -> None:
    for name in ("esrgan", "impressionism", "esrgan-fs"):
        done = inside("models", "install", name)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        [line] = [line for line in done.stderr.splitlines() if line.startswith("srbench: ")]
        assert "SRBENCH_OFFLINE=1 forbids fetching it" in line and "--from " in line


def test_weights_found_elsewhere_are_not_fetched(
    bad: Bad, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(tmp_path))
    home.forget_weight_files()
    assert get().path == tmp_path / "toy.pth" and bad.asked == []
