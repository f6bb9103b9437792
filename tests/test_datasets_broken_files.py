"""Image files that are something else, or broken."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from decode_cases import chunk, png
from folder_cases import PIXELS, pairs
from PIL import Image

from srbench import datasets
from srbench.datasets.decode import inspect
from srbench.errors import BadInput
from srbench.support.not_the_file import what_instead

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (POINTER, "Git LFS pointer and not the file itself: run `git lfs pull`"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\xef\xbb\xbf \n<!-- hi --><HTML lang=en>", "web page"),
        (b"<?xml version='1.0'?><!DOCTYPE html>", "web page"),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"<svg xmlns=", None),
        (b"", None),
    ],
)
def test_what_lies_there_instead(data: bytes, words: str | None) -> None:
    said = what_instead(data)
    assert said is None if words is None else words in (said or "")


@pytest.mark.parametrize("name", ["a.png", "a.pgm", "a.unheard-of"])
@pytest.mark.parametrize(
    ("data", "words"), [(POINTER, "git lfs pull"), (b"<html><body>404", "fetch it again")]
)
def test_such_a_file_is_named(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=rf"{name} is a .*{words}"):
        datasets.resolve([f"folder:{tmp_path}"])


def test_heic_that_claims_to_be_png_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(BadInput, match=r"a\.png is not an image srbench reads: it is HEIC; convert it"):
        inspect(tmp_path / "a.png")


def _interlaced_and_short() -> bytes:
    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 1)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(30))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _with_pixels(idat: bytes) -> bytes:
    whole = png(4, 4, 8, 2, b"")
    return whole[:33] + chunk(b"IDAT", idat) + whole[-12:]


ROWS = bytes(4 * 13)
BROKEN = {
    "no rows": png(4, 4, 8, 2, b""),
    "half the rows": png(4, 4, 8, 2, ROWS[:26]),
    "half the rows of 16 bit": png(4, 4, 16, 6, bytes(2 * 33)),
    "half the interlaced rows": _interlaced_and_short(),
    "no zlib": _with_pixels(b"not zlib at all"),
    "half the zlib": _with_pixels(zlib.compress(np.random.default_rng(1).bytes(52))[:20]),
    "a wrong checksum": _with_pixels(zlib.compress(ROWS)[:-1] + b"\xff"),
    "an unknown filter": png(4, 4, 8, 2, b"\x09" * 52),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_right_crcs_around_broken_pixels(tmp_path: Path, kind: str) -> None:
    pairs(tmp_path)
    (tmp_path / "lr/a.png").write_bytes(BROKEN[kind])
    for refused in (
        lambda: datasets.add("ntire", tmp_path / "lr", tmp_path / "hr"),
        lambda: datasets.resolve([f"pairs:{tmp_path / 'lr'}:{tmp_path / 'hr'}"]),
    ):
        with pytest.raises(BadInput, match=r"lr.a\.png is damaged and cannot be decoded"):
            refused()
    assert not datasets.status("ntire").available


@pytest.mark.parametrize("options", [{}, {"format": "JPEG"}, {"format": "GIF"}, {"format": "TIFF"}])
def test_whole_files_are_whole(tmp_path: Path, options: dict[str, str]) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png", **options)
    assert inspect(tmp_path / "a.png", whole=True) == inspect(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_whole_png_of_every_mode(tmp_path: Path, mode: str) -> None:
    gray = Image.fromarray(PIXELS[..., 0])
    made = Image.fromarray(PIXELS[..., 0].astype(np.uint16)) if mode == "I;16" else gray.convert(mode)
    made.crop((0, 0, 11, 7)).save(tmp_path / "a.png")
    assert inspect(tmp_path / "a.png", whole=True).width == 11
