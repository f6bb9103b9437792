"""Folders as people have them: what counts as an image, and which LR belongs to which HR."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from folder_cases import PIXELS, cli, image, pairs
from PIL import Image, features

from srbench import datasets
from srbench.datasets.decode import decode, inspect
from srbench.datasets.listing import image_files, notices
from srbench.datasets.pairs import match_pairs
from srbench.errors import BadInput


def kinds() -> list[str]:
    found = ["jfif", "jpe", "pgm", "pnm", "dib"]
    found += ["avif"] if "avif" in features.get_supported() else []
    return found + (["jp2", "j2k"] if features.check("jpg_2000") else [])


@pytest.mark.parametrize("extension", [*kinds(), "unheard-of"])
def test_content_decides_whatever_the_name_ends_in(tmp_path: Path, extension: str) -> None:
    made = Image.fromarray(PIXELS).convert("L") if extension == "pgm" else Image.fromarray(PIXELS)
    known = {"pnm": "PPM", "dib": "BMP", "jfif": "JPEG", "unheard-of": "PNG"}
    path = tmp_path / f"a.{extension}"
    made.save(path, known.get(extension))
    assert image_files(tmp_path) == [path]
    assert datasets.resolve([f"folder:{tmp_path}"])[0][0].load("a").lr.shape == (8, 12, 3)


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
def test_lossless_jpeg_2000_gives_its_pixels_and_deep_colour_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jp2"
    Image.fromarray(PIXELS).save(path)
    assert np.array_equal(decode(path.read_bytes(), path), PIXELS)
    data = bytearray(path.read_bytes())
    data[data.find(b"\xff\x4f\xff\x51") + 42] = 15
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"a\.jp2 (has 16-bit colour in JPEG 2000|is damaged)"):
        inspect(path)


def test_what_is_skipped_is_counted_and_named(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "X4/b.png")
    (tmp_path / "c.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "d.exr").write_bytes(b"v/1\x01 and so on")
    (tmp_path / "e.npy").write_bytes(b"\x93NUMPY")
    image(tmp_path / "f.tif").rename(tmp_path / "f.NEF")
    for sidecar in ("notes.txt", "meta.json", "Thumbs.db", ".DS_Store", "LICENSE", "._a.png", "faces.tsv"):
        (tmp_path / sidecar).write_bytes(b"x")
    [line] = datasets.resolve([f"folder:{tmp_path}"])[1]
    assert line == (
        f"{tmp_path}: 4 files skipped: c.heic (HEIC), d.exr (OpenEXR), e.npy (no image srbench "
        "knows) and 1 more; 1 sub-folder not searched: X4"
    )
    assert "4 files skipped" in cli("add", "mine", "--lr", tmp_path)


def test_sidecars_and_the_other_folder_of_a_pair_are_not_worth_a_word(tmp_path: Path) -> None:
    spec = pairs(tmp_path, "hr/low", "hr")
    (tmp_path / "hr/readme.md").write_text("x")
    assert datasets.resolve([spec])[1] == []
    assert notices(None) == []


def test_a_folder_of_what_cannot_be_read_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "c.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "sub").mkdir()
    with pytest.raises(BadInput, match=r"holds no images; 1 file skipped: c\.heic \(HEIC\); 1 sub-folder"):
        image_files(tmp_path)


@pytest.mark.parametrize(("side", "name"), [("hr", "b.heic"), ("hr", "b_GT.heic"), ("lr", "bx4.heic")])
def test_half_a_pair_that_is_skipped_is_an_error(tmp_path: Path, side: str, name: str) -> None:
    pairs(tmp_path)
    image(tmp_path / ("lr" if side == "hr" else "hr") / "b.png")
    (tmp_path / side / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(BadInput, match=rf"{name}, the {side.upper()} of b\.png, cannot be read \(HEIC\)"):
        match_pairs(tmp_path / "lr", tmp_path / "hr")


LR_NAMES = "bicLRx4 LRbicx4 bicx4 lq in 4x x2 x3 x8 LR_bicubic_x4 x4_bicubic LR8 input".split()  # noqa: SIM905


@pytest.mark.parametrize("case", [str.lower, str.upper])
@pytest.mark.parametrize("separator", ["_", "-", ".", ""])
@pytest.mark.parametrize("hr", ["", "gt", "HR"])
@pytest.mark.parametrize("lr", LR_NAMES)
def test_suffixes(tmp_path: Path, lr: str, hr: str, separator: str, case: type[str]) -> None:
    image(tmp_path / f"lr/bird{separator}{case(lr)}.png")
    image(tmp_path / f"hr/bird{separator if hr else ''}{hr}.png")
    assert list(match_pairs(tmp_path / "lr", tmp_path / "hr")) == ["bird"]


@pytest.mark.parametrize(
    ("lr", "hr"), [("bird_lq", "bird_gt"), ("bird_in", "bird"), ("birdLRbicx4", "birdHR")]
)
def test_suffixes_in_one_folder(tmp_path: Path, lr: str, hr: str) -> None:
    files = image(tmp_path / f"{lr}.png"), image(tmp_path / f"{hr}.png")
    assert match_pairs(tmp_path, tmp_path) == {"bird": files}


def test_a_word_that_is_part_of_the_name_stays(tmp_path: Path) -> None:
    for stem in ("dolphin", "dolph", "a_in", "x_bic"):
        image(tmp_path / f"lr/{stem}x4.png")
        image(tmp_path / f"hr/{stem}.png")
    assert list(match_pairs(tmp_path / "lr", tmp_path / "hr")) == ["a_in", "dolph", "dolphin", "x_bic"]


def test_accents_match_however_they_are_written(tmp_path: Path) -> None:
    apart, whole = (unicodedata.normalize(form, "größe é") for form in ("NFD", "NFC"))
    image(tmp_path / f"lr/{apart}x4.png")
    image(tmp_path / f"hr/{whole}.png")
    assert list(match_pairs(tmp_path / "lr", tmp_path / "hr")) == [whole]
    image(tmp_path / f"both/{apart}_LR.png")
    image(tmp_path / f"both/{whole}_HR.png")
    assert list(match_pairs(tmp_path / "both", tmp_path / "both")) == [whole]
    # Where both are written alike the id is as it always was, for it is part of the content hash.
    image(tmp_path / f"hr2/{apart}.png")
    assert list(match_pairs(tmp_path / "lr", tmp_path / "hr2")) == [apart]


def test_pairs_by_a_pattern(tmp_path: Path) -> None:
    for i in range(3):
        image(tmp_path / f"lr/{i:03}_noisy-{i}.png", 4)
        image(tmp_path / f"hr/photo{9 - i}_{i:03}_.png", 16)
    with pytest.raises(BadInput, match="--pair-by"):
        cli("add", "mine", "--lr", tmp_path / "lr", "--hr", tmp_path / "hr")
    said = cli("add", "mine", "--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "--pair-by", r"(\d{3})_")
    assert "3 images" in said
    assert datasets.resolve(["mine"])[0][0].ids == ("000", "001", "002")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "no regular expression"),
        ("a", "0 groups"),
        ("(q)", "finds nothing in a.png"),
        ("()a", "finds noth"),
    ],
)
def test_a_pattern_that_does_not_do(tmp_path: Path, pattern: str, words: str) -> None:
    pairs(tmp_path)
    with pytest.raises(BadInput, match=words):
        datasets.add("mine", tmp_path / "lr", tmp_path / "hr", pair_by=pattern)
    with pytest.raises(BadInput, match="two folders"):
        datasets.add("mine", tmp_path / "lr", tmp_path / "lr", pair_by="(a)")
    with pytest.raises(BadInput, match="give --hr too"):
        datasets.add("mine", tmp_path / "lr", None, pair_by="(a)")
