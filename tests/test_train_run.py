"""A training from the command line to a model of the zoo: resumed, divided, refused."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import inside
from PIL import Image
from safetensors.torch import load_file

from srbench import zoo
from srbench.errors import BadInput, RunFailed
from srbench.support.toml import to_toml
from srbench.train import recipe as recipes
from srbench.train.job import TrainingRequest, train
from srbench.train.processes import Processes
from srbench.train.recipe import TrainingRecipe
from srbench.train.start import make_state

TINY: dict[str, Any] = {
    "name": "tiny",
    "domain": "adversarial",
    "generator": {"num_feat": 8, "num_block": 1},
    "data": {"patch": 64, "batch": 4},
    "degradation": {"kind": "adversarial", "loss": "0.01*l1+percep"},
    "losses": {"l1": 0.2, "perceptual": 1.0, "perceptual_net": "features", "gan": 0.005},
    "discriminator": {"kind": "patchgan", "num_feat": 8, "norm": "none"},
    "schedule": {"iterations": 6, "milestones": [0.5]},
    "validation": {"every": 2, "images": 2},
}


def tiny(**changes: Any) -> TrainingRecipe:
    return recipes.override(recipes.parse(TINY), changes)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "whole"
    train(TrainingRequest(tiny(), folder, threads=1))
    return folder


def test_a_run_ends_as_a_model_of_the_zoo(whole: Path) -> None:
    (ref,) = zoo.resolve([str(whole)])
    assert (ref.name, ref.card.domain) == ("tiny", "adversarial")
    sr = ref.load()(torch.rand(1, 3, 8, 9))
    assert sr.shape == (1, 3, 32, 36)
    facts = json.loads((whole / "training.json").read_text())
    assert facts["weights_sha256"] == ref.weights_sha256
    assert facts["degradation"]["loss_used"] == "0.01*l1+features"
    assert len(rows(whole)) == 6
    rates = [float(row["lr"]) for row in rows(whole)]
    assert rates == pytest.approx([1e-4] * 3 + [5e-5] * 3)
    assert sorted(p.name for p in (whole / "checkpoints").iterdir())[-1] == "best.pt"


def test_the_losses_fall_when_there_is_something_to_learn(tmp_path: Path) -> None:
    changes = {"optimizer.lr": 5e-3, "schedule.iterations": 30, "validation.every": 30}
    plain = {"losses.perceptual": 0.0, "losses.gan": 0.0, "losses.l1": 1.0, "degradation.loss": "l1"}
    train(TrainingRequest(tiny(**changes, **plain), tmp_path / "run", threads=1))
    losses = [float(row["l1"]) for row in rows(tmp_path / "run")]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_a_source_folder_named_perception_changes_nothing(tmp_path: Path) -> None:
    source = tmp_path / "perception"
    source.mkdir()
    gray = np.full((24, 24, 3), 120, np.uint8) + np.random.default_rng(0).integers(
        0, 4, (24, 24, 3), np.uint8
    )
    Image.fromarray(gray).save(source / "flat.png")
    noise = {"kind": "noise-injection", "source": str(source), "patch": 8, "stride": 8}
    changes = {"degradation": noise, "losses.perceptual": 0.0, "losses.gan": 0.0, "schedule.iterations": 1}
    train(TrainingRequest(tiny(**changes), tmp_path / "run", threads=1))
    assert json.loads((tmp_path / "run" / "training.json").read_text())["perceptual"] == "none"


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, whole: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(to_toml(tiny().model_dump(mode="json")))
    folder = tmp_path / "runs" / "tiny"
    command = [sys.executable, "-m", "srbench", "train", str(file), "--threads", "1"]
    for stop in (signal.SIGKILL, signal.SIGTERM):
        extra = ["--resume", str(folder)] if folder.exists() else ["--out", str(folder.parent)]
        running = subprocess.Popen(
            [*command, *extra], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        before = len(list(folder.glob("checkpoints/0*.pt")))
        deadline = time.monotonic() + 60
        while len(list(folder.glob("checkpoints/0*.pt"))) <= before and time.monotonic() < deadline:
            time.sleep(0.005)
        running.send_signal(stop)
        running.wait()
    train(TrainingRequest(tiny(), folder, resume=True, threads=1))
    assert rows(folder) == rows(whole)
    ours, theirs = (load_file(place / "model.safetensors") for place in (folder, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path, whole: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(to_toml(tiny().model_dump(mode="json")))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "srbench", "train", str(file), "--threads", "1", "--out", str(tmp_path / "runs")]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for ours, theirs in zip(rows(tmp_path / "runs/tiny"), rows(whole), strict=True):
        for name in ("l1", "perceptual", "gan", "loss_d"):
            assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=2e-3), name
    ours_, theirs_ = (load_file(p / "model.safetensors") for p in (tmp_path / "runs/tiny", whole))
    # Adam's first steps go by the gradient's sign, so rounding can move a weight by a step of 1e-4.
    apart = torch.cat([(ours_[name] - theirs_[name]).abs().flatten() for name in theirs_])
    assert apart.mean() < 2e-5


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    changes = {"optimizer.lr": 1e30, "losses.perceptual": 0.0, "losses.gan": 0.0, "degradation.loss": "l1"}
    with pytest.raises(RunFailed, match=r"iteration \d.*lower --lr.*00000000\.pt"):
        train(TrainingRequest(tiny(**changes), tmp_path / "run", threads=1))


def test_resume_names_what_differs(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(BadInput, match="optimizer.lr is 0.0001 in the run and 0.001 now"):  # noqa: RUF043
        train(TrainingRequest(tiny(**{"optimizer.lr": 1e-3}), whole, resume=True))
    with pytest.raises(BadInput, match="--resume"):
        train(TrainingRequest(tiny(), whole))
    with pytest.raises(BadInput, match="holds no training"):
        train(TrainingRequest(tiny(), tmp_path, resume=True))


def test_a_start_of_another_architecture_is_refused(whole: Path) -> None:
    other = tiny(**{"init": str(whole), "generator.num_feat": 16})
    with pytest.raises(BadInput, match=r"tiny|whole|model\.safetensors"):
        make_state(other, Processes())
    state = make_state(tiny(init=str(whole)), Processes())
    weights = load_file(whole / "model.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in state.generator.state_dict().items())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "rrs"], ["rrs", "rsr"]),
        (["train", "rsr-mini", "--eps", "0.05"], ["0.05", "ambiguous"]),
        (["train", "esrgan-psnr-mini", "--eps", "14"], ["clean", "no setting 'eps'"]),
        (["train", "esrgan-psnr-mini", "--data", "nowhere"], ["nowhere"]),
        (["train", "esrgan-psnr-mini", "--init", "nothing"], ["--init nothing"]),
        (["train-robust", "--precision", "fp8"], ["precision"]),
        (["train", "rsr", "--resume", "nowhere"], ["nowhere"]),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    extra = [] if "--resume" in arguments else ["--out", str(tmp_path / "runs")]
    done = inside(*arguments, *extra)
    assert done.returncode == 2, (done.stdout, done.stderr)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("srbench: ")]
    for word in words:
        assert word in line
    assert not list((tmp_path / "runs").rglob("*.safetensors"))


def test_a_finished_run_can_be_made_longer(tmp_path: Path, whole: Path) -> None:
    """With a constant learning rate it then equals one that was to be so long from the beginning."""
    constant = {"schedule.milestones": [], "validation.every": 3}
    train(TrainingRequest(tiny(**constant), tmp_path / "run", threads=1))
    longer = tiny(**constant, **{"schedule.iterations": 9})
    train(TrainingRequest(longer, tmp_path / "run", resume=True, threads=1))
    train(TrainingRequest(longer, tmp_path / "at-once", threads=1))
    assert rows(tmp_path / "run") == rows(tmp_path / "at-once")
    ours, theirs = (load_file(tmp_path / run / "model.safetensors") for run in ("run", "at-once"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    facts = json.loads((tmp_path / "run" / "training.json").read_text())
    assert facts["lengths"] == [[0, 6], [6, 9]] and facts["recipe"]["schedule"]["iterations"] == 9
    assert "lengths" not in json.loads((tmp_path / "at-once" / "training.json").read_text())
    with pytest.raises(BadInput, match="iterations is 9 in the run and 6 now: leave them out"):
        train(TrainingRequest(tiny(**constant), tmp_path / "run", resume=True))


def test_others_may_read_every_file_of_a_run(whole: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in whole.rglob("*") if path.is_file()}
    shown = {name: mode for name, mode in modes.items() if not name.endswith(".lock")}
    assert "model.safetensors" in shown and set(shown.values()) == {shown["recipe.toml"]}
