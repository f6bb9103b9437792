"""Hostile weight files, through the whole command: one line each, nothing executed, memory and time bounded.

They are written by the tests (hostile_pickles.py, hostile_files.py) and given to ``srbench evaluate`` in a
process of its own (hostile_run.py), whose address space and time are limited.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import hostile_files as files
import hostile_pickles as pickles
import pytest
import torch

from srbench.errors import BadInput
from srbench.zoo.checkpoint import read_state_dict

HERE = Path(__file__).parent
MOST_SECONDS = 5.0  # of one file on a busy machine; the bombs take minutes or for ever where they go off
MOST_MEMORY = (
    2500  # MB for all in one process, of which torch, spandrel and pandas are 500 and one build 1024
)


def build(folder: Path, mark: Path) -> dict[str, Path]:
    """Write the whole corpus; name to file."""
    made: dict[str, Path] = {}

    def path(name: str, suffix: str) -> Path:
        made[name] = folder / f"{len(made):03}{suffix}"
        return made[name]

    suffixes = (".pth", ".pt", ".ckpt")
    for number, (kind, payload) in enumerate(pickles.payloads(mark).items()):
        for step, (layout, write) in enumerate(pickles.LAYOUTS.items()):
            place = list(pickles.PLACES)[(number + step) % len(pickles.PLACES)]
            name = f"{kind}, {layout}, {place}"
            write(pickles.PLACES[place](payload), path(name, suffixes[(number + step // 3) % 3]))
    for name, content in pickles.opcodes(mark).items():
        pickles.archive(path(f"{name}, zip", ".pth"), content)
        path(f"{name}, legacy", ".pt").write_bytes(pickles.LEGACY_START + content + pickle.dumps(["0"], 2))
    for name, write_header in files.BAD_HEADERS.items():
        write_header(path(f"{name}, header", ".safetensors"))
    for name, write_archive in files.ARCHIVES.items():
        write_archive(path(f"{name}, archive", ".pth"))
    for name, form in files.FORMS.items():
        for suffix in (".pth", ".safetensors"):
            form(path(f"{name}, {suffix}", suffix))
    for name, values in files.networks().items():
        files.save_network(values, path(f"{name}, network", ".pth"))
    return made


Outcomes = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What the command said to every file; peak memory of all under "peak"."""
    folder = tmp_path_factory.mktemp("hostile")
    mark = folder / "mark"
    made = build(folder, mark)
    rest, values, out = folder / "rest.json", folder / "values.json", folder / "out.json"
    rest.write_text(json.dumps(["--datasets", "clean-mini", "--limit", "1", "--metrics", "psnr"]))
    values.write_text(json.dumps([str(path) for path in made.values()]))
    done = subprocess.run(
        [sys.executable, HERE / "hostile_run.py", out, "--models", rest, values],
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "SRBENCH_HOME": str(folder / "home"), "SRBENCH_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text())
    for (name, path), one in zip(made.items(), found["results"], strict=True):
        one |= {"name": name, "path": str(path)}
    assert not mark.exists(), "a payload ran"
    return {one["name"]: one for one in found["results"]} | {"peak": {"MB": found["peak"]}}


@pytest.fixture(scope="module")
def files_tried(outcomes: Outcomes) -> list[dict[str, Any]]:
    return [one for name, one in outcomes.items() if name != "peak"]


def test_every_file_is_refused_in_one_line_that_names_it(files_tried: list[dict[str, Any]]) -> None:
    assert len(files_tried) > 250
    for one in files_tried:
        assert one["code"] == 2, one
        assert one["err"].startswith(f"srbench: {one['path']}") and one["err"].count("\n") == 1, one
        assert len(one["err"]) < 500 and not one["out"], one


def test_nothing_is_executed(files_tried: list[dict[str, Any]]) -> None:
    """By Python's audit events; that no payload left its mark is asserted where the files are tried."""
    assert [one for one in files_tried if one["executed"]] == []


def test_time_and_memory_are_bounded(outcomes: Outcomes, files_tried: list[dict[str, Any]]) -> None:
    slowest = sorted(files_tried, key=lambda one: one["seconds"])
    assert slowest[-2]["seconds"] < MOST_SECONDS  # the first to be read pays for importing torch
    assert outcomes["peak"]["MB"] < MOST_MEMORY


def test_what_wants_to_run_code_is_told_so(outcomes: Outcomes, tmp_path: Path) -> None:
    told = [name for name, one in outcomes.items() if "would run code (" in one.get("err", "")]
    kinds = pickles.payloads(tmp_path / "mark")
    for kind in kinds:
        for layout in pickles.LAYOUTS:
            # torch takes tar for nothing it knows, and protocol 0 begins as no pickle of torch's does.
            found = [name for name in told if name.startswith(f"{kind}, {layout}, ")]
            assert found or layout == "tar", (kind, layout)
    for kind in (
        "INST",
        "STACK_GLOBAL",
        "NEWOBJ",
        "payload before a truncation",
        "bytearray",
        "tensor class",
    ):
        assert f"{kind}, zip" in told and f"{kind}, legacy" in told


def test_safetensors_are_refused_for_their_header(outcomes: Outcomes) -> None:
    """Not for what comes after it: the one tensor of these files would be refused too."""
    others = ("duplicate keys", "no tensors", "a shape of a thousand")
    for name in files.BAD_HEADERS.keys() - others:
        assert "is damaged or no checkpoint (" in outcomes[f"{name}, header"]["err"], name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a key that takes for ever to hash, zip", "made to use up memory"),
        ("a message that takes for ever to write, legacy", "made to use up memory"),
        ("stride 0, zip", "claim 4,398,046,511,104 bytes"),
        ("deflated, archive", "compressed archive"),
        ("claims 10 GB, archive", "its parts are larger than the file"),
        ("duplicate keys, header", "two tensors of one name (a)"),
        ("no tensors, header", "holds no network weights"),
        ("a file that cannot be read, .pth", "cannot be read"),
        ("a link to itself, .pth", "no such file"),
        ("NaN, network", "not finite (body.0.weight)"),
        ("whole numbers, network", "body.0.weight holds int32"),
        ("complex, network", "no plain real array (strided, complex64, cpu)"),
        ("sparse, network", "would run code (torch._utils._rebuild_sparse_tensor)"),
        ("block 100,000, network", "counts further than any network"),
        ("200,000 features, network", "many times the memory"),
        ("another scale, network", "is an x2 model"),
    ],
)
def test_the_line_says_what_is_wrong(name: str, words: str, outcomes: Outcomes) -> None:
    assert words in outcomes[name]["err"]


