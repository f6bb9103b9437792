"""Suites: their recipes agree, later runs start from earlier ones, finished ones are kept."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path

import pytest
import torch
from helpers import inside
from safetensors.torch import load_file

from srbench.errors import BadInput
from srbench.support.home import sha256_file
from srbench.train import recipe as recipes
from srbench.train import suite
from srbench.train.job import TrainingRequest, train
from srbench.train.recipe import TrainingRecipe
from srbench.train.suite import Suite

PAPER = json.loads((Path(__file__).parents[1] / "leaderboards" / "paper.json").read_text(encoding="utf-8"))
TINY = """
seed = 4
[generator]
num_feat = 4
num_block = 1
[data]
patch = 32
batch = 2
[schedule]
iterations = 2
[losses]
l1 = 1.0
perceptual = 0.0
gan = 0.0
[validation]
images = 1
"""


def test_the_generalists_have_the_start_the_losses_and_the_compute_of_the_mini_zoo() -> None:
    own = {training.recipe.name: training for training in suite.load("generalist-mini").trainings()}
    (theirs,) = (t.recipe for t in suite.load("mini-zoo").trainings() if t.recipe.name == "rsr-mini-seed0")
    assert sorted({training.model for training in own.values()}) == [
        "blind-adversarial-mini",
        "blind-mini",
        "certsr-mini",
    ]
    for training in own.values():
        for part in ("init", "generator", "data", "losses", "optimizer", "discriminator", "ema", "precision"):
            assert getattr(training.recipe, part) == getattr(theirs, part), part
    seconds = {"blind-mini": 0.96, "blind-adversarial-mini": 1.35, "certsr-mini": 3.95}
    for training in own.values():
        spent = training.recipe.schedule.iterations * seconds[training.model]
        assert spent == pytest.approx(theirs.schedule.iterations * 1.28, rel=0.01)
    attack = {key: value for key, value in theirs.degradation.items() if key != "kind"}
    assert own["blind-adversarial-mini-seed0"].recipe.degradation.items() >= attack.items()


def kinds_of_run() -> list[TrainingRecipe]:
    """The first run of every suite and degradation."""
    firsts: dict[object, TrainingRecipe] = {}
    for name in suite.names():
        for training in suite.load(name).trainings():
            learned = training.recipe.degradation
            firsts.setdefault((name, learned["kind"], learned.get("source")), training.recipe)
    return list(firsts.values())


@pytest.mark.slow
@pytest.mark.parametrize("recipe", kinds_of_run(), ids=attrgetter("name"))
def test_runs_begin_with_the_sizes_they_have(
    recipe: TrainingRecipe, photographs: Path, tmp_path: Path
) -> None:
    """A run that cannot begin shows when the others have trained for hours."""
    changes: dict[str, object] = {"schedule.iterations": 1, "validation.images": 1, "schedule.milestones": []}
    if recipe.degradation["kind"] == "frequency-separation":
        changes |= {"degradation.iterations": 2, "degradation.checks": 1, "degradation.gate": 0.0}
        changes |= {"degradation.source_images": 64}
    if recipe.degradation.get("kernels") == "kernelgan":
        # Minutes for each kernel, which have tests of their own, and for a thousand large images.
        changes |= {"degradation.kernels": None, "degradation.source_images": 64}
    # What dead leaves are made of has tests of its own, and takes longer than a training of one iteration.
    changes |= {"data.sources": [str(photographs)]}
    if recipe.losses.perceptual_net == "lpips-squeeze":  # which a fresh machine does not have
        changes |= {"losses.perceptual_net": "lpips-lite"}
    started = recipe.model_copy(update={"init": "scratch"}) if recipe.init == "esrgan-psnr-mini" else recipe
    train(TrainingRequest(recipes.override(started, changes), tmp_path / "run"))
    assert (tmp_path / "run" / "training.json").is_file()


@pytest.fixture
def two(tmp_path: Path) -> Suite:
    """A run and another that starts from it, listed before it."""
    (tmp_path / "first.toml").write_text('name = "first"\n' + TINY)
    (tmp_path / "second.toml").write_text('name = "second"\ninit = "first"\n' + TINY)
    runs = [{"recipe": str(tmp_path / f"{name}.toml")} for name in ("second", "first")]
    return Suite.model_validate({"defaults": {"settings": {"data": {"batch": 1}}}, "runs": runs})


def test_the_mini_zoo_differs_in_nothing_but_what_the_paper_compares() -> None:
    trainings = suite.load("mini-zoo").trainings()
    start, *trained = (training.recipe for training in trainings)
    assert start.name == "esrgan-psnr-mini" and start.init == "scratch"
    assert sorted({training.model for training in trainings[1:]}) == [
        "esrgan-fs-ntire-mini",
        "esrgan-mini",
        "impressionism-aim-mini",
        "impressionism-ntire-mini",
        "random-structured-mini",
        "rsr-mini",
    ]
    assert {recipe.init for recipe in trained} == {start.name}
    for part in (
        "generator",
        "data",
        "losses.l1",
        "losses.perceptual",
        "losses.perceptual_net",
        "losses.gan",
        "optimizer",
        "discriminator",
        "precision",
    ):
        assert len({repr(attrgetter(part)(recipe)) for recipe in trained}) == 1, part
    for model in ("rsr-mini", "random-structured-mini", "esrgan-mini"):
        assert [t.recipe.seed for t in trainings if t.model == model] == [0, 1, 2]
    for recipe in trained:
        assert recipe.degradation.get("source", f"mini:{recipe.domain}") == f"mini:{recipe.domain}"


def test_the_ablation_is_the_papers_twelve_rows() -> None:
    attacks = [
        (r.degradation["eps"], r.degradation["steps"], r.degradation["structure"], r.degradation["loss"])
        for r in (t.recipe for t in suite.load("ablation-mini").trainings())
    ]
    assert attacks == [
        (f"{row['eps']}/255", row["steps"], row["structure"], row["loss"].replace("l1+", "0.01*l1+"))
        for row in PAPER["table_1"]["rows"]
    ]


@pytest.mark.slow
def test_a_run_waits_for_the_one_it_starts_from_and_equals_one_trained_alone(
    tmp_path: Path, two: Suite
) -> None:
    wanted = two.trainings({"schedule.iterations": 3})
    finished = [folder.name for folder, _ in suite.train_all(wanted, tmp_path / "runs", jobs=2)]
    assert finished == ["first", "second"]
    alone = recipes.override(wanted[0].recipe, {"init": str(tmp_path / "runs" / "first")})
    train(TrainingRequest(alone, tmp_path / "alone", threads=1))
    weights, others = (load_file(tmp_path / f / "model.safetensors") for f in ("runs/second", "alone"))
    assert all(torch.equal(weights[name], others[name]) for name in others)
    again = list(suite.train_all(wanted, tmp_path / "runs", jobs=2))
    assert [seconds for _, seconds in again] == [0.0, 0.0]
    with pytest.raises(
        BadInput, match=r"first was begun with other settings: seed is 4 in the run and 5 now"
    ):
        list(suite.train_all(two.trainings({"schedule.iterations": 3, "seed": 5}), tmp_path / "runs", jobs=1))


@pytest.mark.slow
def test_finished_runs_are_packed(tmp_path: Path, two: Suite) -> None:
    (tmp_path / "zoo" / "cards").mkdir(parents=True)
    first = two.trainings()[1:]
    list(suite.train_all(first, tmp_path / "runs", jobs=1, zoo=tmp_path / "zoo"))
    packed = tmp_path / "zoo" / "mini" / "first.safetensors"
    assert sha256_file(packed) in (tmp_path / "zoo" / "cards" / "first.toml").read_text()


@pytest.mark.slow
def test_of_several_seeds_the_median_one_is_packed(tmp_path: Path, two: Suite) -> None:
    (tmp_path / "zoo" / "cards").mkdir(parents=True)
    seeded = two.model_copy(update={"runs": (two.runs[1].model_copy(update={"seeds": 3}),)})
    wanted = seeded.trainings({"schedule.iterations": 3})
    assert [(t.recipe.name, t.recipe.seed, t.model) for t in wanted] == [
        ("first-seed0", 4, "first"),
        ("first-seed1", 5, "first"),
        ("first-seed2", 6, "first"),
    ]
    runs = [folder for folder, _ in suite.train_all(wanted, tmp_path / "runs", jobs=1, zoo=tmp_path / "zoo")]
    scores = {run: float((run / "validation.csv").read_text().splitlines()[-1].split(",")[4]) for run in runs}
    middle = sorted(runs, key=scores.__getitem__)[1]
    packed = load_file(tmp_path / "zoo" / "mini" / "first.safetensors")
    assert all(
        torch.equal(packed[name], value.half())
        for name, value in load_file(middle / "model.safetensors").items()
    )
    assert [card.name for card in (tmp_path / "zoo" / "cards").iterdir()] == ["first.toml"]


def test_two_runs_of_one_name_and_unknown_suites_are_refused(two: Suite) -> None:
    with pytest.raises(BadInput, match="two runs are called same"):
        two.trainings({"name": "same"})
    with pytest.raises(BadInput, match="no suite 'zoo': choose ablation-mini or generalist-mini or mini-zoo"):
        suite.load("zoo")


def test_a_run_that_starts_from_itself_is_refused(tmp_path: Path, two: Suite) -> None:
    with pytest.raises(BadInput, match="second starts from itself"):
        list(suite.train_all(two.trainings({"init": "second"})[:1], tmp_path / "runs", jobs=1))


@pytest.mark.slow
def test_what_a_run_refuses_ends_the_suite_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "photographs"
    options = ["--data", str(missing), "--out", str(tmp_path / "runs"), "--jobs", "1"]
    done = inside("maintain", "suite", "ablation-mini", *options)
    assert done.returncode == 2
    assert str(missing) in done.stderr.splitlines()[-1]
