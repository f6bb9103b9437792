"""SIGTERM to real processes: every command stops as at Ctrl-C, keeps what is finished and says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from helpers import write_pairs
from misbehaving import misbehaving
from PIL import Image

from srbench.store.folder import Store
from srbench.support.toml import to_toml

TESTS = Path(__file__).parent
LINE = "srbench: stopped by SIGTERM; what was finished is kept and the same command resumes"
MAIN = "from srbench.cli import main; main()"
# A command that nobody has thought of: it says that it runs, and does `body`.
TOMORROW = """
import threading, time
from pathlib import Path
from srbench.cli import main
from srbench.cli.app import app
from srbench.errors import RunFailed

@app.command()
def tomorrow() -> None:
    def runs() -> None:
        print("runs", flush=True)
        time.sleep(60)
{body}
main()
"""


def begun(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A process that runs `code`, which ends in the command line."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(TESTS)} | environment,
    )


def wait(process: subprocess.Popen[str], for_this: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not for_this():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def stopped(process: subprocess.Popen[str], code: int = 143) -> list[str]:
    """Send SIGTERM; the lines on stderr that are srbench's own."""
    process.send_signal(signal.SIGTERM)
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code, errors
    assert "Traceback" not in errors and "unexpected" not in errors, errors
    return [line for line in errors.splitlines() if line.startswith("srbench: ")]


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".srbtmp" in path.name or path.name.startswith("srbench-")]


@pytest.mark.parametrize(
    "body",
    [
        "    runs()",
        # Libraries have ideas of their own of what they were interrupted by.
        "    try: runs()\n    except BaseException as error: raise RuntimeError('it failed') from error",
        "    try: runs()\n    except BaseException: raise RunFailed('no network')",
        "    try: runs()\n    except BaseException: raise SystemExit(0)",
        "    try: runs()\n    except BaseException: pass",
        # A thread that would be waited for as the process ends.
        "    threading.Thread(target=time.sleep, args=(60,)).start()\n    runs()",
    ],
    ids=["plain", "another error", "an error of ours", "an exit", "nothing", "a thread"],
)
def test_a_command_of_tomorrow(body: str) -> None:
    process = begun(TOMORROW.format(body=body), "tomorrow")
    assert process.stdout is not None and process.stdout.readline() == "runs\n"
    assert stopped(process) == [LINE]


def test_a_second_one_does_not_tear_what_cleans_up(tmp_path: Path) -> None:
    """`timeout` sends one to the process and one to its group; whoever waits long sends another later."""
    done = tmp_path / "done"
    body = f"    try: runs()\n    finally:\n        time.sleep(0.5)\n        Path({str(done)!r}).touch()"
    process = begun(TOMORROW.format(body=body), "tomorrow")
    assert process.stdout is not None and process.stdout.readline() == "runs\n"
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert stopped(process) == [LINE]
    assert done.exists()
    process = begun(TOMORROW.format(body=body.replace("0.5", "60")), "tomorrow")
    assert process.stdout is not None and process.stdout.readline() == "runs\n"
    process.send_signal(signal.SIGTERM)
    time.sleep(2.5)
    assert stopped(process) == [LINE]


def test_where_it_is_ignored_it_stays_so() -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + TOMORROW.format(
        body="    print('runs', flush=True); time.sleep(1)"
    )
    process = begun(code, "tomorrow")
    assert process.stdout is not None and process.stdout.readline() == "runs\n"
    assert stopped(process, 0) == []


def test_images_that_wait_for_an_earlier_one_are_kept(tmp_path: Path) -> None:
    """The first image never ends; the others, measured beside it, are recorded all the same."""
    lr, hr = write_pairs(tmp_path / "large", 1, side=48)
    small = write_pairs(tmp_path / "small", 4, side=16)
    for folder, source in zip((lr, hr), small, strict=True):
        for file in source.iterdir():
            file.rename(folder / f"9{file.name}")
    store = tmp_path / "store"
    arguments = ["--models", "scale_models:Hanging", "--datasets", f"pairs:{lr}:{hr}", "--metrics", "psnr"]
    process = begun(MAIN, "evaluate", *arguments, "--workers", "2", "--keep-images", "--store", str(store))
    wait(process, lambda: len(list(store.rglob("sr/*.png"))) == 4)
    time.sleep(0.5)
    assert list(Store(store)) == []
    assert stopped(process) == [LINE]
    assert sorted(record.image for record in Store(store)) == ["9000", "9001", "9002", "9003"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "evaluate",
        "attack",
        *(pytest.param(each, marks=pytest.mark.thorough) for each in ("submit", "validate")),
    ],
)
def test_what_measures_keeps_what_it_measured(command: str, tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 12, side=48)
    store, scratch = tmp_path / "store", tmp_path / "scratch"
    scratch.mkdir()
    entry = TESTS.parent / "leaderboards" / "entries" / "esrgan-psnr-mini.json"
    where = ["--store", str(store)]
    arguments = {
        "evaluate": ["--models", "scale_models:Slow", "--datasets", f"pairs:{lr}:{hr}", *where],
        "attack": ["scale_models:Slow", "--pairs", f"{lr}:{hr}", "--out", str(tmp_path / "out"), *where],
        "submit": ["esrgan-psnr-mini", "--attacks", "none,strong", *where],
        "validate": [str(entry)],
    }
    process = begun(MAIN, command, *arguments[command], TMPDIR=str(scratch))
    written = scratch if command == "validate" else store
    wait(process, lambda: any(file.read_bytes().count(b"\n") for file in written.rglob("*.jsonl")))
    assert stopped(process) == [LINE]
    assert unfinished(scratch) == [] and not (tmp_path / "out" / "curves.png").exists()
    kept = list(Store(store))
    assert command == "validate" or kept
    if command == "evaluate":
        process = begun(MAIN, command, *arguments[command], TMPDIR=str(scratch))
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0
        assert f"{12 - len(kept)} images measured, {len(kept)} already in" in errors


