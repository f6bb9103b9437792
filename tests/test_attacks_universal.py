"""One noise for a whole set, from the command line: found on its first images, measured on all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import inside, write_pairs

import srbench as package
from srbench import attacks, datasets, zoo
from srbench.attacks import UniversalPerturbation
from srbench.errors import BadInput
from srbench.run.image import as_tensor


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    lr, hr = write_pairs(tmp_path / "set", 4, side=24, seed=1)
    return f"pairs:{lr}:{hr}"


def test_it_is_found_on_the_first_images_whatever_the_limit(pairs: str, tmp_path: Path) -> None:
    frames = {}
    for store, limit in (("all", None), ("two", 2)):
        frames[store] = package.evaluate(
            models=["bicubic"],
            datasets=[pairs],
            attacks=["universal@8(images=3,steps=4)"],
            metrics=["psnr"],
            limit=limit,
            store=tmp_path / store,
        )
    records = {name: frame.set_index("image").to_dict("index") for name, frame in frames.items()}
    assert len(records["all"]) == 4 and len(records["two"]) == 2
    for image, record in records["two"].items():
        assert record["psnr"] == records["all"][image]["psnr"]
        assert record["attack_hash"] == records["all"][image]["attack_hash"]
    (data,), _ = datasets.resolve([pairs])
    (bicubic,) = zoo.resolve(["bicubic"])
    model = bicubic.load("cpu")
    images = {i: data.load(i) for i in data.ids}
    by_hand = UniversalPerturbation(model, eps=8 / 255, steps=4)
    by_hand.fit((as_tensor(images[i].lr), as_tensor(images[i].hr)) for i in data.ids[:3])
    for i, loaded in images.items():
        lr, hr = as_tensor(loaded.lr), as_tensor(loaded.hr)
        sr = model(by_hand(lr)).clamp(0, 1)
        mse = float((sr - hr)[..., 4:-4, 4:-4].double().square().mean())
        assert records["all"][i]["psnr"] == pytest.approx(-10 * np.log10(mse), abs=1e-3)


def test_attack_reports_it_and_says_what_it_did_not_check(pairs: str, tmp_path: Path) -> None:
    shared = ["attack", "bicubic", "--pairs", pairs.removeprefix("pairs:"), "--preset", "universal"]
    shared += ["--steps", "3", "--metrics", "psnr", "--store", str(tmp_path / "store")]
    done = inside(*shared, "--eps", "8", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (point,) = found["curve"]
    assert point["effects"]["universal"]["metrics"]["psnr"] < found["clean"]["psnr"]
    assert found["not_checked"] == ["universal: all of one image, as it is found on a set"]
    tiled = inside(*shared, "--eps", "8", "--tile", "16", "--store", str(tmp_path / "tiled"))
    assert "attack universal(steps=3) is one noise for whole images: use --tile whole" in tiled.stderr


def test_a_preset_says_that_it_is_fitted() -> None:
    assert [attacks.preset(name).fitted for name in ("universal", "rsr", "random", "strong")] == [
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(BadInput, match="has to be fitted first"):
        package.attack(torch.nn.Upsample(scale_factor=4), torch.rand(1, 3, 8, 8), preset="universal")
