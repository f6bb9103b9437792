"""Training on the median of several predictions: CertSR's."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_train_run import tiny

from srbench.train.job import TrainingRequest, train
from srbench.train.trainer import _medians


def test_medians_are_numpys_in_the_order_of_the_lr_images() -> None:
    sr = torch.rand(2 * 3 * 4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    groups = _medians(sr, count=4, samples=3)
    due = np.median(sr.numpy().reshape(2, 3, 4, 3, 5, 6), axis=1)
    assert np.array_equal(torch.stack(groups).numpy(), due)
    assert [
        torch.equal(group, part) for group, part in zip(_medians(sr, 12, 1), sr.split(12), strict=True)
    ] == [
        True,
        True,
    ]


def test_noise_of_no_size_is_clean_training(tmp_path: Path) -> None:
    """Losses, and with them every step, are means over the groups: two equal ones weigh as much as one."""
    shared = {"schedule.iterations": 3, "validation.every": 3}
    recipes = {
        "clean": tiny(degradation={"kind": "clean"}, **shared),
        "still": tiny(degradation={"kind": "gaussian", "sigmas": ["0", "0"], "samples": 3}, **shared),
        "noisy": tiny(degradation={"kind": "gaussian", "sigmas": ["0", "128"], "samples": 3}, **shared),
    }
    logs, weights = {}, {}
    for name, recipe in recipes.items():
        train(TrainingRequest(recipe, tmp_path / name, threads=1))
        with (tmp_path / name / "log.csv").open() as file:
            logs[name] = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
        weights[name] = load_file(tmp_path / name / "model.safetensors")
    assert np.array(logs["still"]) == pytest.approx(np.array(logs["clean"]), rel=1e-4)
    for key, value in weights["clean"].items():
        assert torch.allclose(weights["still"][key], value, atol=2e-5), key
    assert not np.allclose(logs["noisy"], logs["clean"], rtol=3e-4)
