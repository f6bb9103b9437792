"""What the page says of pictures and radii that records lack: commands that bring them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from helpers import record
from site_pages import settings, synthetic
from typer.testing import CliRunner

from srbench.boards.site.build import build_page, read_store
from srbench.boards.site.data import site
from srbench.boards.site.fill import curves_command, pictures_command
from srbench.cli import app


def run(command: str, *more: str) -> None:
    program, *words = shlex.split(command)
    assert program == "srbench"
    done = CliRunner().invoke(app, [*words, *more])
    assert done.exit_code == 0, done.output


def test_the_commands_bring_pictures_and_curves(tmp_path: Path) -> None:
    """From a store with neither, by what its page says."""
    where = ("--store", str(tmp_path / "store"))
    run("srbench evaluate --models bicubic --datasets ntire-mini --limit 1 --metrics psnr", *where)
    records, kept = read_store(tmp_path / "store")
    (board,) = site(records).page["boards"]
    for what in ("pictures", "curves"):
        assert board["fill"][what]["remarks"] == []
        run(board["fill"][what]["text"], "--metrics", "psnr", *where)
    records, kept = read_store(tmp_path / "store")
    assert kept is not None
    assert len(list(kept.root.rglob("*.images/**/*.png"))) >= 1
    (board,) = site(records).page["boards"]
    lines: dict[str, set[float]] = {}
    for attack in board["attacks"]:
        lines.setdefault(attack["line"], set()).add(attack["at"])
    assert lines == {"": {0}, "random": {2, 4, 8, 14}, "rsr": {2, 4, 8, 14}}
    build_page(tmp_path / "page", records, pictures=kept)
    assert list((tmp_path / "page" / "images").iterdir())


def test_what_was_measured_is_measured_again() -> None:
    strong = {"attack": "rsr", "attack_hash": "x", "attack_settings": settings("rsr", 14)}
    records = [
        record(
            model="bicubic",
            dataset="ntire-mini",
            image=f"{i}",
            protocol="y",
            scale=2,
            dataset_images=9,
            **more,
        )
        for i in range(3)
        for more in ({}, strong)
    ]
    assert pictures_command(records).text == (
        "srbench evaluate --models bicubic --datasets ntire-mini --attacks none,rsr "
        "--protocol y --scale 2 --limit 3 --keep-images"
    )
    assert (
        "--attacks none,random@2,random@4,random@8,random,rsr@2,rsr@4,rsr@8,rsr "
        in curves_command(records).text
    )


def test_what_a_reader_puts_in_has_a_name_of_its_own() -> None:
    found = list(synthetic([("one", "clean", "a" * 64), ("two; rm -rf", "ntire", "b" * 64)], ["i0"]))
    command = pictures_command(found)
    words = shlex.split(command.text)
    assert words[words.index("--models") + 1] == "bicubic,clean-net=FILE_1,blind-net=FILE_2"
    assert words[words.index("--datasets") + 1] == "pairs:LR_3:HR_3,pairs:LR_4:HR_4"
    assert [remark.split(":")[0] for remark in command.remarks] == [
        "FILE_1",
        "FILE_2",
        "LR_3, HR_3",
        "LR_4, HR_4",
    ]


@pytest.mark.parametrize("kind", ["paired", "no-reference"])
def test_what_was_made_elsewhere_is_not_attacked(kind: str) -> None:
    own = record(model="mine", weights_sha256="c" * 64, dataset="ntire-mini", dataset_kind=kind)
    found = own.model_copy(update={"model": "theirs", "made_elsewhere": True})
    assert curves_command([found]).text == ""
    assert "theirs" not in curves_command([own, found]).text
    assert "theirs=outputs:DIR_2" in pictures_command([own, found]).text
