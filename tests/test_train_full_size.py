"""The full-size recipes run: three iterations each, on photographs, with networks of full size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import srbench
from safetensors.torch import load_file, save_file

from srbench.errors import BadInput
from srbench.train import recipe as recipes
from srbench.train.generator import build_generator
from srbench.train.job import TrainingRequest, train

FULL = [name for name in recipes.names() if not name.endswith("-mini")]
# What takes long before the first iteration is shortened, and the batch; everything else is the recipe's.
SHORT: dict[str, dict[str, object]] = {
    "certsr": {"degradation.sigmas": ["10/255"]},
    "esrgan-fs": {"degradation.iterations": 1, "degradation.batch": 1, "degradation.gate": 0.0},
}
SOURCE = ("impressionism", "esrgan-fs")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of full size, in the place of the published one."""
    file = tmp_path_factory.mktemp("start") / "start.safetensors"
    save_file(dict(build_generator(64, 23, seed=1).state_dict()), file)
    return file


def test_these_are_all_of_full_size() -> None:
    assert sorted(FULL) == [
        "blind",
        "blind-adversarial",
        "certsr",
        "esrgan",
        "esrgan-fs",
        "esrgan-psnr",
        "impressionism",
        "random-structured",
        "rsr",
    ]


@pytest.mark.parametrize("name", FULL)
def test_photographs_have_to_be_named(name: str, tmp_path: Path) -> None:
    source = {"degradation.source": "mini:ntire"} if name in SOURCE else {}
    recipe = recipes.load(name, {"init": "scratch", **source})
    with pytest.raises(BadInput, match="give --data a folder of photographs, such as DIV2K's"):
        train(TrainingRequest(recipe, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_line_a_user_sees(tmp_path: Path) -> None:
    done = srbench("train", "rsr", "--init", "scratch", "--out", str(tmp_path / "runs"))
    assert done.returncode == 2
    assert "`srbench datasets install div2k --training`" in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n if n in ("rsr", "esrgan-psnr") else pytest.param(n, marks=pytest.mark.thorough) for n in FULL]
)
def test_three_iterations(name: str, photographs: Path, start: Path, tmp_path: Path) -> None:
    source = {"degradation.source": str(photographs)} if name in SOURCE else {}
    scratch = recipes.load(name, source).init == "scratch"
    changes = {
        "data.sources": [str(photographs)],
        "data.batch": 1,
        "schedule.iterations": 3,
        "validation.images": 1,
        **({} if scratch else {"init": str(start)}),
        **source,
        **SHORT.get(name, {}),
    }
    train(TrainingRequest(recipes.load(name, changes), tmp_path / name))
    facts = json.loads((tmp_path / name / "training.json").read_text())
    weights = load_file(tmp_path / name / "model.safetensors")
    assert facts["recipe"]["generator"] == {"num_feat": 64, "num_block": 23, "growth": 32}
    assert sum(value.numel() for value in weights.values()) == 16_697_987
    rows = (tmp_path / name / "validation.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["iteration", "0", "3"]
    before = load_file(start)
    assert scratch or any(not np.array_equal(weights[key], before[key]) for key in before)
    assert facts["recipe"]["data"]["sources"] == [str(photographs)]
