"""Folders as people have them: odd extensions, odd names, sidecars, files that are not what they claim."""

from __future__ import annotations

import struct
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from test_datasets_decode import chunk, png
from typer.testing import CliRunner

from srbench import datasets
from srbench.cli import app
from srbench.datasets.decode import decode, inspect
from srbench.datasets.listing import image_files, notices
from srbench.datasets.pairs import match_pairs
from srbench.errors import BadInput
from srbench.support.not_the_file import what_instead

PIXELS = np.random.default_rng(4).integers(0, 256, (8, 12, 3), dtype=np.uint8)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def image(path: Path, side: int = 4, shade: int = 9, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (shade, 0, 255 - shade)).save(path, **options)  # type: ignore[arg-type]
    return path


def pairs(root: Path, lr: str = "lr", hr: str = "hr", shade: int = 9) -> str:
    image(root / lr / "a.png", 4, shade)
    image(root / hr / "a.png", 16)
    return f"pairs:{root / lr}:{root / hr}"


def cli(*words: str | Path) -> str:
    done = CliRunner().invoke(app, ["datasets", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return " ".join(done.output.split())


# What sets are called.


def names(*specs: str) -> list[str]:
    return [d.name for d in datasets.resolve(specs)[0]]


def test_sets_of_one_hr_folder_are_named_after_their_lr_folders(tmp_path: Path) -> None:
    specs = [pairs(tmp_path / "deg", lr, shade=shade) for lr, shade in (("a", 1), ("b", 2))]
    found, said = datasets.resolve(specs)
    assert [d.name for d in found] == ["a", "b"]
    for data, lr in zip(found, "ab", strict=True):
        assert data.title == f"LR {tmp_path}/deg/{lr}, HR {tmp_path}/deg/hr"
        assert f"{lr} is {data.title}" in said


def test_a_single_pairs_set_keeps_the_name_that_stores_know(tmp_path: Path) -> None:
    spec = pairs(tmp_path / "deg", "a")
    [data], said = datasets.resolve([spec, spec, "clean-mini"][:2])
    assert data.name == f"deg-hr@{data.content_hash[:8]}" and not said
    other = pairs(tmp_path / "else", "b", shade=3)
    assert names(spec, other)[0] == data.name


@pytest.mark.parametrize(
    ("folders", "wanted"),
    [
        (("mild/LR", "wild/LR"), ["mild-LR", "wild-LR"]),
        (("one/mild/LR/X4", "two/mild/LR/X4"), ["one-mild-LR-X4", "two-mild-LR-X4"]),
        (("clean", "b"), ["SETS-clean", "b"]),  # clean is a published set
        (("Noisy", "x/noisy"), ["SETS-Noisy", "x-noisy"]),
        (("größe", "grße"), ["SETS-gre@", "SETS-gre@"]),
    ],
)
def test_names_are_as_long_as_it_takes(tmp_path: Path, folders: tuple[str, ...], wanted: list[str]) -> None:
    specs = [pairs(tmp_path / "SETS", lr, shade=shade) for shade, lr in enumerate(folders)]
    found = names(*specs)
    assert len(set(found)) == len(found)
    if "@" in wanted[0]:  # to the root, and then the digest
        assert all(name.split("@")[0].endswith(w[:-1]) for name, w in zip(found, wanted, strict=True))
    else:
        assert found == wanted


@pytest.mark.parametrize(
    ("spec", "name", "start"),
    [
        ("pairs:{}/Set5/LR_bicubic/X4:{}/Set5/HR", "Set5-HR", "265ab6e9cf910fdb"),
        ("pairs:{}/BSD100:{}/BSD100", "images-BSD100", "e560ce4f9a620a7f"),
        ("folder:{}/RealSRSet", "images-RealSRSet", "91e12aec29d7900e"),
    ],
)
def test_names_and_hashes_in_stores_stay(shared: Path, spec: str, name: str, start: str) -> None:
    images = shared / "assets/images"
    [data], _ = datasets.resolve([spec.replace("{}", str(images))])
    assert data.content_hash.startswith(start) and data.name == f"{name}@{start[:8]}"


def test_folders_without_ground_truth_too(tmp_path: Path) -> None:
    for shade, where in enumerate(("x", "y")):
        image(tmp_path / where / "one/images/a.png", shade=shade)
    assert names(*(f"folder:{tmp_path / w}/one/images" for w in "xy")) == ["x-one-images", "y-one-images"]


def test_a_user_names_a_set(tmp_path: Path) -> None:
    spec = pairs(tmp_path)
    assert names(f"noise+jpeg={spec}", f"own.1=folder:{tmp_path / 'hr'}") == ["noise+jpeg", "own.1"]
    (tmp_path / "k=v").mkdir()
    image(tmp_path / "k=v/a.png")
    assert names(f"folder:{tmp_path / 'k=v'}")[0].endswith(
        "-kv@" + names(f"folder:{tmp_path / 'k=v'}")[0][-8:]
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("ntire", "of its own"), ("All", "begins with no name"), ("", "no name"), ("a b", "no name")],
)
def test_a_name_that_cannot_be_used(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        datasets.resolve([f"{name}={pairs(tmp_path)}"])


def test_one_name_for_two_sets_is_refused(tmp_path: Path) -> None:
    one, two = pairs(tmp_path, "a", shade=1), pairs(tmp_path, "b", shade=2)
    with pytest.raises(BadInput, match="both called x"):
        datasets.resolve([f"x={one}", f"x={two}"])


def test_a_copy_of_the_same_images_is_the_same_set(tmp_path: Path) -> None:
    specs = [pairs(tmp_path, lr, shade=shade) for lr, shade in (("a", 1), ("b", 2), ("copy", 1))]
    assert names(*specs) == ["a", "b"]
    assert names(specs[0], specs[2])[0].startswith(tmp_path.name + "-hr@")


# What counts as an image.


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


# Which LR belongs to which HR.

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


# Files that are something else, or broken.


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


# Sets of one's own under a name.


def test_a_set_of_ones_own(tmp_path: Path) -> None:
    pairs(tmp_path)
    said = cli("add", "Night+rain.v2", "--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "--domain", "ntire")
    assert said.startswith("Night+rain.v2 is registered: 1 images")
    assert "a set of your own (degradation: ntire)" in said
    cli("add", "photos-mini", "--lr", tmp_path / "lr")
    assert datasets.own_names() == ["Night+rain.v2", "photos-mini"] and "photos-mini" not in datasets.names()
    found, _ = datasets.resolve(["Night+rain.v2", "photos-mini"])
    assert [(d.name, d.kind, d.domain) for d in found] == [
        ("Night+rain.v2", "paired", "ntire"),
        ("photos-mini", "no-reference", "unknown"),
    ]
    assert found[0].title == f"LR {tmp_path}/lr, HR {tmp_path}/hr"
    assert names("all") == ["Night+rain.v2", "photos-mini"] == [n for n in names("*") if n in names("all")]
    assert names("night*") == ["Night+rain.v2"]
    for track in ("full", "mini"):
        assert len(datasets.resolve(["photos-mini"], track=track)[0]) == 1  # type: ignore[arg-type]
    listed = cli("--json")
    assert '"name": "Night+rain.v2"' in listed and f"HR {tmp_path}/hr" in listed
    assert "as registered" in cli("verify", "photos-mini")
    assert "no longer registered" in cli("remove", "photos-mini")
    assert datasets.own_names() == ["Night+rain.v2"] and (tmp_path / "lr/a.png").is_file()
    with pytest.raises(BadInput, match="unknown data set 'photos-mini'"):
        datasets.remove("photos-mini")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("all", "cannot name"),
        ("-x", "cannot name"),
        ("a/b", "cannot name"),
        ("../x", "cannot name"),
        ("a b", "cannot name"),
        ("", "cannot name"),
        ("x" * 101, "cannot name"),
        ("a*", "cannot name"),
        ("Ntire", "case only"),
        ("clean-mini", "built in"),
    ],
)
def test_names_that_cannot_be_registered(tmp_path: Path, name: str, words: str) -> None:
    pairs(tmp_path)
    with pytest.raises(BadInput, match=words):
        datasets.add(name, tmp_path / "lr", tmp_path / "hr")


def test_a_published_set_keeps_its_domain_and_can_be_removed(tmp_path: Path, private_home: Path) -> None:
    pairs(tmp_path)
    with pytest.raises(BadInput, match="published as ntire: leave --domain out"):
        datasets.add("ntire", tmp_path / "lr", tmp_path / "hr", domain="aim")
    datasets.add("ntire", tmp_path / "lr", tmp_path / "hr")
    assert "domain" not in (private_home / "datasets/ntire.json").read_text()
    datasets.remove("ntire")
    assert not datasets.status("ntire").available
    for name, words in (("ntire", "not registered"), ("clean-mini", "built in"), ("nosuch", "unknown")):
        with pytest.raises(BadInput, match=words):
            datasets.remove(name)


def test_a_damaged_registration_of_ones_own_can_be_replaced_and_removed(
    tmp_path: Path, private_home: Path
) -> None:
    pairs(tmp_path)
    for mend in (lambda: datasets.add("mine", tmp_path / "lr", None), lambda: datasets.remove("mine")):
        datasets.add("mine", tmp_path / "lr", None)
        (private_home / "datasets/mine.json").write_text("{")
        with pytest.raises(BadInput, match=r"mine\.json is damaged.*srbench datasets remove mine"):
            datasets.resolve(["mine"])
        mend()


def test_a_user_may_not_call_folders_what_is_registered(tmp_path: Path) -> None:
    spec = pairs(tmp_path)
    datasets.add("mine", tmp_path / "lr", None)
    with pytest.raises(BadInput, match="'mine' is a data set of its own"):
        datasets.resolve([f"mine={spec}"])
