"""The process that reads checkpoints: what it may do, what is kept of it, and that it is never missed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import hostile_pickles as pickles
import pytest
import torch

from srbench import zoo
from srbench.errors import BadInput, RunFailed
from srbench.support.home import home
from srbench.train.state import Checkpoints
from srbench.zoo import contained, unpack
from srbench.zoo.checkpoint import read_state_dict

PROGRAM = Path(unpack.__file__)


def saved(path: Path, value: float = 0.0) -> Path:
    torch.save({"state_dict": {"conv.weight": torch.full((2, 3), value)}, "epoch": 3}, path)
    return path


def never(*arguments: Any) -> NoReturn:
    raise AssertionError(f"asked with {arguments}")


def test_a_file_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.pth")
    first = contained.unpacked(path)
    (kept,) = (home() / "unpacked").iterdir()
    monkeypatch.setattr(contained._process, "ask", never)
    again = contained.unpacked(path.rename(tmp_path / "b.pth"))
    assert first["epoch"] == again["epoch"] == 3
    assert torch.equal(again["state_dict"]["conv.weight"], torch.zeros(2, 3))
    with pytest.raises(AssertionError, match="asked with"):
        contained.unpacked(saved(tmp_path / "c.pth", 1.0))
    assert list((home() / "unpacked").iterdir()) == [kept]


def test_what_nobody_asked_for_in_a_month_is_removed(tmp_path: Path) -> None:
    contained.unpacked(saved(tmp_path / "a.pth"))
    contained.unpacked(saved(tmp_path / "b.pth", 1.0))
    old, new = (home() / "unpacked").iterdir()
    os.utime(old, (time.time() - 31 * 86_400,) * 2)
    contained.unpacked(saved(tmp_path / "c.pth", 2.0))
    assert not old.exists() and new.exists()


def test_a_damaged_copy_is_made_anew(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth")
    contained.unpacked(path)
    (kept,) = (home() / "unpacked").iterdir()
    kept.write_bytes(kept.read_bytes()[:-4])
    with pytest.raises(BadInput, match="damaged"):
        contained.unpacked(path)
    assert contained.unpacked(path)["epoch"] == 3


def test_a_process_that_ended_is_started_again(tmp_path: Path) -> None:
    contained.unpacked(saved(tmp_path / "a.pth"))
    running = contained._process._running
    assert running is not None
    running.kill()
    running.wait()
    assert contained.unpacked(saved(tmp_path / "b.pth", 1.0))["epoch"] == 3


def test_where_no_process_starts_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contained._process.end()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RunFailed, match="ended at once"):
        contained.unpacked(saved(tmp_path / "a.pth"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(RunFailed, match="ended at once"):
        contained.unpacked(saved(tmp_path / "a.pth"))


def limited(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script after the program, in a process that was split off as it splits its readers off.

    Such a process has used no time yet: what loading torch takes is not of its three seconds.
    """
    before = f"""
import os, runpy, resource, socket, sys
of = runpy.run_path({str(PROGRAM)!r})
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    return subprocess.run(
        [sys.executable, "-P", "-c", before + script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of Linux")
def test_what_it_may_not_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = limited(
            f"""
socket.create_connection(("127.0.0.1", {port})).close()
apart = os.readlink("/proc/self/ns/net")
of["_limit"](0)
print("apart" if os.readlink("/proc/self/ns/net") != apart else "together")
try:
    socket.create_connection(("127.0.0.1", {port})).close()
    print("network")
except OSError:
    print("none")
try:
    bytearray(300 << 20)
except MemoryError:
    print("no memory")
try:
    [open("/dev/null") for _ in range(40)]
except OSError:
    print("no files")
print(*(resource.getrlimit(getattr(resource, "RLIMIT_" + n))[0] for n in ("CPU", "CORE", "NPROC")))
"""
        )
    assert done.returncode == 0, done.stderr
    apart, *rest = done.stdout.splitlines()
    assert rest == ["none" if apart == "apart" else "network", "no memory", "no files", "3 0 0"]
    if apart != "apart":
        pytest.skip("this system gives a process no network of its own")


def test_it_needs_torch_and_nothing_of_srbench() -> None:
    done = limited("import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))")
    modules = done.stdout.split()
    assert "torch" in modules and not {"srbench", "torchvision", "spandrel", "PIL"} & set(modules)


def test_a_training_goes_on_from_the_last_checkpoint_that_can_be_read(tmp_path: Path) -> None:
    Checkpoints(tmp_path, 3).save({"format": 1, "iteration": 1, "average": {}}, best=False)
    pickles.archive(tmp_path / "00000002.pt", pickles.BOMB)
    (tmp_path / "00000003.pt").write_bytes(pickles.LEGACY_START + b"\x80\x02}K\x00" + b"\x85" * 10)
    os.mkfifo(tmp_path / "00000004.pt")
    torch.save({"format": 1, "iteration": torch.ones(1).to_sparse()}, tmp_path / "00000005.pt")
    found = Checkpoints(tmp_path, 3).latest()
    assert found is not None and found[0].name == "00000001.pt"


def test_tied_weights_are_written_once_and_tensors_lie_as_they_did(tmp_path: Path) -> None:
    weight = torch.rand(4, 3, 5, 5).to(memory_format=torch.channels_last)
    torch.save({"a": weight, "b": weight, "c": [weight[:, 1], (1, None)], 7: weight.mT}, tmp_path / "a.pt")
    found = contained.unpacked(tmp_path / "a.pt", everything=True)
    assert torch.equal(found["a"], weight) and found["a"].stride() == weight.stride()
    assert torch.equal(found["c"][0], weight[:, 1]) and found["c"][1] == (1, None)
    assert torch.equal(found[7], weight.mT)
    assert list((home() / "unpacked").iterdir()) == []
    contained.unpacked(tmp_path / "a.pt")
    (kept,) = (home() / "unpacked").iterdir()
    assert weight.nbytes <= kept.stat().st_size < 2 * weight.nbytes


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (home() / "unpacked").write_text("in the way")
    with pytest.raises(RunFailed, match="unpacked cannot be written"):
        read_state_dict(saved(tmp_path / "a.pth"))


def test_a_file_that_cannot_be_read_is_neither_unpacked_nor_installed(tmp_path: Path) -> None:
    (tmp_path / "a.pth").symlink_to("/proc/self/mem")
    for attempt in (contained.unpacked, lambda path: zoo.install("rsr", path)):
        with pytest.raises(BadInput, match=r"a\.pth cannot be read"):
            attempt(tmp_path / "a.pth")


def test_a_relative_path_is_from_where_srbench_is_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value, name in ((1.0, "one"), (2.0, "two")):
        (tmp_path / name).mkdir()
        saved(tmp_path / name / "net.pth", value)
        monkeypatch.chdir(tmp_path / name)
        assert torch.equal(read_state_dict(Path("net.pth"))["conv.weight"], torch.full((2, 3), value))
