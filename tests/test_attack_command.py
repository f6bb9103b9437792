"""``srbench attack``: curve, transfer, corruptions, files and bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from attack_cases import request
from helpers import inside, write_pairs
from PIL import Image

from srbench import zoo
from srbench.figures.attack_gallery import Gallery
from srbench.robustness import attack as job
from srbench.robustness import curves as robustness
from srbench.robustness.strength import check_strength
from srbench.run.outcome import Outcome


def test_the_curve_is_computed_from_the_records(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=24)
    prepared = job.prepare(request(lr, hr, presets=("rsr", "ifgsm-choi")))
    assert job.run(prepared).measured == 2 * 7
    found = job.records(prepared)
    curve = robustness.curve(prepared)
    assert [point.eps for point in curve.points] == pytest.approx([4, 14])
    assert curve.attacks == ["random", "rsr", "ifgsm-choi"]
    clean = [record.metrics["psnr"] for record in found[""]]
    assert curve.clean["psnr"] == pytest.approx(np.mean(clean))
    low, high = (point.effects["rsr"] for point in curve.points)
    assert high.lr_psnr < low.lr_psnr
    # A bicubic upscaler passes noise on nearly as it is: no more than its kernel amplifies.
    noise = curve.points[1].effects["random"]
    assert 0.3 < noise.gain < 1.5
    strong = curve.points[1].effects["ifgsm-choi"]
    damage = [curve.clean["psnr"] - effect.metrics["psnr"] for effect in (strong, noise)]
    assert strong.beyond_random["psnr"] == pytest.approx(1 - damage[1] / damage[0])
    # 8 bit moves a value by half a level at most: little beside fourteen, but something.
    assert high.saved["psnr"] == pytest.approx(high.metrics["psnr"], abs=0.05)
    assert high.saved["psnr"] != high.metrics["psnr"]
    area = curve.area("rsr", "psnr")
    assert area is not None
    ys = [curve.clean["psnr"], low.metrics["psnr"], high.metrics["psnr"]]
    assert area == pytest.approx(np.trapezoid(ys, [0, 4, 14]) / 14)
    assert job.run(job.prepare(request(lr, hr))).measured == 0


def test_an_l2_attack_keeps_to_its_root_mean_square(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    prepared = job.prepare(request(lr, hr, norm="l2", eps=("6",)))
    job.run(prepared)
    ((_, recipe),) = [item for item in prepared.strongest.items() if item[0] == "rsr"]
    assert recipe.name == "rsr@6(norm=l2)"
    assert recipe.settings()["norm"] == "l2"
    (record,) = job.records(prepared)[recipe.hash]
    assert record.effect["lr_psnr"] >= -20 * np.log10(6 / 255) - 1e-3
    assert record.effect["lr_max"] > 6
    assert not record.flags


@pytest.mark.slow
def test_transferred_noise_is_the_source_models_own(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    seen: dict[tuple[str, str], torch.Tensor] = {}

    def keep(measured: object) -> None:
        seen[measured.record.model, measured.record.attack] = measured.attacked.lr  # type: ignore[attr-defined]

    other = "helpers:blurry_upscaler"
    prepared = job.prepare(request(lr, hr, eps=("14",), transfer_to=("all", other), metrics=("psnr",)), keep)
    job.run(prepared)
    for target, source in (("bicubic", other), (other, "bicubic")):
        transferred = seen[target, f"rsr from {source}"]
        assert torch.equal(transferred, seen[source, "rsr"])
        assert not torch.equal(transferred, seen[target, "rsr"])
    matrix = {(c.source, c.target): c.metrics["psnr"] for c in robustness.transfer_matrix(prepared)}
    models = ("bicubic", *(name for name in zoo.names() if zoo.card(name).packaged), other)
    assert set(matrix) == {(s, t) for s in ("random", *models) for t in models}
    names = {verdict.name for verdict in check_strength(prepared, thorough=True).verdicts}
    assert f"rsr: white box wins over {other} (psnr)" in names


def test_corruptions_are_measured_at_five_severities(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    prepared = job.prepare(request(lr, hr, eps=("14",), corruptions=True))
    job.run(prepared)
    table = robustness.corruption_table(prepared)
    assert set(table["gaussian-noise"]) == {1, 2, 3, 4, 5}
    assert len(table) == 7
    falling = [table["gaussian-noise"][severity]["psnr"] for severity in (1, 3, 5)]
    assert falling == sorted(falling, reverse=True)


def test_the_report_has_natural_signs_and_a_perceptual_column(tmp_path: Path) -> None:
    """Offline and without weights LPIPS cannot be had; what stands in for it is shown, and judges."""
    lr, hr = write_pairs(tmp_path, 1, side=32)
    done = inside("attack", "bicubic", "--pairs", f"{lr}:{hr}")
    assert done.returncode == 0, done.stderr
    assert "LPIPS-lite ↓" in done.stdout and "LPIPS-lite as PNG" in done.stdout
    checks = [line for line in done.stdout.splitlines() if "beats random" in line]
    assert {line.split("(")[1].split(")")[0] for line in checks} == {"psnr", "lpips-lite", "ssim"}
    (of_psnr,) = (line for line in checks if "(psnr)" in line)
    numbers = re.search(r"mean (\S+) against (\S+) \(lower is worse\)", of_psnr)
    assert numbers is not None and all(0 < float(number) < 60 for number in numbers.groups())
    assert "(higher is worse)" in next(line for line in checks if "(lpips-lite)" in line)
    assert "Not checked, as it takes more than the attack" in done.stdout
    again = inside("attack", "bicubic", "--pairs", f"{lr}:{hr}", "--no-checks")
    assert "Is the attack strong?" not in again.stdout and "LPIPS-lite ↓" in again.stdout
    both = inside("attack", "bicubic", "--no-checks", "--all-checks")
    assert both.returncode == 2 and "contradict" in both.stderr


def test_a_tiled_attack_is_recorded_as_such(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=40)
    whole = job.prepare(request(lr, hr, eps=("14",)))
    tiles = job.prepare(request(lr, hr, eps=("14",), tile=32))
    for prepared in (whole, tiles):
        job.run(prepared)
    one, other = (job.records(p)[p.strongest["rsr"].hash][0] for p in (whole, tiles))
    assert (one.tile, other.tile) == (None, 32)
    assert other.attack_settings is not None
    assert other.attack_settings["tile"] == 32
    assert one.effect != other.effect
    assert other.effect["lr_max"] <= 14 + 1e-3


@pytest.mark.slow
def test_files(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    out = tmp_path / "out"
    arguments = ["attack", "bicubic", "--eps", "8", "--pairs", f"{lr}:{hr}", "--out", str(out)]
    for again in (False, True):
        if again:
            (out / "rsr@8/000.png").unlink()
        done = inside(*arguments)
        assert done.returncode == 0, done.stderr
    assert "beats random" in done.stdout
    assert {file.name for file in out.iterdir()} == {"attack.json", "attack.md", "curves.png", "rsr@8"}
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
    markdown = (out / "attack.md").read_text()
    assert f"| 8 | rsr | {content['curve'][0]['effects']['rsr']['metrics']['psnr']:.2f} |" in markdown


@pytest.mark.slow
def test_images_without_ground_truth(tmp_path: Path) -> None:
    lr, _ = write_pairs(tmp_path, 1, side=100)
    done = inside("attack", "bicubic", "--images", str(lr), "--loss", "mse", "--json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["curve"][0]["effects"]["rsr"]["sr_psnr"] < 60


@pytest.mark.parametrize("address", ["memory://{}", "local://{}/objects"])
def test_an_attack_at_an_address_is_the_one_in_a_folder(address: str, tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=24)

    def run(store: str) -> tuple[Outcome, robustness.Curve]:
        prepared = job.prepare(request(lr, hr, eps=("8",), metrics=("psnr",), store=store))
        return job.run(prepared), robustness.curve(prepared)

    place = address.format(tmp_path)
    _, in_folder = run(str(tmp_path / "folder"))
    first, at_address = run(place)
    again, _ = run(place)
    assert at_address == in_folder
    assert (first.measured, again.measured, again.kept) == (6, 0, 6)
    assert not list(Path.cwd().glob("memory*")), "an address is no folder of that name"


@pytest.mark.slow
def test_the_command_takes_addresses(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    common = ["attack", "bicubic", "--pairs", f"{lr}:{hr}", "--metrics", "psnr"]
    for store in ("memory://bucket/x", f"local://{tmp_path}/objects"):
        done = inside(*common, "--store", store)
        assert done.returncode == 0, done.stderr
        assert "beats random" in done.stdout
    assert list((tmp_path / "objects").rglob("*.part"))
    for store in ("nonsense://there", "s3-of-nobody://bucket/x"):
        refused = inside(*common, "--store", store)
        assert refused.returncode == 2
        (line,) = [text for text in refused.stderr.splitlines() if text.startswith("srbench: ")]
        assert store in line


@pytest.mark.thorough
def test_workers_elsewhere_leave_the_pictures_to_this_process(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    common = ["attack", "bicubic", "--pairs", f"{lr}:{hr}", "--metrics", "psnr", "--eps", "8"]
    for folder, more in (("here", []), ("there", ["--engine", "ray", "--ray-workers", "1"])):
        files = ["--store", str(tmp_path / "store" / folder), "--out", str(tmp_path / folder)]
        done = inside(*common, *files, *more)
        assert done.returncode == 0, done.stderr
    for name in ("attack.json", "rsr@8/000_lr.png", "rsr@8/000_sr.png", "rsr@8/000_noise.npy"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bicubik"], ["bicubik", "bicubic"]),
        (["bicubic", "--eps", "0.05"], ["0.05", "ambiguous"]),
        (["bicubic", "--eps", "300"], ["300"]),
        (["bicubic", "--eps", "0"], ["clean"]),
        (["bicubic", "--eps", "-3"], ["-3"]),
        (["bicubic", "--preset", "rrs"], ["rrs", "rsr"]),
        (["bicubic", "--preset", "rsr@8"], ["--eps"]),
        (["bicubic", "--loss", "l7"], ["l7"]),
        (["bicubic", "--dataset", "all"], ["one data set"]),
        (["bicubic", "--dataset", "ntire", "--images", "x"], ["--dataset", "--images"]),
        (["bicubic", "--norm", "l3"], ["l3", "linf"]),
        (["bicubic", "--norm", "l2", "--preset", "strong"], ["strong", "linf"]),
        (["bicubic", "--transfer-to", "bicubic"], ["--transfer-to", "another"]),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: list[str]) -> None:
    done = inside("attack", *arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("srbench: ")]
    for word in words:
        assert word in line


def test_what_cannot_be_attacked_is_named_and_the_rest_is_reported(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 40, 3), dtype=np.uint8)
    for name, shape in (("a", (1, 1)), ("b", (32, 40)), ("c", (2, 2)), ("d", (24, 24))):
        Image.fromarray(pixels[: shape[0], : shape[1]]).save(tmp_path / f"{name}.png")
    done = inside("attack", "bicubic", "--images", str(tmp_path), "--json")
    assert done.returncode == 1, done.stderr
    assert "unexpected" not in done.stderr
    content = json.loads(done.stdout)
    assert content["images"] == 2, "those that could be attacked"
    assert content["curve"][0]["effects"]["rsr"]["sr_psnr"] < 60
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2, "random noise, and rsr"
    assert all("image a: " in line or "images a" in line for line in failed)
    assert "image c: " in failed[1], "whose SR is too small for the objective"


@pytest.mark.parametrize(("side", "measured"), [(32, True), (3, False)])
def test_images_without_hr_are_drawn_and_tabled(side: int, measured: bool, tmp_path: Path) -> None:
    """By the metrics they have; SR of 12 x 16 is too small for PIQE, and then there is nothing to draw."""
    pixels = np.random.default_rng(0).integers(0, 255, (side, side + 1, 3), dtype=np.uint8)
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
    out, preset = tmp_path / "out", ["--preset", "random", "--metrics", "piqe"]
    done = inside("attack", "bicubic", "--images", str(tmp_path / "images"), *preset, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert (out / "curves.png").is_file() == measured
    assert "2 images" in (out / "attack.md").read_text() and ("PIQE ↓" in done.stdout) == measured


def test_a_picture_made_on_resuming_is_the_one_of_an_uninterrupted_run(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=24)

    def run(out: Path) -> None:
        gallery = Gallery(out)
        wanted = request(lr, hr, eps=("8",), metrics=("psnr",), store=tmp_path / "store")
        gallery.attack = job.prepare(wanted, gallery.show, gallery.lacks)
        job.run(gallery.attack)

    run(tmp_path / "whole")
    (cell,) = (file for file in (tmp_path / "store").rglob("*.jsonl") if file.parent.name.startswith("rsr"))
    cell.write_text(cell.read_text().splitlines()[0] + "\n")
    run(tmp_path / "resumed")
    for name in ("000.png", "001.png", "001_noise.npy"):
        whole, resumed = (tmp_path / folder / "rsr@8" / name for folder in ("whole", "resumed"))
        assert whole.read_bytes() == resumed.read_bytes()
