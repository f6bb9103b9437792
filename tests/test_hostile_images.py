"""Hostile images and hostile names, through the whole command: decoded right, or refused before a model runs.

What each format decodes to is in test_datasets_decode.py; what is refused, in test_datasets_refused_files.py.
"""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decode_cases import chunk, png
from helpers import record
from PIL import Image
from rich.console import Console

from srbench import datasets, zoo
from srbench.boards import files, terminal
from srbench.boards.compute import tables
from srbench.errors import BadInput

HERE = Path(__file__).parent
RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)
MOST_SECONDS = 5.0
MOST_MEMORY = 1500  # MB for all in one process, of which torch and pandas are 450

Make = Callable[[Path], Any]


def _save(*, extension: str = "png", image: Image.Image | None = None, **options: Any) -> Make:
    made = Image.fromarray(PIXELS) if image is None else image
    return lambda folder: made.save(folder / f"a.{extension}", **options)


def _bytes(content: bytes, name: str = "a.png") -> Make:
    return lambda folder: (folder / name).write_bytes(content)


def _named(name: str | bytes) -> Make:
    def make(folder: Path) -> None:
        Image.fromarray(PIXELS).save(folder / "x.png")
        (folder / "x.png").rename(folder / os.fsdecode(name))

    return make


def _frames(extension: str) -> Make:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    return lambda folder: frames[0].save(folder / f"a.{extension}", save_all=True, append_images=frames[1:])


def _with_chunk(kind: bytes, body: bytes) -> Make:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    whole = stream.getvalue()
    return _bytes(whole[:33] + chunk(kind, body) + whole[33:])


def _linked(target: str) -> Make:
    return lambda folder: (folder / "a.png").symlink_to(target)


def _sparse(folder: Path) -> None:
    with (folder / "a.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(20 << 30)


def _tiff_of_strips(folder: Path) -> None:
    """A TIFF whose one strip claims 2 GB at the end of 100 bytes."""
    tags = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 90), (277, 3, 1, 1), (278, 4, 1, 64), (279, 4, 1, 0x7FFFFFFF)]
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
    body += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    (folder / "a.png").write_bytes(body)


