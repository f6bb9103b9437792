"""Train a tiny network against structured-noise PGD for a few iterations, then measure it."""

import tempfile
from pathlib import Path

import srbench
from srbench.train import recipe as recipes
from srbench.train.job import TrainingRequest, train

with tempfile.TemporaryDirectory() as folder:
    recipe = recipes.load(
        "rsr-mini",
        {
            "name": "tiny",
            "init": "scratch",
            "precision": "fp32",
            "generator.num_feat": 16,
            "generator.num_block": 1,
            "data.batch": 2,
            "data.patch": 64,
            "degradation.loss": "l1",
            "degradation.precision": "fp32",
            "losses.perceptual_net": "features",
            "schedule.iterations": 10,
            "validation.every": 5,
            "validation.images": 2,
        },
    )
    run = Path(folder) / recipe.name
    state = train(TrainingRequest(recipe, run, threads=1))
    print(f"{state.iteration} iterations in {state.seconds:.1f} s, recipe {recipe.hash[:8]}")
    print((run / "log.csv").read_text())
    records = srbench.evaluate([run, "bicubic"], datasets="ntire-mini", metrics=["psnr"], limit=2)

print(srbench.leaderboard(records))
