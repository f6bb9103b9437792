"""``srbench attack``: table, files, checks and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import srbench, write_pairs
from PIL import Image

from srbench import attack_run as job


def request(lr: Path, hr: Path, **changes: object) -> job.Request:
    fields: dict[str, object] = {"model": "bicubic", "dataset": f"pairs:{lr}:{hr}", "eps": ("4", "14")}
    return job.Request(**(fields | changes))  # type: ignore[arg-type]


def test_the_curve_is_computed_from_the_records(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=24)
    prepared = job.prepare(request(lr, hr))
    assert job.run(prepared).measured == 2 * 5
    found = job.records(prepared)
    curve = job.points(prepared, found)
    assert [point.eps for point in curve] == pytest.approx([4, 14])
    clean = [record.metrics["psnr"] for record in found[""]]
    assert curve[0].metrics["psnr"][0] == pytest.approx(np.mean(clean))
    assert curve[1].lr_psnr[1] < curve[0].lr_psnr[1]
    # A bicubic upscaler passes noise on nearly as it is: no more than its kernel amplifies.
    assert 0.3 < curve[1].gain[0] < 1.5
    area = job.area_under_curve(curve, "psnr")
    assert area is not None
    assert curve[1].metrics["psnr"][2] < area < curve[0].metrics["psnr"][0]
    assert job.run(job.prepare(request(lr, hr))).measured == 0


def test_checks_speak_of_the_attack(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=24)
    prepared = job.prepare(request(lr, hr, preset="ifgsm-choi"))
    job.run(prepared)
    verdicts = {verdict.name: verdict for verdict in job.checks(prepared, job.records(prepared))}
    assert verdicts["beats random (psnr)"].ok
    assert verdicts["inside the ball"].ok
    assert verdicts["deterministic model"].ok
    assert verdicts["eps 0 is clean"].ok
    # A linear model under squared error: fifty steps take nearly every value to the bound.
    assert verdicts["share at bound"].ok


def test_files(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    out = tmp_path / "out"
    arguments = ["attack", "bicubic", "--eps", "8", "--dataset", f"pairs:{lr}:{hr}", "--out", str(out)]
    for _ in range(2):
        done = srbench(*arguments)
        assert done.returncode == 0, done.stderr
    assert "beats random" in done.stdout
    assert {file.name for file in out.iterdir()} == {"attack.json", "curves.png", "rsr@8"}
    names = {file.name for file in (out / "rsr@8").iterdir()}
    assert names == {"000.png", "000_lr.png", "000_sr.png", "000_noise.npy"}
    noise = np.load(out / "rsr@8/000_noise.npy")
    assert noise.shape == (3, 24, 24)
    assert np.abs(noise).max() <= 8 / 255 + 1e-6
    clean = np.asarray(Image.open(lr / "000x4.png")).astype(int)
    attacked = np.asarray(Image.open(out / "rsr@8/000_lr.png")).astype(int)
    assert np.abs(attacked - clean).max() <= 8
    assert np.abs(attacked - clean - 255 * noise.transpose(1, 2, 0)).max() <= 0.501
    content = json.loads((out / "attack.json").read_text())
    assert content["curve"][0]["eps"] == pytest.approx(8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bicubik"], ["bicubik", "bicubic"]),
        (["bicubic", "--eps", "0.05"], ["0.05", "ambiguous"]),
        (["bicubic", "--eps", "300"], ["300"]),
        (["bicubic", "--eps", "0"], ["clean"]),
        (["bicubic", "--eps", "-3"], ["-3"]),
        (["bicubic", "--preset", "rrs"], ["rrs", "rsr"]),
        (["bicubic", "--loss", "l7"], ["l7"]),
        (["bicubic", "--dataset", "all"], ["one data set"]),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: list[str]) -> None:
    done = srbench("attack", *arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("srbench: ")]
    for word in words:
        assert word in line
