"""Files of figures: equal bytes in any process, and what the command says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from figure_cases import BOARDS, drawn, made
from helpers import record
from PIL import Image
from typer.testing import CliRunner

from srbench.boards.frame import frame
from srbench.cli import app
from srbench.errors import BadInput, RunFailed
from srbench.figures import matrix, style

ELSEWHERE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import matplotlib
kept = [key for key in matplotlib.rcParams if key != "backend"]  # asking for it imports pyplot
before = [matplotlib.rcParams[key] for key in kept]
from site_pages import synthetic
from srbench.figures import curves, matrix, qualitative, style
with style.style():
    style.write(style.figure(1, 1), Path(sys.argv[1]) / "empty")
assert "matplotlib.pyplot" not in sys.modules
assert [matplotlib.rcParams[key] for key in kept] == before
from figure_cases import drawn, made
drawn(Path(sys.argv[1]), made(models=2)[::-1])
"""


def test_equal_records_give_equal_bytes_in_any_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    drawn(here, made(models=2))
    command = [sys.executable, "-c", ELSEWHERE, str(there), str(Path(__file__).parent)]
    # A date or an order of a set that shows in a file would differ.
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"})
    files = sorted(file.name for file in here.iterdir())
    assert files == sorted(
        f"{n}.{kind}" for n in ("curves", "matrix", "qualitative") for kind in ("pdf", "png")
    )
    for name in files:
        content = (here / name).read_bytes()
        assert content == (there / name).read_bytes(), name
        if name.endswith(".pdf"):
            assert b"/FontFile2" in content
            assert b"/Type3" not in content
            assert not re.search(rb"/(CreationDate|ModDate|Creator|Producer)", content)
        else:
            assert Image.open(here / name).info.keys() <= {"dpi"}


def run(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["figure", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_the_command_makes_the_figure_on_a_fresh_machine(tmp_path: Path) -> None:
    file = tmp_path / "new" / "fig.1.png"
    printed = run(
        "qualitative",
        "--models",
        "bicubic,rsr-mini",
        "--crop",
        "96,64,64,64",
        "--dpi",
        "100",
        "--out",
        str(file),
    )
    assert [Path(line).name for line in printed] == ["fig.1.png", "fig.1.pdf"]
    width, height = Image.open(file).size
    assert (width, height > 200) == (pytest.approx(style.PAGE * 100, abs=1), True)
    assert file.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert [p.name for p in file.parent.iterdir()] in (["fig.1.png", "fig.1.pdf"], ["fig.1.pdf", "fig.1.png"])


def test_figures_of_records_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "records.csv"
    frame(made()).to_csv(file, index=False)
    for arguments in (
        ["curves", "--attacks", "rsr*", "--models", "clean-*,bicubic"],
        ["matrix", "--metric", "psnr", "--attack", "rsr", "--by", "model"],
        ["ablation", "--records", str(BOARDS / "ablation-mini" / "records.csv")],
    ):
        where = [] if "--records" in arguments else ["--records", str(file)]
        printed = run(*arguments, *where, "--out", str(tmp_path / arguments[0]))
        assert [Path(line).suffix for line in printed] == [".png", ".pdf"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qualitative", "--crop", "1,2,3"], "such as 64,64,96,96"),
        (["qualitative", "--crop", "200,200,96,96"], "256 x 256 HR pixels"),
        (["qualitative", "--crop", "-4,0,96,96"], "no part of"),
        (["qualitative", "--image", "astronaut"], "no such image; ntire-mini2 has astronaut-0-128"),
        (["qualitative", "--models", "bicubik"], "bicubic"),
        (["qualitative", "--dataset", "ntir"], "ntire"),
        (["qualitative", "--attack", "rsx"], "rsx"),
        (["qualitative", "--out", "a.svg"], "PNG and PDF"),
        (["curves", "--records", str(BOARDS / "classical" / "records.csv")], "no record is of an attack"),
        (["curves", "--records", "none.csv"], "none.csv"),
        (["curves", "--store", "nowhere"], "srbench evaluate"),
        (["matrix", "--records", str(BOARDS / "classical" / "records.csv"), "--metric", "lpips"], "lpips"),
        (
            ["matrix", "--records", str(BOARDS / "mini1" / "records.csv"), "--attack", "rsrr"],
            "did you mean rsr",
        ),
        (["ablation", "--records", str(BOARDS / "mini1" / "records.csv")], "make ablation"),
        (["ablation", "--suite", "x", "--records", str(BOARDS / "mini1" / "records.csv")], "ablation-mini"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(arguments: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)


def test_records_of_two_protocols_are_not_mixed() -> None:
    records = [*made(clean=True), record(protocol="y", protocol_hash="y" * 64)]
    with pytest.raises(BadInput, match=r"rsr \(pppppppp\), y \(yyyyyyyy\): choose one with --protocol"):
        matrix.draw(records)
    assert matrix.draw(records, "ssim"), "only one of the protocols has it"


def test_a_figure_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFailed, match="name another --out"):
        style.write(style.figure(1, 1), tmp_path / "file" / "a")
