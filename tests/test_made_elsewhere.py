"""SR images made elsewhere stand beside models: measured as those are, known by their bytes, never run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import nn

import srbench
from srbench import zoo
from srbench.boards.csv_records import from_frame, read_csv
from srbench.boards.files import write_all
from srbench.boards.site.data import site
from srbench.cli import main
from srbench.entries.board import board
from srbench.entries.read import read_entry
from srbench.entries.validate import validate
from srbench.errors import BadInput, RunFailed
from srbench.evaluation import EvaluationRequest, evaluate
from srbench.support.scales import SCALES
from srbench.zoo.from_python import from_python

Command = Callable[..., tuple[int, str]]
IDS = ("boat", "house", "tree")
SIDE = 18
"""LR images are so high, and two pixels wider."""


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command line here; its exit code and everything it said."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["srbench", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), " ".join((said.out + said.err).split())

    return run


def image(seed: int, height: int, width: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def pairs(folder: Path, scale: int = 4, seed: int = 0) -> str:
    """A data set called ``set`` of three pairs."""
    for index, name in enumerate(IDS):
        for role, factor in (("lr", 1), ("hr", scale)):
            (folder / role).mkdir(parents=True, exist_ok=True)
            file = folder / role / f"{name}.png"
            image(seed + 10 * index + factor, SIDE * factor, (SIDE + 2) * factor).save(file)
    return f"set=pairs:{folder / 'lr'}:{folder / 'hr'}"


def made(folder: Path, names: tuple[str, ...] = IDS, scale: int = 4, suffix: str = ".png") -> Path:
    """SR images of the set."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        image(100 + index, SIDE * scale, (SIDE + 2) * scale).save(folder / f"{name}{suffix}")
    return folder


def measured(models: str | list[str], sets: str | list[str], **options: object) -> pd.DataFrame:
    chosen: dict[str, object] = {"metrics": ["psnr", "ssim"], "store": None} | options
    return srbench.evaluate(models, datasets=sets, **chosen)  # type: ignore[arg-type]


def _request(data: str, *models: str) -> EvaluationRequest:
    return EvaluationRequest(models=models, datasets=(data,), metrics=("psnr",))


@pytest.mark.parametrize("scale", SCALES)
def test_kept_images_give_the_records_of_the_model_that_made_them(scale: int, tmp_path: Path) -> None:
    data, store = pairs(tmp_path, scale), tmp_path / "store"
    own = srbench.evaluate(
        {"net": nn.Upsample(scale_factor=scale, mode="bilinear")},
        datasets=data,
        metrics=["psnr", "ssim", "gmsd"],
        store=store,
        keep_images=True,
        scale=scale,
    )
    (kept,) = store.rglob("sr")
    names = ["psnr", "ssim", "gmsd"]
    again = measured([f"mine=outputs:{kept}", "bicubic"], data, metrics=names, scale=scale)
    mine = again[again.model == "mine"]
    assert list(mine.image) == list(own.image) == list(IDS)
    for name in names:  # of 8-bit images, which saving loses nothing of
        assert list(mine[name]) == list(own[name])
    assert set(mine.weights_sha256) == {zoo.resolve([f"outputs:{kept}"])[0].weights_sha256}
    assert set(mine.seconds) == {0.0}
    assert set(mine.made_elsewhere) == {True}
    table = srbench.leaderboard(again).tables[0]
    assert [row.rank for row in table.rows] == [1, 1]
    assert any("mine is SR images made elsewhere" in flag for flag in table.flags)


def test_a_folder_for_each_set_is_one_row_however_it_is_evaluated(tmp_path: Path) -> None:
    first = pairs(tmp_path / "a").replace("set=", "one=")
    second = pairs(tmp_path / "b", seed=5).replace("set=", "two=")
    folder = tmp_path / "sr"
    made(folder / "one")
    made(folder / "two", suffix="_x4.png")
    store = tmp_path / "store"
    together = measured(f"outputs:{folder}", [first, second], store=store)
    apart = [measured(f"outputs:{folder}", data, store=store) for data in (first, second)]
    assert together.psnr.tolist() == [value for frame in apart for value in frame.psnr]
    assert len(srbench.leaderboard(pd.concat(apart)).tables[0].rows) == 1
    flat = made(tmp_path / "flat")
    with pytest.raises(BadInput, match=r"no folder one .* its images lie beside each other"):
        measured(f"outputs:{flat}", [first, second])
    shutil.rmtree(folder / "two")
    with pytest.raises(BadInput, match=r"no folder two .* it has one"):
        measured(f"outputs:{folder}", [first, second])


