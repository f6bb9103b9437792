"""Hostile weight files, through whole commands: one line each, nothing executed, memory and time bounded.

They are written by the tests (hostile_pickles.py, hostile_files.py) and given to commands in a process of its
own (hostile_run.py), whose address space and time are limited: those that are quickly refused to ``srbench
evaluate``, and, marked slow, to every other command that opens weights; those that take their time to two.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_files as files
import hostile_pickles as pickles
import pytest
import torch

from srbench.entries.build import make_entry, write_entry
from srbench.entries.read import read_entry
from srbench.entries.statement import Trial
from srbench.errors import BadInput
from srbench.support.toml import to_toml
from srbench.train import recipe as recipes
from srbench.zoo.checkpoint import read_state_dict

HERE = Path(__file__).parent
ENTRY = HERE.parent / "leaderboards" / "entries" / "bicubic.json"
MOST_SECONDS = 10.0  # of CPU
MOST_MEMORY = 512  # MB above what reading and running a good checkpoint takes, of each of the two processes
MOST_TO_BUILD = 1024 + MOST_MEMORY  # of a network, which the zoo's budget allows a file of any size
SLOW = (
    *("a key that takes for ever", "a set that takes for ever", "a message that takes for ever"),
    *("a million nested tuples", "millions of objects", "60,000 keys of one hash", "32 MiB of marks"),
    "padding before 3 million nested tuples",
)
"""These are read until their time is up, or their memory."""
LONG = ("evaluate", "--resume")
"""Files are read for networks and for trainings; whichever command asks, one process reads them so or so."""
COMMANDS: dict[str, Callable[[Path, str], list[str]]] = {
    "evaluate": lambda folder, file: [
        *("evaluate", "--datasets", "clean-mini", "--limit", "1", "--metrics", "psnr", "--models", file)
    ],
    "install": lambda folder, file: ["models", "install", "rsr", "--from", file],
    "submit": lambda folder, file: [
        *("submit", file, "--name", "x", "--limit", "1", "--attacks", "none", "--out", str(folder / "x.json"))
    ],
    "validate": lambda folder, file: [*("validate", small_entry(folder), "--rerun", "1", "--model", file)],
    "--init": lambda folder, file: [
        *("train", str(folder / "tiny.toml"), "--init", file, "--out", str(folder / "runs"))
    ],
    "--resume": lambda folder, file: ["train", "--resume", run_with(folder, file)],
}
TINY = {
    "name": "tiny",
    "generator": {"num_feat": 8, "num_block": 1},
    "data": {"patch": 32, "batch": 1},
    "losses": {"perceptual_net": "none"},
    "schedule": {"iterations": 1},
    "validation": {"every": 1, "images": 1},
}


def small_entry(folder: Path) -> str:
    """An entry of two images: each file is checked against it, and a whole one takes longer than the file."""
    file = folder / "entry.json"
    if not file.exists():
        entry, records, _ = read_entry(ENTRY)
        few = Trial(1, ("none",)).of(records)
        assert entry is not None and len(few) == 2
        write_entry(make_entry(entry.model, few, entry.command), file)
    return str(file)


def run_with(folder: Path, file: str) -> str:
    """A training whose only checkpoint is this file."""
    run = folder / "begun" / Path(file).name
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run / "recipe.toml").write_text((folder / "tiny.toml").read_text())
    (run / "checkpoints" / "00000001.pt").symlink_to(file)
    return str(run)


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


Outcome = dict[str, Any]


def tried(folder: Path, made: dict[str, Path], commands: list[str]) -> dict[str, dict[str, Outcome]]:
    """What commands said to every file, by command and name; the peaks of memory under "memory"."""
    good = folder / "good.pth"
    files.save_network(files.good(), good)
    (folder / "tiny.toml").write_text(to_toml(recipes.parse(TINY).model_dump(mode="json")))
    rows = [COMMANDS["evaluate"](folder, str(good))]
    rows += [COMMANDS[command](folder, str(path)) for command in commands for path in made.values()]
    asked, out = folder / "asked.json", folder / "out.json"
    asked.write_text(json.dumps(rows))
    done = subprocess.run(
        [sys.executable, HERE / "hostile_run.py", out, asked],
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "SRBENCH_HOME": str(folder / "home"), "SRBENCH_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (folder / "mark").exists(), "a payload ran"
    found = json.loads(out.read_text())
    first, *rest = found["results"]
    assert first["code"] == 0, first
    outcomes: dict[str, dict[str, Outcome]] = {"memory": {k: found[k] for k in ("first", "peaks")}}
    for command in commands:
        outcomes[command] = {
            name: rest.pop(0) | {"name": name, "path": str(path)} for name, path in made.items()
        }
    return outcomes


def corpus(folder: Path, *, long: bool) -> dict[str, Path]:
    """Build the corpus; name to file, of those that take their time or of the others."""
    made = build(folder, folder / "mark")
    return {name: path for name, path in made.items() if name.startswith(SLOW) == long}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def quick(folder: Path) -> dict[str, dict[str, Outcome]]:
    return tried(folder, corpus(folder, long=False), ["evaluate"])


@pytest.fixture(scope="module")
def outcomes(quick: dict[str, dict[str, Outcome]]) -> dict[str, Outcome]:
    return quick["evaluate"]


def check(outcomes: dict[str, dict[str, Outcome]]) -> None:
    """Every file is refused in one line that names it, in bounded time, and nothing is executed."""
    for command, of_command in outcomes.items():
        if command == "memory":
            continue
        for one in of_command.values():
            if command == "validate" and one["name"] == "another scale, network":
                # A network like any other, of which the entry is not.
                assert one["code"] == 1 and "weights_sha256: empty in the entry" in one["out"], one
                continue
            assert one["code"] == 2, (command, one)
            assert one["err"].count("\n") == 1 and one["err"].startswith("srbench: "), (command, one)
            # A network of another scale is named as a model; a training says that no file of its can be read.
            named = one["path"] in one["err"] or Path(one["path"]).stem in one["err"]
            assert command == "--resume" or named, (command, one)
            assert len(one["err"]) < 600 and not one["out"] and not one["executed"], (command, one)
            assert one["seconds"] < MOST_SECONDS, (command, one)
    first, peaks = outcomes["memory"]["first"], outcomes["memory"]["peaks"]
    assert first["reader"] > 0
    assert peaks["reader"] - first["reader"] < MOST_MEMORY, (first, peaks)
    assert peaks["srbench"] - first["srbench"] < MOST_TO_BUILD, (first, peaks)


def test_what_is_quickly_refused(quick: dict[str, dict[str, Outcome]]) -> None:
    """By Python's audit events nothing is executed; that no payload left its mark is asserted too."""
    assert len(quick["evaluate"]) > 250
    check(quick)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "long"),
    [
        *(
            pytest.param(command, False, marks=pytest.mark.thorough)
            for command in sorted(COMMANDS.keys() - {*LONG})
        ),
        ("--resume", False),
        ("evaluate", True),
        pytest.param("--resume", True, marks=pytest.mark.thorough),
    ],
)
def test_every_command_refuses_every_file(command: str, long: bool, tmp_path: Path) -> None:
    outcomes = tried(tmp_path, corpus(tmp_path, long=long), [command])
    assert len(outcomes[command]) > (10 if long else 250)
    check(outcomes)
    found, memory = outcomes[command].values(), outcomes["memory"]
    above = {who: memory["peaks"][who] - memory["first"][who] for who in ("srbench", "reader")}
    print(
        f"{command}: {len(found)} tried, {sum(one['code'] != 0 for one in found)} refused, peak memory "
        f"{above['srbench']:.0f} and {above['reader']:.0f} MB above a good file's, longest "
        f"{max(one['seconds'] for one in found):.1f} s of CPU"
    )


