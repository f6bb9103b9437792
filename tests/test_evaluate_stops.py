"""Evaluating from the command line: kills, Control-C, pipes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import inside, srbench, write_pairs


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [1, pytest.param(10, marks=pytest.mark.thorough)])
def test_kills_leave_the_records_of_an_uninterrupted_run(wanted: int, tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 14, side=48)
    command = [
        sys.executable,
        "-m",
        "srbench",
        "evaluate",
        "--models",
        "bicubic",
        "--metrics",
        "psnr,ssim",
        "--attacks",
        "none,random,rsr,jpeg:3",
    ]
    command += ["--datasets", f"pairs:{lr}:{hr}", "--store"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    generator = random.Random(0)
    store = tmp_path / "killed"
    kills = 0
    while kills < wanted:
        running = subprocess.Popen(
            [*command, str(store)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        lines = _lines(store)
        while running.poll() is None and _lines(store) <= lines:
            time.sleep(0.005)
        time.sleep(generator.uniform(0, 0.05))
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        kills += 1
    assert kills >= (wanted + 1) // 2
    subprocess.run([*command, str(store)], check=True, capture_output=True)
    assert _contents(store) == _contents(tmp_path / "whole")


def _lines(store: Path) -> int:
    return sum(f.read_bytes().count(b"\n") for f in store.rglob("*.jsonl"))


def _contents(store: Path) -> dict[str, list[bytes]]:
    found = {}
    for file in store.rglob("*.jsonl"):
        lines = []
        for line in file.read_bytes().splitlines():
            fields = json.loads(line)
            fields["seconds"], fields["created"] = 0, ""
            lines.append(json.dumps(fields).encode())
        found[str(file.relative_to(store))] = lines
    return found


@pytest.mark.slow
def test_control_c_keeps_what_was_measured(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 60, side=64)
    command = [sys.executable, "-m", "srbench", "evaluate", "--datasets", f"pairs:{lr}:{hr}", "--store"]
    store = tmp_path / "store"
    running = subprocess.Popen(
        [*command, str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, this test among them perhaps, start with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    while running.poll() is None and _lines(store) < 3:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "resumes" in errors
    assert "Traceback" not in errors
    assert _lines(store) >= 3


@pytest.mark.slow
def test_piped_output_is_whole_and_clean(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2)
    done = srbench(
        "evaluate", "--models", "bicubic", "--datasets", f"pairs:{lr}:{hr}", "--metrics", "psnr,ssim"
    )
    assert done.returncode == 0, done.stderr
    assert "bicubic" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "…" not in done.stdout
    asked = inside("evaluate", "--datasets", f"pairs:{lr}:{hr}", "--metrics", "psnr,ssim", "--json")
    assert json.loads(asked.stdout)[0]["rows"][0]["model"] == "bicubic"
