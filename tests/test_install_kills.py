"""SIGKILL at random points of an install, several times over, then the same command once more in peace.

Each process is forked from one that has imported everything, so that it dies installing and not importing.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import random
import time
import zipfile
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from helpers import write_pairs
from misbehaving import Bad, misbehaving
from test_zoo_weights import small_network

from srbench import datasets, zoo
from srbench.datasets import manifests
from srbench.zoo import catalog
from srbench.zoo.schema import Card

KILLS = 2
"""How often one install is killed before it is left in peace."""
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["srbench.datasets.downloads", "srbench.zoo.published", "torch", "pooch", "requests"]
)


def install_set_here(home: str, sets: str) -> None:
    """What a killed process runs: `srbench datasets install toy`."""
    from srbench.datasets.downloads import install_set

    os.environ |= {"SRBENCH_HOME": home, "SRBENCH_OFFLINE": "0", "NO_PROXY": "*"}
    manifests._SETS = Path(sets)
    install_set("toy", say=lambda line: None, progress=False)


def install_model_here(home: str, url: str, sha256: str | None, parameters: int) -> None:
    """What a killed process runs: `srbench models install toy`."""
    os.environ |= {"SRBENCH_HOME": home, "SRBENCH_OFFLINE": "0", "NO_PROXY": "*"}
    publish_model(url, sha256, parameters)
    torch.set_num_threads(1)
    zoo.download("toy", say=lambda line: None, progress=False)


def publish_model(url: str, sha256: str | None, parameters: int) -> None:
    card = Card.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "domain": "clean",
            "architecture": {"family": "Compact", "parameters": parameters},
            "licence": "MIT",
            "citation": "nobody",
            "redistributable": True,
            "sources": [{"url": url, "filename": "toy.pth", "sha256": sha256}],
        }
    )
    known = catalog.shipped() | {"toy": card}
    catalog.shipped = lambda: known  # type: ignore[assignment]


@pytest.fixture
def bad(tmp_path: Path) -> Iterator[Bad]:
    lr, hr = write_pairs(tmp_path / "published", 12)
    with misbehaving() as server:
        server.pause = 0.001
        for name, folder in (("input.zip", lr), ("HR.zip", hr)):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as opened:
                for file in sorted(folder.iterdir()):
                    opened.write(file, f"{folder.name}/{file.name}")
            server.files[name] = buffer.getvalue()
        torch.save({"params": small_network().state_dict()}, tmp_path / "toy.pth")
        server.files["toy.pth"] = (tmp_path / "toy.pth").read_bytes()
        yield server


def start(target: Callable[..., None], *arguments: object) -> BaseProcess:
    process = FORKS.Process(target=target, args=arguments)
    process.start()
    return process


def kill_somewhere(process: BaseProcess, bad: Bad, total: int, rng: random.Random) -> bool:
    """Kill after a random number of bytes, or soon after the last; whether there was something to kill."""
    until = bad.sent + rng.randrange(int(1.4 * total))
    deadline = time.monotonic() + 5
    while process.is_alive() and bad.sent < until and time.monotonic() < deadline:
        time.sleep(0.0005)
        if bad.sent >= total:  # all has come: die while it is checked, unpacked, registered
            time.sleep(rng.uniform(0, 0.15))
            break
    alive = process.is_alive()
    process.kill()
    process.join(20)
    return alive


def in_peace(target: Callable[..., None], *arguments: object) -> None:
    process = start(target, *arguments)
    process.join(60)
    assert process.exitcode == 0


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.suffix != ".lock")


def toy_set(bad: Bad, folder: Path, *, sha256: bool) -> Path:
    text = 'name="toy"\ntitle="t"\ndomain="ntire"\nkind="paired"\nhow="h"\nlicence="l"\ncitation="c"\n'
    for name, role in (("input.zip", "lr"), ("HR.zip", "hr")):
        text += f'[[sources]]\nurl="{bad.url}/slow/{name}"\nfilename="{name}"\nrole="{role}"\n'
        if sha256:
            text += f'sha256="{hashlib.sha256(bad.files[name]).hexdigest()}"\n'
    folder.mkdir()
    (folder / "toy.toml").write_text(text)
    return folder


def kill_a_set(bad: Bad, tmp_path: Path, home: Path, seed: int) -> int:
    """One trial; how many processes were killed."""
    rng = random.Random(seed)
    sets = toy_set(bad, tmp_path / "sets", sha256=bool(seed % 2))
    total = sum(len(bad.files[name]) for name in ("input.zip", "HR.zip"))
    killed = 0
    for _ in range(KILLS):
        killed += kill_somewhere(start(install_set_here, str(home), str(sets)), bad, total, rng)
        for name in ("input", "HR"):  # a folder that is there is whole
            if (home / "files" / name).exists():
                assert len(files(home / "files" / name)) == 13
    in_peace(install_set_here, str(home), str(sets))
    return killed


@pytest.mark.parametrize("seed", range(4))
def test_a_set_survives(
    bad: Bad, tmp_path: Path, private_home: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kill_a_set(bad, tmp_path, private_home, seed) >= 1
    monkeypatch.setattr(manifests, "_SETS", tmp_path / "sets")
    manifests._read.cache_clear()
    state = datasets.verify("toy")
    own = datasets.resolve([f"pairs:{tmp_path / 'published/lr'}:{tmp_path / 'published/hr'}"])[0][0]
    assert state.available and state.content_hash == own.content_hash
    expected = [
        f"{role}/{file.name}" for role in ("hr", "lr") for file in (tmp_path / "published" / role).iterdir()
    ]
    images = [name for name in files(private_home / "files") if name.endswith(".png")]
    assert sorted(name.partition("/")[2] for name in images) == sorted(expected)
    assert len(files(private_home / "files")) == len(images) + 2  # each archive's own note
    assert len(files(private_home / "first-use")) == (0 if seed % 2 else 2)


@pytest.mark.parametrize("seed", range(2))
def test_a_model_survives(bad: Bad, private_home: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bad.files["toy.pth"]
    sha256 = hashlib.sha256(content).hexdigest() if seed % 2 else None
    arguments = (
        str(private_home),
        f"{bad.url}/slow/toy.pth",
        sha256,
        sum(p.numel() for p in small_network().parameters()),
    )
    rng = random.Random(seed)
    killed = 0
    for _ in range(KILLS):
        bad.sent = 0
        killed += kill_somewhere(start(install_model_here, *arguments), bad, len(content), rng)
    in_peace(install_model_here, *arguments)
    assert killed >= 1
    monkeypatch.setattr(catalog, "shipped", catalog.shipped)
    publish_model(*arguments[1:])
    assert zoo.status("toy").sha256 == hashlib.sha256(content).hexdigest()
    zoo.resolve(["toy"])[0].load()
    folders = {name.partition("/")[0] for name in files(private_home)}
    assert (
        folders <= {"weights", "first-use", "unpacked"} and len(files(private_home / "weights/models")) == 2
    )


@pytest.mark.parametrize("processes", [2, 4])
def test_several_at_once_fetch_once(
    bad: Bad, tmp_path: Path, private_home: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = toy_set(bad, tmp_path / "sets", sha256=False)
    running = [start(install_set_here, str(private_home), str(sets)) for _ in range(processes)]
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * processes
    assert sorted(name for _, name, _ in bad.asked) == ["HR.zip", "input.zip"]
    monkeypatch.setattr(manifests, "_SETS", sets)
    manifests._read.cache_clear()
    assert datasets.verify("toy").images == 12


def test_one_is_killed_and_the_other_takes_over(bad: Bad, tmp_path: Path, private_home: Path) -> None:
    sets = toy_set(bad, tmp_path / "sets", sha256=False)
    first = start(install_set_here, str(private_home), str(sets))
    while first.is_alive() and not bad.sent:
        time.sleep(0.001)
    second = start(install_set_here, str(private_home), str(sets))
    time.sleep(0.02)
    first.kill()
    first.join(20)
    second.join(60)
    assert second.exitcode == 0
    assert len(files(private_home / "files")) == 26