@pytest.mark.slow
def test_a_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    import torch
    from test_zoo_weights import small_network

    network = small_network()
    torch.save({"params": network.state_dict()}, tmp_path / "toy.pth")
    with misbehaving() as server:
        server.files["toy.pth"] = (tmp_path / "toy.pth").read_bytes()
        parameters = sum(p.numel() for p in network.parameters())
        code = (
            "import sys; from test_install_kills import publish_model; "
            f"publish_model('{server.url}/stall/toy.pth', None, {parameters}); {MAIN}"
        )
        environment = {"SRBENCH_OFFLINE": "0", "NO_PROXY": "*"}
        process = begun(code, "models", "install", "toy", **environment)
        wait(process, lambda: server.sent >= len(server.files["toy.pth"]) // 2)
        time.sleep(0.3)
        assert stopped(process) == [LINE]
        process = begun(code.replace("/stall/", "/good/"), "models", "install", "toy", **environment)
        assert process.wait(60) == 0, process.communicate()


@pytest.mark.slow
def test_a_data_set_is_built_whole_or_not_at_all(tmp_path: Path) -> None:
    photographs, built = tmp_path / "photographs", tmp_path / "built"
    photographs.mkdir()
    for number in range(12):
        Image.effect_noise((800, 800), 30).convert("RGB").save(photographs / f"{number}.png")
    process = begun(MAIN, "datasets", "build", "blind", "--hr", str(photographs), "--out", str(built))
    wait(process, lambda: list(tmp_path.rglob("LR/*.png")))
    assert stopped(process) == [LINE]
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == [photographs]


def test_serving_ends_and_leaves_no_page(tmp_path: Path) -> None:
    records = TESTS.parent / "leaderboards" / "attacked-mini2" / "records.csv"
    process = begun(MAIN, "serve", "--records", str(records), "--no-open", TMPDIR=str(tmp_path))
    assert process.stdout is not None and process.stdout.readline().startswith("http://127.0.0.1:")
    assert unfinished(tmp_path)
    assert stopped(process) == [LINE]
    assert list(tmp_path.iterdir()) == []


def below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_workers_store_what_they_hold(engine: str, tmp_path: Path) -> None:
    """A worker stores every twenty seconds; what it has when the command is stopped is stored before."""
    if engine == "ray":
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'srbench[scale]'")
    code, options = MAIN, ["--engine", "ray", "--ray-workers", "1"]
    if engine == "processes":
        code = f"from srbench.run.workers import choose; choose.visible_gpus = lambda device: ['cpu']; {MAIN}"
        options = []
    lr, hr = write_pairs(tmp_path, 40, side=48)
    store = tmp_path / "store"
    process = begun(
        code, "evaluate", "--models", "scale_models:Slow,bicubic", "--datasets", f"pairs:{lr}:{hr}",
        "--metrics", "psnr", "--keep-images", "--store", str(store), *options
    )  # fmt: skip
    wait(process, lambda: len(list(store.rglob("sr/*.png"))) >= 4)
    assert list(store.rglob("*.part")) == []
    there = below(process)
    assert stopped(process) == [LINE]
    assert len(list(Store(store))) >= 3
    assert there and psutil.wait_procs(there, timeout=30)[1] == []


@pytest.mark.slow
def test_a_suite_saves_the_trainings_in_work(tmp_path: Path) -> None:
    from test_train_stops import tiny

    from srbench.train.state import Checkpoints

    recipe = tmp_path / "tiny.toml"
    recipe.write_text(to_toml(tiny(**{"schedule.iterations": 100_000}).model_dump(mode="json")))
    code = (
        "from srbench.train import suite; "
        f"runs = [dict(recipe={str(recipe)!r}, settings=dict(name=name)) for name in 'abc']; "
        f"suite.load = lambda name: suite.Suite(runs=runs); {MAIN}"
    )
    process = begun(code, "maintain", "suite", "tiny", "--out", str(tmp_path / "runs"), "--jobs", "1")
    first = tmp_path / "runs" / "a" / "checkpoints"
    wait(process, (first / "00000002.pt").exists)
    there = below(process)
    assert stopped(process) == [LINE]
    assert psutil.wait_procs(there, timeout=30)[1] == []
    rows = (first.parent / "log.csv").read_text().splitlines()
    latest = Checkpoints(first, 2).latest()
    assert latest is not None and latest[1]["iteration"] == len(rows) - 1
    assert not (tmp_path / "runs" / "b").exists()