EXIF = Image.Exif()
EXIF[0x0112] = 6
PALETTE = Image.fromarray(PIXELS[..., 0] // 64, "P")
PALETTE.putpalette(list(range(12)))
JPEG_OF_CMYK = Image.fromarray(PIXELS).convert("CMYK")
DEEP = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
BOMB = zlib.compress(bytes(200 << 20), 9)  # 200 MB in 200 kB

ACCEPTED: dict[str, tuple[Make, tuple[int, int]]] = {
    "1 x 1": (_save(image=Image.new("RGB", (1, 1))), (1, 1)),
    "1 x 10000": (_save(image=Image.new("RGB", (1, 10000))), (10000, 1)),
    "10000 x 1": (_save(image=Image.new("RGB", (10000, 1))), (1, 10000)),
    "16 bit": (_save(image=DEEP), (16, 24)),
    "gray": (_save(image=Image.fromarray(PIXELS[..., 0])), (16, 24)),
    "gray and alpha": (_save(image=Image.fromarray(PIXELS[..., :2], "LA")), (16, 24)),
    "CMYK": (_save(extension="jpg", image=JPEG_OF_CMYK), (16, 24)),
    "palette with transparency": (_save(image=PALETTE, transparency=bytes((0, 128, 255, 7))), (16, 24)),
    "one-frame GIF": (_save(extension="gif", image=PALETTE), (16, 24)),
    "EXIF-rotated": (_save(extension="jpg", exif=EXIF), (24, 16)),
    "JPEG named png": (_save(format="JPEG"), (16, 24)),
    "EXIF that is none": (_with_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"), (16, 24)),
    "no UTF-8 in a text": (_with_chunk(b"tEXt", b"a\0\xff\xfe"), (16, 24)),
    "non-ASCII": (_named("größe-画像-😀.png"), (16, 24)),
    "leading dashes": (_named("--help.png"), (16, 24)),
    "a script": (_named("<script>alert(1)<∕script>.png"), (16, 24)),
    "rich markup": (_named("[bold][∕bold][/x.png".replace("/", "∕")), (16, 24)),
    "a pipe, quotes, a formula": (_named("=1+1|\"'`*_,;.png"), (16, 24)),
    "250 letters": (_named("x" * 250 + ".png"), (16, 24)),
    "a wildcard": (_named("*?[a].png"), (16, 24)),
}

REFUSED: dict[str, tuple[Make, str]] = {
    "50000 x 50000": (_bytes(png(50000, 50000, 8, 2, b"")), "claims 50000 x 50000 pixels"),
    "2**31 - 1 a side": (_bytes(png(2**31 - 1, 2**31 - 1, 16, 6, b"")), "pixels; at most"),
    "0 x 0": (_bytes(png(0, 0, 8, 2, b"")), "damaged"),
    "200 MB in a text": (_with_chunk(b"zTXt", b"a\0\0" + BOMB), "damaged"),
    "200 MB in a profile": (_with_chunk(b"iCCP", b"a\0\0" + BOMB), "damaged"),
    "a file of 20 GB": (_sparse, "larger than 1 GiB"),
    "a strip of 2 GB": (_tiff_of_strips, "damaged"),
    "zero bytes": (_bytes(b""), "not an image"),
    "a page": (_bytes(b"<!DOCTYPE html><html></html>", "a.jpg"), "is a web page (HTML)"),
    "a pointer of Git LFS": (
        _bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "run `git lfs pull`",
    ),
    "right CRCs around broken pixels": (_bytes(png(24, 16, 8, 2, bytes(10))), "damaged"),
    "SVG": (_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "not an image"),
    "animated GIF": (_frames("gif"), "2 frames"),
    "animated PNG": (_frames("png"), "2 frames"),
    "animated WebP": (_frames("webp"), "2 frames"),
    "a link to itself": (_linked("a.png"), "is no file"),
    "a link to nothing": (_linked("nowhere.png"), "is no file"),
    "a device": (_linked("/dev/zero"), "is no file"),
    "a FIFO": (lambda folder: os.mkfifo(folder / "a.png"), "is no file"),
    "a file that cannot be read": (_linked("/proc/self/mem"), "cannot be read"),
    "a newline": (_named("a\nb.png"), "rename it"),
    "an escape sequence": (_named("\x1b[2J.png"), "rename it"),
    "a tab": (_named("a\tb.png"), "rename it"),
    "no UTF-8": (_named(b"\xff\xfe.png"), "rename it"),
    "right to left": (_named("a\u202egnp.png"), "rename it"),
    "only others": (_bytes(b"x", "a.txt"), "holds no images"),
    "only a folder": (lambda folder: (folder / "a.png").mkdir(), "holds no images"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the command said of a folder with each of them; peak memory of all under "peak"."""
    folder = tmp_path_factory.mktemp("hostile")
    kinds = [*ACCEPTED, *REFUSED]
    for number, name in enumerate(kinds):
        (folder / str(number)).mkdir()
        (ACCEPTED | REFUSED)[name][0](folder / str(number))
    commands, out = folder / "commands.json", folder / "out.json"
    how = ["evaluate", "--models", "bicubic", "--metrics", "piqe", "--keep-images", "--datasets"]
    commands.write_text(
        json.dumps([[*how, f"folder:{folder / str(number)}"] for number in range(len(kinds))])
    )
    done = subprocess.run(
        [sys.executable, HERE / "hostile_run.py", out, commands],
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "SRBENCH_HOME": str(folder / "home"), "SRBENCH_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text())
    return dict(zip(kinds, found["results"], strict=True)) | {"peak": {"MB": found["peaks"]["srbench"]}}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line_before_a_model_runs(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    one = outcomes[name]
    assert one["code"] == 2 and not one["out"], one
    assert one["err"].count("\n") == 1 and REFUSED[name][1] in one["err"], one
    assert one["err"].removesuffix("\n").isprintable() and len(one["err"]) < 500


@pytest.mark.parametrize("name", ACCEPTED)
def test_measured_and_shown(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    one = outcomes[name]
    assert one["code"] == 0, one
    assert "1 images measured" in one["err"] and "bicubic" in one["out"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_size_is_right(name: str, tmp_path: Path) -> None:
    make, (height, width) = ACCEPTED[name]
    make(tmp_path)
    data_set = datasets.resolve([f"folder:{tmp_path}"])[0][0]
    (image_id,) = data_set.ids
    assert data_set.load(image_id).lr.shape == (height, width, 3)
    assert data_set.lr_size(image_id) == (height, width)


def test_time_and_memory_are_bounded(outcomes: dict[str, dict[str, Any]]) -> None:
    refused = sorted((outcomes[name]["seconds"], name) for name in REFUSED)
    assert refused[-1][0] < MOST_SECONDS, refused[-1]
    assert outcomes["peak"]["MB"] < MOST_MEMORY


def test_one_bad_file_among_good_ones_is_named(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(PIXELS).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-20])
    with pytest.raises(BadInput, match=r"1\.png is damaged"):
        datasets.resolve([f"folder:{tmp_path}"])


# Names that reach tables by other ways: from stores and committed records.

MARKUP = (
    "<script>x</script>",
    "[bold red]x[/]",
    "[/x]",
    "a|b",
    "a\nb",
    "**x**",
    "`x`",
    "[x](http://x)",
    "\\",
)


@pytest.mark.parametrize("name", MARKUP)
def test_a_name_is_text_in_the_terminal_and_in_markdown(name: str) -> None:
    """rich gives back the very name; a CommonMark reader of the Markdown does too."""
    records = [
        record(
            model=model, model_title=model, image=image, metrics={"psnr": psnr, "lpips": 0.5}, dataset=name
        )
        for model, psnr in ((name, 20.0), ("other", 21.0))
        for image in "ab"
    ]
    made = tables(records)
    screen = Console(width=400, record=True, file=io.StringIO())
    for table in made:
        terminal.show(screen, table)
    flat = " ".join(name.split())
    assert flat in screen.export_text()

    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(files.markdown(made))
    assert not [t for t in tokens if t.type.startswith("html")]
    inline = [t for t in tokens if t.type == "inline"]
    assert not [
        c for t in inline for c in t.children or [] if c.type in ("html_inline", "link_open", "code_inline")
    ]
    texts = ["".join(c.content for c in t.children or []) for t in inline]
    rows = files.markdown(made).split("\n\n")[1].splitlines()
    assert len(rows) == 4  # header, rule, and two models: no name has opened a row
    assert flat in texts, texts


def test_a_checkpoint_whose_name_no_table_can_show(tmp_path: Path) -> None:
    for name in ("a\nb.pth", "\x1b[2J.pth", os.fsdecode(b"\xff.pth")):
        with pytest.raises(BadInput, match="rename the file"):
            zoo.resolve([str(tmp_path / name)])


@pytest.mark.parametrize("text", ["~nobody-of-this-name/x", "x" * 300, "x" * 300 + ".pth"])
def test_what_is_no_path(text: str) -> None:
    for spec in (f"folder:{text}", f"pairs:{text}:{text}"):
        with pytest.raises(BadInput, match="is no path that can be used"):
            datasets.resolve([spec])
    with pytest.raises(BadInput, match="is no path that can be used"):
        zoo.resolve([text])