def test_names_and_bytes_are_the_identity(tmp_path: Path) -> None:
    def identity(folder: Path) -> str:
        return zoo.resolve([f"outputs:{folder}"])[0].weights_sha256

    folder, copy = made(tmp_path / "sr"), made(tmp_path / "copy")
    (folder / "notes.txt").write_text("seed 7")
    assert identity(folder) == identity(copy)
    (copy / "boat.png").rename(copy / "ship.png")
    assert identity(folder) != identity(copy)
    (copy / "ship.png").rename(copy / "boat.png")
    image(7, 8, 8).save(copy / "boat.png")
    assert identity(folder) != identity(copy)
    (ref,) = zoo.resolve([f"outputs:{folder},title=A diffusion model,domain=blind"])
    assert (ref.name, ref.card.title, ref.card.domain) == ("sr", "A diffusion model", "blind")
    assert list(from_python({"mine": f"outputs:{folder}"})) == ["mine"]


def test_what_is_missing_or_of_another_size_fails_alone_and_leaves_the_row_unranked(
    tmp_path: Path, command: Command
) -> None:
    data, folder = pairs(tmp_path), made(tmp_path / "sr", IDS[:2])
    image(0, 4 * SIDE, 4 * SIDE).save(folder / "house.png")
    image(0, 9, 9).save(folder / "zebra.png")
    arguments = ("--datasets", data, "--metrics", "psnr", "--store", str(tmp_path / "store"))
    code, said = command("evaluate", "--models", f"bicubic,mine=outputs:{folder}", *arguments)
    assert code == 1
    assert f"{folder}: 1 image of no use, set has no zebra.png" in said
    assert (
        f"mine on set, image house: its SR is 72 x 72, and 4 times the LR is 80 x 72; image tree: {folder}"
        in said
    )
    assert "mine is not ranked: 1 of 3 images on set" in said
    assert "Traceback" not in said
    found = evaluate(_request(data, "bicubic", f"mine=outputs:{folder}"))
    assert [record.image for record in found.records if record.model == "mine"] == ["boat"]


def test_every_image_is_tried_however_many_fail(tmp_path: Path) -> None:
    data, folder = pairs(tmp_path), made(tmp_path / "sr", ("tree",))
    for name in range(12):
        for role, factor in (("lr", 1), ("hr", 4)):
            image(name, 9 * factor, 9 * factor).save(tmp_path / role / f"a{name:02}.png")
    done = evaluate(_request(data, f"outputs:{folder}"))
    assert [record.image for record in done.records] == ["tree"]
    (failure,) = done.outcome.failures
    assert "a00, a01, a02, a03, a04, a05, a06, a07 and 6 more" in failure


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "is not a directory"),
        (lambda d: [f.unlink() for f in d.iterdir()], "holds no images"),
        (lambda d: [f.rename(f.with_stem(f.stem + "-other")) for f in d.iterdir()], "is of set"),
        (lambda d: image(1, 72, 80).save(d / "boat.jpg"), "both stand for 'boat'"),
        (lambda d: (d / "boat.png").write_bytes(b"<html>no image</html>"), "boat.png"),
        (lambda d: (d / "boat.png").write_bytes((d / "boat.png").read_bytes()[:200]), "boat.png"),
        (
            lambda d: image(1, 72, 80).save(d / "boat.png", save_all=True, append_images=[image(2, 72, 80)]),
            "has 2 frames",
        ),
    ],
    ids=["no folder", "empty", "other names", "two of a stem", "no image", "torn", "animated"],
)
def test_bad_folders_are_one_line(
    tmp_path: Path, command: Command, spoil: Callable[[Path], object], words: str
) -> None:
    data, folder = pairs(tmp_path), made(tmp_path / "sr")
    spoil(folder)
    code, said = command("evaluate", "--models", f"outputs:{folder}", "--datasets", data, "--metrics", "psnr")
    assert code == 2
    assert words in said
    assert "Traceback" not in said