def test_what_wants_to_run_code_is_told_so(outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    told = [name for name, one in outcomes.items() if " run code" in one["err"]]
    for kind in pickles.payloads(tmp_path / "mark"):
        # torch takes tar for nothing it knows, and protocol 0 begins as no pickle of torch's does.
        for layout in pickles.LAYOUTS.keys() - {"tar", "raw0"}:
            assert [name for name in told if name.startswith(f"{kind}, {layout}, ")], (kind, layout)
    for kind in ("NEWOBJ", "STACK_GLOBAL", "payload before a truncation"):
        assert f"{kind}, zip" in told and f"{kind}, legacy" in told


def test_safetensors_are_refused_for_their_header(outcomes: dict[str, Outcome]) -> None:
    """Not for what comes after it: the one tensor of these files would be refused too."""
    others = ("duplicate keys", "no tensors", "a shape of a thousand")
    for name in files.BAD_HEADERS.keys() - others:
        assert "is damaged or no checkpoint" in outcomes[f"{name}, header"]["err"], name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bytearray, zip", "made to use up memory"),
        ("padding before a bomb, legacy", "made to use up memory"),
        ("stride 0, zip", "claim 4,398,046,511,104 bytes"),
        ("one storage for 2,000 tensors, archive", "claim "),
        ("header of 20 MB, whole, header", "its header claims 20,000,"),
        ("many disks, archive", "is damaged"),
        ("zip64, archive", "made to use up memory"),
        ("something before, archive", "is damaged"),
        ("duplicate keys, header", "two tensors of one name (a)"),
        ("no tensors, header", "holds no network weights"),
        ("a file that cannot be read, .pth", "cannot be read"),
        ("a link to itself, .pth", "no such file"),
        ("NaN, network", "not finite (body.0.weight)"),
        ("whole numbers, network", "body.0.weight holds int32"),
        ("complex, network", "no plain real array (strided, complex64, cpu)"),
        ("sparse, network", "no plain real array (sparse_coo, float32, cpu)"),
        ("quantised, network", "no plain real array (strided, qint8, cpu)"),
        ("a tensor of a class of its own, network", "would run code (hostile_files._OwnTensor)"),
        ("block 100,000, network", "counts further than any network"),
        ("200,000 features, network", "many times the memory"),
        ("another scale, network", "is an x2 model"),
    ],
)
def test_the_line_says_what_is_wrong(name: str, words: str, outcomes: dict[str, Outcome]) -> None:
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
    """Why another process reads them (:mod:`srbench.zoo.unpack`): 100 MB for half a kilobyte."""
    path = tmp_path / "net.pth"
    pickles.archive(path, pickles.state(b"cbuiltins\nbytearray\n" + pickles.number(100 << 20) + b"\x85R"))
    assert path.stat().st_size < 1000
    assert len(torch.load(path, weights_only=True)["conv.weight"]) == 100 << 20
    pickles.archive(path, pickles.state(b"cbuiltins\nbytearray\n" + pickles.number(400 << 20) + b"\x85R"))
    with pytest.raises(BadInput, match="made to use up memory"):
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
