"""Trainings that are stopped or cannot write: one clear line, and nothing that was saved is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import inside

from srbench.errors import RunFailed
from srbench.support.toml import to_toml
from srbench.train import recipe as recipes
from srbench.train.job import TrainingRequest, train
from srbench.train.state import Checkpoints, read_checkpoint

TINY: dict[str, Any] = {
    "name": "tiny",
    "generator": {"num_feat": 8, "num_block": 1},
    "data": {"patch": 32, "batch": 1},
    "losses": {"perceptual_net": "none"},
    "schedule": {"iterations": 4},
    "validation": {"every": 2, "images": 1, "keep": 2},
}


def tiny(**changes: Any) -> recipes.TrainingRecipe:
    return recipes.override(recipes.parse(TINY), changes)


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    file = folder / "tiny.toml"
    file.write_text(to_toml(tiny(**{"schedule.iterations": 100_000}).model_dump(mode="json")))
    command = [sys.executable, "-m", "srbench", "train", str(file), "--threads", "1", "--out", str(folder)]
    return subprocess.Popen([*command, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)])
def test_a_stop_saves_and_says_how_to_go_on(tmp_path: Path, number: int) -> None:
    running = started(tmp_path)
    wait_for(tmp_path / "tiny/checkpoints/00000002.pt")
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + number, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("srbench: ")]
    last = Checkpoints(tmp_path / "tiny/checkpoints", 2).latest()
    assert last is not None
    assert f"after iteration {last[1]['iteration']} of 100000" in line
    assert f"--resume {tmp_path / 'tiny'}" in line
    rows = (tmp_path / "tiny/log.csv").read_text().splitlines()
    assert len(rows) == 1 + last[1]["iteration"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits on the size of a process's files")
def test_a_full_disk_is_one_line_and_keeps_what_is_there(tmp_path: Path) -> None:
    train(TrainingRequest(tiny(), tmp_path / "tiny", threads=1))
    before = {path.name: path.read_bytes() for path in (tmp_path / "tiny/checkpoints").iterdir()}
    # A limit on file size stands in for a full disk: writing fails half-way all the same.
    script = (
        "import resource, sys\n"
        "size = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "sys.argv = ['srbench', *sys.argv[2:]]\n"
        "from srbench.cli import main; main()\n"
    )
    file = tmp_path / "more.toml"
    file.write_text(to_toml(tiny(**{"init": str(tmp_path / "tiny")}).model_dump(mode="json")))
    # The first checkpoint, without the optimizer's state, is a third as large as the next and fits.
    limit = max(len(content) for content in before.values()) // 2
    command = [sys.executable, "-c", script, str(limit), "train", str(file), "--name", "second"]
    command += ["--out", str(tmp_path), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("srbench: ")]
    assert "cannot be written" in line and "00000000.pt" in line and "Traceback" not in done.stderr
    left = list((tmp_path / "second/checkpoints").iterdir())  # no half of a file under any name
    assert sorted(path.name for path in left) == ["00000000.pt", "best.pt"]
    assert all(read_checkpoint(path) for path in left)
    assert {path.name: path.read_bytes() for path in (tmp_path / "tiny/checkpoints").iterdir()} == before


def test_a_checkpoint_that_cannot_be_written_names_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save({"format": 1, "iteration": 5, "x": torch.ones(3)}, best=True)

    def full(*_: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RunFailed, match=r"00000006\.pt cannot be written.*00000005\.pt"):
        checkpoints.save({"format": 1, "iteration": 6}, best=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000005.pt", "best.pt"]


def test_the_last_and_the_best_checkpoints_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for iteration in range(5):
        checkpoints.save({"format": 1, "iteration": iteration}, best=iteration == 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000003.pt", "00000004.pt", "best.pt"]
    best = read_checkpoint(tmp_path / "best.pt")
    assert best is not None and best["iteration"] == 1


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for iteration in (1, 2):
        checkpoints.save({"format": 1, "iteration": iteration}, best=False)
    damaged = tmp_path / "00000002.pt"
    damaged.write_bytes(damaged.read_bytes()[:100])
    latest = checkpoints.latest()
    assert latest is not None and latest[1]["iteration"] == 1


def test_a_run_that_never_began_can_be_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    with pytest.raises(ValueError, match="nowhere"):
        train(TrainingRequest(tiny(**{"data.sources": [str(tmp_path / "nowhere")]}), folder, threads=1))
    assert train(TrainingRequest(tiny(), folder, threads=1)).iteration == 4


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from srbench.train.trainer import Trainer

    step = Trainer.step

    def broken(self: Trainer, hr: torch.Tensor, indices: Any) -> torch.Tensor:
        losses = step(self, hr, indices)
        if self.state.iteration == 4:
            with torch.no_grad():
                next(self.state.generator.parameters()).fill_(float("nan"))
        return losses

    monkeypatch.setattr(Trainer, "step", broken)
    with pytest.raises(RunFailed, match=r"iteration 4: a weight is not finite.*00000002\.pt"):
        train(TrainingRequest(tiny(), tmp_path / "tiny", threads=1))
    last = Checkpoints(tmp_path / "tiny/checkpoints", 2).latest()
    assert last is not None and last[1]["iteration"] == 2


def test_resuming_another_recipe_is_refused(tmp_path: Path) -> None:
    train(TrainingRequest(tiny(), tmp_path / "tiny", threads=1))
    done = inside("train", "esrgan-psnr-mini", "--resume", str(tmp_path / "tiny"))
    assert done.returncode == 2
    assert "generator.num_feat is 8 in the run and 32 now" in done.stderr


@pytest.mark.slow
def test_paper_losses_are_unweighted_sums(tmp_path: Path) -> None:
    """And --precision goes to the attack as well; the run ends with a leaderboard."""
    out = str(tmp_path / "runs")
    options = ["--init", "scratch", "--iterations", "1", "--batch", "2", "--patch", "64", "--threads", "1"]
    done = inside("train", "rsr-mini", "--paper-losses", "--precision", "fp32", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    made = recipes.load(str(tmp_path / "runs/rsr-mini/recipe.toml"))
    assert (made.losses.l1, made.losses.perceptual, made.losses.gan) == (1.0, 1.0, 1.0)
    assert made.degradation["loss"] == "l1+percep" and made.degradation["precision"] == "fp32"
    assert "rsr-mini" in done.stdout and "ntire-mini" in done.stdout
