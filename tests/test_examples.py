"""Every script in examples/ runs as it stands, offline, in an empty directory, and leaves nothing there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
PRINTS = {
    "attack_plain_module": "attacked",
    "images_made_elsewhere": "diffusion is SR images made elsewhere",
    "leaderboard_of_the_zoo": "Under attack, averaged over the data sets",
    "measure_your_own_module": "oversharpened",
    "new_attack": "found",
    "new_data_set": "| 1–2 | bicubic |",
    "new_metric": "itself    Edges ↓ 0.0000",
    "train_a_few_iterations": "10 iterations in",
}


def test_every_example_is_known() -> None:
    assert {script.stem for script in SCRIPTS} == set(PRINTS)
    assert all(len(script.read_text().splitlines()) < 60 for script in SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:__main__", str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert PRINTS[script.stem] in done.stdout
    assert not list(tmp_path.iterdir())
