"""What trainings took: one row a run, and which runs are one method."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from srbench.train.account import account
from srbench.train.export import FACTS

RUNS = Path(__file__).parents[1] / "leaderboards" / "mini" / "runs"


def test_runs_that_differ_in_their_seed_alone_are_one_method(tmp_path: Path) -> None:
    folders = []
    for seed, batch in ((0, 4), (1, 4), (2, 8)):
        folder = tmp_path / f"rsr-mini-seed{seed}"
        shutil.copytree(RUNS / "rsr-mini-seed0", folder)
        facts = json.loads((folder / FACTS).read_text())
        facts["name"] = folder.name
        facts["recipe"] |= {
            "name": folder.name,
            "seed": seed,
            "data": facts["recipe"]["data"] | {"batch": batch},
        }
        (folder / FACTS).write_text(json.dumps(facts))
        folders.append(folder)
    rows = account([*folders, RUNS / "esrgan-psnr-mini"])
    assert [row["model"] for row in rows][:3] == [folder.name for folder in folders]
    # Another size of batch is another method, whatever the runs are called.
    assert [row["seed"] for row in rows] == [0, 1, 2, 0]
    assert [row["method"] for row in rows] == ["rsr-mini", "rsr-mini", "rsr-mini-seed2", "esrgan-psnr-mini"]


def test_the_validation_is_that_of_the_model_that_was_made() -> None:
    """Not the best on the way: the weights of the end are what is measured."""
    (row,) = account([RUNS / "rsr-mini-seed1"])
    last = (RUNS / "rsr-mini-seed1" / "validation.csv").read_text().split()[-1].split(",")
    assert row["validation"] == f"{float(last[4]):.4f}"
