"""Faults: the bench in benchmarks/faults on a small scale, and what it has shown to be needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import pytest
import torch
from conftest import ROOT
from helpers import inside, record, write_pairs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srbench.errors import RunFailed
from srbench.store.folder import Store
from srbench.support.home import atomic_path, output_path
from srbench.train.trainer import COLUMNS

BENCH = ROOT / "benchmarks" / "faults"
CELL = PurePosixPath("rsr/set/none/bicubic-0.jsonl")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the bench compares with."""
    monkeypatch.syspath_prepend(str(BENCH))
    import work as module

    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (
            ["--works", "evaluate", "--kills", "0", "--others", "1", "--faults", "disk,readonly"],
            [("full disk", 1), ("read-only", 1)],
        ),
        pytest.param(
            ["--works", "evaluate", "--kills", "0", "--others", "1", "--faults", "together"],
            [("four processes", 4)],
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            ["--works", "train", "--kills", "3", "--others", "1", "--faults", "kill,readonly"],
            [("SIGKILL", 1), ("read-only", 1)],
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_few_faults_are_survived(options: list[str], rows: list[tuple[str, int]], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), *options, "--jobs", "2"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^\| (.*) \| \w+ \| (\d+) \| (\d+) \|$", done.stdout, re.MULTILINE)
    if "read-only folders were not tried" in done.stderr:
        rows = [row for row in rows if row[0] != "read-only"]
    assert len(found) == len(rows)
    for (name, tried, survived), (begins, count) in zip(found, rows, strict=True):
        assert name.startswith(begins)
        assert tried == survived == str(count)


def test_the_bench_sees_what_was_lost_repeated_or_left(tmp_path: Path, work: ModuleType) -> None:
    quiet, folder = tmp_path / "quiet", tmp_path / "folder"
    store = Store(quiet / "store")
    with store.writer(CELL) as writer:
        for image in "abc":
            writer.append(record(image=image, seconds=1.0))
    (quiet / "picture.png").write_bytes(b"whole")
    shutil.copytree(quiet, folder)
    seen = work.Work("evaluate", tmp_path, quiet)
    file, name = folder / "store" / CELL, f"store/{CELL}"
    lines = file.read_bytes().splitlines(keepends=True)
    assert seen.differences(folder) == []
    file.write_bytes(b"".join(lines).replace(b'"seconds":1.0', b'"seconds":2.0'))
    assert seen.differences(folder) == []  # times are each run's own
    file.write_bytes(b"".join(lines[:2]) + lines[1] + lines[2][:-1])
    (folder / "picture.png").write_bytes(b"wh")
    (folder / ".picture.png.abc.srbtmp").write_bytes(b"")
    assert seen.differences(folder) == [
        f"{name}#c is missing",
        ".picture.png.abc.srbtmp is too much",
        f"{name} torn is too much",
        f"{name}#b twice is too much",
        "picture.png differs",
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_may_end_anywhere_and_in_anything(tmp_path: Path, data: st.DataObject) -> None:
    """Records before the tear stay as they are, and the next writer makes the file whole."""
    file = tmp_path / CELL
    file.unlink(missing_ok=True)
    written = [record(image=image, model_title="ü\u2028") for image in "abc"]
    store = Store(tmp_path)
    with store.writer(CELL) as writer:
        for entry in written:
            writer.append(entry)
    whole = file.read_bytes()
    cut = data.draw(st.integers(0, len(whole)), label="cut")
    garbage = data.draw(st.binary(max_size=40), label="garbage").replace(b"\n", b"\0")
    file.write_bytes(whole[:cut] + garbage)
    kept = whole[:cut].count(b"\n")
    assert store.read(CELL) == written[:kept]
    with store.writer(CELL) as writer:
        for entry in written[kept:]:
            writer.append(entry)
    assert file.read_bytes() == whole
    file.write_bytes(whole + garbage)
    store.settle(CELL)  # all is there, so nobody will write
    assert file.read_bytes() == whole


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys, time\n"
        "from srbench.support.home import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.utime(temporary, (1, 1))\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    target = tmp_path / "file"
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == "written\n"
        writers[0].kill()
        writers[0].wait()
        (tmp_path / ".mine.srbtmp.txt").write_text("a user's")
        with atomic_path(target) as temporary:
            temporary.write_text("whole")
        left = sorted(path.name for path in tmp_path.iterdir())
        assert len(left) == 3 and left[-1] == "file", left  # the user's, the living writer's, the target
        assert target.read_text() == "whole"
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunFailed, match=r"curves\.png cannot be written \(.*\): free space"),
        output_path(tmp_path / "file" / "curves.png"),
    ):
        pass


def test_an_attack_whose_pictures_cannot_be_written_says_so(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1)
    (tmp_path / "out").write_text("")
    options = ["--pairs", f"{lr}:{hr}", "--steps", "1", "--out", str(tmp_path / "out"), "--workers", "1"]
    done = inside("attack", "esrgan-psnr-mini", *options)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("srbench: ")]
    assert "cannot be written" in line and "--out" in line and "unexpected" not in line


def test_a_log_has_one_row_for_each_iteration(tmp_path: Path) -> None:
    """Killed before the first checkpoint; in the middle of a row whose beginning is another's number."""
    from srbench.train.logs import Log
    from srbench.train.processes import Processes

    (tmp_path / "validation.csv").write_text("iteration,mean\n0,0.5\n")
    Log(tmp_path, Processes(threads=1), done=0, total=20, every=1).close()
    assert (tmp_path / "validation.csv").read_text().count("\n") == 1
    rows = [f"{iteration},0.1\n" for iteration in range(1, 13)]
    (tmp_path / "log.csv").write_text("iteration,lr\n" + "".join(rows) + "1")
    Log(tmp_path, Processes(threads=1), done=10, total=20, every=1).close()
    assert (tmp_path / "log.csv").read_text().splitlines()[1:] == [row.strip() for row in rows[:10]]


def test_a_log_that_cannot_be_written_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard writes in a thread, whose traceback would stand beside the one line."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    from srbench.train.logs import Log
    from srbench.train.processes import Processes

    tracebacks: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", tracebacks.append)
    hook = threading.excepthook
    log = Log(tmp_path, Processes(threads=1), done=0, total=20, every=1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.raises(OSError, match="No space left"):
        for iteration in range(1, 100):
            log.add(iteration, 0.1, torch.full((len(COLUMNS),), 0.5))
            log.flush()
    assert tracebacks == []
    thread = threading.Thread(target=full)
    thread.start()
    thread.join()
    assert len(tracebacks) == 1  # anybody else's
    log.close()
    assert threading.excepthook == hook


def test_a_training_says_what_its_closing_measurement_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    from srbench.cli.train import _show
    from srbench.run.image import ImageMeter
    from srbench.train import recipe as recipes
    from srbench.train.export import export
    from srbench.train.generator import build_generator

    def broken(*_: Any) -> None:
        raise RuntimeError("no memory to be had")

    monkeypatch.setattr(ImageMeter, "measure", broken)
    found = recipes.load("esrgan-psnr-mini", {"init": "scratch"})
    run = tmp_path / "run"
    export(run, found, build_generator(8, 1).state_dict(), {"data": {}})
    with pytest.raises(typer.Exit) as ended:
        _show(found, run)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.count("RuntimeError: no memory to be had") == 2  # ntire-mini, aim-mini