def test_gray_alpha_and_16_bit_files_are_read_as_those_of_data_sets_are(tmp_path: Path) -> None:
    data, folder = pairs(tmp_path), made(tmp_path / "sr")
    plain = measured(f"outputs:{folder}", data)
    pixels = np.asarray(Image.open(folder / "boat.png"))
    alpha = np.dstack([pixels, np.full(pixels.shape[:2], 9, np.uint8)])
    Image.fromarray(alpha).save(folder / "boat.png")
    gray = np.asarray(Image.open(folder / "tree.png").convert("L"))
    Image.fromarray(gray.astype(np.uint16) * 257).save(folder / "tree.png")
    changed = measured(f"outputs:{folder}", data)
    assert changed.psnr[0] == plain.psnr[0]
    Image.fromarray(gray).save(folder / "tree.png")
    assert measured(f"outputs:{folder}", data).psnr[2] == changed.psnr[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "--models", "SR", "--attacks", "none,random,jpeg:3"), "attacked (random, jpeg:3)"),
        (("evaluate", "--models", "SR", "--tile", "16"), "run in tiles of 16"),
        (("evaluate", "--models", "SR", "--precision", "bf16"), "run in bf16"),
        (("evaluate", "--models", "SR,range=255"), "only a network has a range, key or scale"),
        (("attack", "SR"), "there is no network to attack"),
        (("attack", "bicubic", "--transfer-to", "SR"), "which see no noise"),
        (("train", "esrgan-mini", "--init", "SR"), "a training starts from a network's weights"),
        (("submit", "SR", "--attacks", "none,random"), "attacked (random)"),
    ],
)
def test_what_only_a_network_can_do_is_refused(
    tmp_path: Path, command: Command, arguments: tuple[str, ...], words: str
) -> None:
    folder = tmp_path / "sr"
    data = pairs(tmp_path)
    made(folder)
    if arguments[0] == "evaluate":
        arguments = (*arguments, "--datasets", data)
    elif arguments[0] == "attack":
        arguments = (*arguments, "--dataset", data)
    elif arguments[0] == "submit":
        for name in ("ntire-mini2", "aim-mini2"):
            made(folder / name, ("astronaut-0-128",))
    code, said = command(*(argument.replace("SR", f"outputs:{folder}") for argument in arguments))
    assert code == 2
    assert words in said
    assert "Traceback" not in said
    with pytest.raises(BadInput, match="no network to run or to attack"):
        zoo.resolve([f"outputs:{folder}"])[0].load()


def test_files_that_change_under_a_run_are_noticed(tmp_path: Path) -> None:
    data, folder = pairs(tmp_path), made(tmp_path / "sr")
    (ref,) = zoo.resolve([f"outputs:{folder}"])
    (sets,) = srbench.datasets.resolve([data])[0]
    assert ref.outputs is not None
    assert ref.outputs.check([sets]) == []
    image(55, 72, 80).save(folder / "boat.png")
    with pytest.raises(RunFailed, match="changed while the run"):
        ref.outputs.image(sets, "boat")


def test_records_survive_every_file_and_the_page_says_what_they_are(tmp_path: Path) -> None:
    data, folder = pairs(tmp_path), made(tmp_path / "sr")
    frame = measured([f"mine=outputs:{folder}", "bicubic"], data)
    records = from_frame(frame)
    tables = srbench.leaderboard(frame).tables
    write_all(tmp_path / "out", tables, records, [])
    assert [r.made_elsewhere for r in read_csv(tmp_path / "out/records.csv")] == [True] * 3 + [False] * 3
    page = site(records)
    by_model = {row["model"]: row for row in page.page["boards"][0]["rows"]}
    assert "seconds" not in by_model["mine"]["cost"]
    assert by_model["bicubic"]["cost"]["seconds"] > 0
    index = [row["model"] for row in page.page["boards"][0]["rows"]].index("mine")
    cell = page.chunks["b0-c0"]["rows"][str(index)]
    assert "--models mine=outputs:DIR" in cell["command"]
    assert any("SR images made elsewhere" in remark for remark in cell["remarks"])


@pytest.mark.slow
def test_an_entry_of_them_is_whole_and_says_what_nobody_can_check(tmp_path: Path, command: Command) -> None:
    store = tmp_path / "store"
    srbench.evaluate("bicubic", datasets=["ntire-mini2", "aim-mini2"], keep_images=True, store=store)
    for name in ("ntire-mini2", "aim-mini2"):
        (kept,) = (store / "rsr" / name).rglob("sr")
        shutil.copytree(kept, tmp_path / "sr" / name)
    file = tmp_path / "mine.json"
    spec = f"outputs:{tmp_path / 'sr'}"
    assert command("submit", spec, "--name", "mine", "--out", str(file))[0] == 0
    report = validate(file)
    assert report.valid
    assert any("what they were made of and by cannot be checked" in note for note in report.notes)
    again = validate(file, model=spec)
    assert again.valid
    assert any(note.startswith("measured 40 images again (40 records)") for note in again.notes)
    entry = read_entry(file)[0]
    assert entry is not None
    assert not any("under" in line for line in entry.partial)
    assert "| mine |" in board({"mine.json": entry})
    made(tmp_path / "sr" / "aim-mini2", ("astronaut-0-128",))
    assert any("weights_sha256" in line for line in validate(file, model=spec).problems)
