"""The command line as a user meets it: help, listings, and one clear line for everything that goes wrong."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import inside, record, srbench, write_pairs

from srbench import zoo
from srbench.store.folder import Store
from srbench.version import __version__


def refused(*arguments: str, code: int = 2, **environment: str) -> str:
    """Run, expect failure with one line and no traceback, and give that line."""
    done = inside(*arguments, **environment)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("srbench: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_version_and_help() -> None:
    assert srbench("--version").stdout == f"srbench {__version__}\n"
    shown = srbench("--help").stdout
    for command in ("evaluate", "models", "datasets", "metrics", "leaderboard", "doctor"):
        assert command in shown


def test_help_is_instant_because_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; import srbench.cli;"
        "heavy = {'torch','numpy','pandas','pydantic','PIL','spandrel','pyiqa','lpips','skimage'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    times = []
    for _ in range(3):
        started = time.perf_counter()
        srbench("--help")
        times.append(time.perf_counter() - started)
    # A third of a second on an idle machine; the margin is for busy ones.
    assert min(times) < 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "bicubik"], ["bicubik", "bicubic"]),
        (["--models", "rsr", "--track", "full"], ["rsr", "not installed", "srbench models install"]),
        (["--datasets", "ntir"], ["ntir", "ntire"]),
        (["--datasets", "ntire", "--track", "full"], ["srbench datasets add ntire"]),
        (["--datasets", "set5", "--track", "mini"], ["set5"]),
        (["--metrics", "lpipps"], ["lpipps", "lpips"]),
        (["--protocol", "rsrr"], ["rsrr", "rsr"]),
        (["--attacks", "nonne"], ["nonne", "none"]),
        (["--device", "tpu"], ["tpu", "cpu"]),
        (["--models", "no/such/file.pth"], ["no/such/file.pth"]),
        (["--models", "nowhere.at_all:factory"], ["nowhere"]),
        (["--datasets", "folder:/no/such/dir"], ["/no/such/dir"]),
        (["--datasets", "pairs:/no/such/dir"], ["pairs:"]),
        (["--rerun", "never", "--models", "bicubic"], ["no records"]),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: list[str]) -> None:
    line = refused("evaluate", *arguments)
    for word in words:
        assert word in line


def test_cuda_asked_for_where_there_is_none() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert "CUDA" in refused("evaluate", "--device", "cuda", "--datasets", "clean-mini")


@pytest.mark.slow
def test_unsupported_and_truncated_checkpoints(shared: Path, tmp_path: Path) -> None:
    models = shared / "assets/models"
    line = refused("evaluate", "--models", str(models / "RLFN_x4_unsupported_arch.pth"))
    assert "RLFN_x4_unsupported_arch.pth" in line
    cut = tmp_path / "cut.pth"
    cut.write_bytes((models / "CRAFT_x4.pth").read_bytes()[:100_000])
    assert "cut.pth" in refused("evaluate", "--models", str(cut))


def test_broken_folders_are_found_before_any_model_runs(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("evaluate", "--datasets", f"folder:{tmp_path / 'empty'}")
    lr, hr = write_pairs(tmp_path / "pairs", 3)
    picture = (lr / "002x4.png").read_bytes()
    (lr / "002x4.png").write_bytes(picture[: len(picture) // 2])
    store = tmp_path / "store"
    line = refused("evaluate", "--datasets", f"pairs:{lr}:{hr}", "--store", str(store))
    assert "002x4.png" in line
    assert not store.exists()
    (lr / "002x4.png").unlink()
    assert "002" in refused("evaluate", "--datasets", f"pairs:{lr}:{hr}")


@pytest.mark.slow
def test_an_unwritable_store_fails_before_measuring(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1)
    (tmp_path / "file").write_text("")
    arguments = ["evaluate", "--models", "bicubic", "--datasets", f"pairs:{lr}:{hr}", "--metrics", "psnr"]
    line = refused(*arguments, "--store", str(tmp_path / "file/store"), code=1)
    assert "cannot be written" in line
    line = refused(*arguments, "--out", str(tmp_path / "file/out"), code=1)
    assert "--out" in line


def test_debug_shows_the_traceback() -> None:
    done = srbench("--debug", "evaluate", "--models", "bicubik")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_listings() -> None:
    models = json.loads(inside("models", "--json").stdout)
    assert {"name": "bicubic", "installed": True}.items() <= models[0].items()
    assert {m["name"] for m in models} >= {"esrgan", "rsr", "impressionism-ntire", "esrgan-fs-aim"}
    sets = {s["name"]: s for s in json.loads(inside("datasets", "--json").stdout)}
    assert sets["ntire-mini"]["available"]
    assert "srbench datasets add ntire" in sets["ntire"]["how"]
    for command in (["models"], ["datasets"], ["metrics"], ["doctor"]):
        done = inside(*command)
        assert done.returncode == 0, done.stderr
        assert "…" not in done.stdout


@pytest.mark.slow
def test_install_and_evaluate_a_model(shared: Path, tmp_path: Path) -> None:
    file = shared / "assets/models/RealESRGAN_General_x4_v3_from_ncnn.pth"
    done = inside("models", "install", "realesrgan-general", "--from", str(file))
    assert done.returncode == 0, done.stderr
    wrong = shared / "assets/models/CRAFT_x4.pth"
    assert "CRAFT_x4.pth" in refused("models", "install", "realesrgan-general-wdn", "--from", str(wrong))
    arguments = ["--datasets", "clean-mini", "--limit", "1", "--metrics", "psnr", "--json"]
    rows = json.loads(inside("evaluate", "--models", "all", *arguments).stdout)[0]["rows"]
    packaged = {name for name in zoo.names() if zoo.card(name).packaged}
    assert {row["model"] for row in rows} == {"bicubic", "realesrgan-general", *packaged}


@pytest.mark.slow
def test_add_verify_and_evaluate_a_set(shared: Path, tmp_path: Path) -> None:
    folder = shared / "assets/images/Set5"
    lr, hr = folder / "LR_bicubic/X4", folder / "HR"
    done = inside("datasets", "add", "set5", "--lr", str(lr), "--hr", str(hr))
    assert done.returncode == 0, done.stderr
    assert "as registered" in inside("datasets", "verify").stdout
    done = inside("evaluate", "--models", "bicubic", "--datasets", "set5", "--protocol", "y", "--json")
    average = json.loads(done.stdout)[0]["rows"][0]["average"]["none"]
    # What every SR paper prints for bicubic x4 on Set5.
    assert average["psnr"]["mean"] == pytest.approx(28.42, abs=0.05)
    assert average["ssim"]["mean"] == pytest.approx(0.810, abs=0.003)


def test_leaderboard_rebuilds_from_the_store_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    from pathlib import PurePosixPath

    for name in ("a", "b"):
        with store.writer(PurePosixPath(f"rsr/set/none/{name}.jsonl")) as writer:
            writer.append(record(model=name, dataset_images=1))
    arguments = ["leaderboard", "--store", str(store.root), "--out", str(tmp_path / "out"), "--json"]
    done = inside(*arguments)
    assert [row["model"] for row in json.loads(done.stdout)[0]["rows"]] == ["a", "b"]
    assert (tmp_path / "out/leaderboard.md").exists()
    assert len(json.loads(inside(*arguments, "--models", "b").stdout)[0]["rows"]) == 1
    assert "no such records" in refused("leaderboard", "--store", str(tmp_path / "nothing"))


def test_the_mini_sets_are_never_called_by_the_full_name(tmp_path: Path) -> None:
    out = tmp_path / "out"
    chosen = ["--models", "bicubic", "--datasets", "ntire", "--limit", "1", "--metrics", "psnr"]
    done = inside("evaluate", *chosen, "--out", str(out))
    assert "ntire-mini2" in done.stderr
    assert "ntire-mini2" in done.stdout
    for file in out.iterdir():
        text = file.read_text()
        assert "ntire-mini2" in text
        assert '"ntire"' not in text
    with (out / "records.csv").open() as file:
        assert {row["dataset"] for row in csv.DictReader(file)} == {"ntire-mini2"}