def test_the_payloads_are_armed(tmp_path: Path) -> None:
    """Each leaves its mark, or what its function returns says that it was called, when pickle loads it."""
    armed = 0
    for kind, payload in pickles.payloads(tmp_path / "mark").items():
        mark = tmp_path / "mark"
        with contextlib.suppress(Exception):
            done = pickle.loads(pickle.dumps(payload))
            if hasattr(done, "wait"):
                done.wait()
            if hasattr(done, "read"):
                done.close()
        assert mark.exists(), kind
        if mark.is_dir():
            mark.rmdir()
        else:
            mark.unlink()
        armed += 1
    assert armed == 19


def test_torch_alone_gives_a_small_file_any_memory_it_asks_for(tmp_path: Path) -> None:
    """Why :mod:`srbench.zoo.pickles` looks before torch loads: 100 MB for half a kilobyte."""
    path = tmp_path / "net.pth"
    pickles.archive(path, pickles.state(b"cbuiltins\nbytearray\n" + pickles.number(100 << 20) + b"\x85R"))
    assert path.stat().st_size < 1000
    assert len(torch.load(path, weights_only=True)["conv.weight"]) == 100 << 20
    with pytest.raises(BadInput, match=r"would run code \(builtins\.bytearray\)"):
        read_state_dict(path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_training_with_all_that_torch_puts_into_one_is_read(zipped: bool, tmp_path: Path) -> None:
    """No false alarm: optimizer, scheduler (a Counter), tied weights, bytes, dtypes, parameters."""
    network = torch.nn.Sequential(*(torch.nn.Conv2d(3, 3, 3) for _ in range(40)))
    network[1].weight = network[0].weight
    optimizer = torch.optim.Adam(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    content = {
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4]).state_dict(),
        "extra": [b"\x00\xff", {1, 2}, complex(1, 2), torch.Size((2,)), torch.float8_e4m3fn, None, 1 << 70],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        7: torch.zeros(1),
    }
    torch.save(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
    found = read_state_dict(tmp_path / "a.ckpt")
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())
