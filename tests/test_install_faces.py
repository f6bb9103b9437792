"""FACES: drawn from a tree as WIDER FACE is published, with photographs made of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import inside
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from srbench import datasets
from srbench.datasets.faces import COUNT, Face, build_faces, draw, read_annotations
from srbench.errors import BadInput

Row = tuple[int, ...]  # x y w h blur expression illumination invalid occlusion pose


def annotate(images: dict[str, list[Row]]) -> str:
    """The text of the annotation file; an image without faces has a row of zeros, as published."""
    lines = []
    for file, rows in images.items():
        lines += [file, str(len(rows))]
        lines += [" ".join(map(str, row)) + " " for row in rows or [(0,) * 10]]
    return "\n".join(lines) + "\n"


def tree(root: Path, count: int = 130) -> tuple[Path, Path, dict[str, list[Row]]]:
    """``count`` wanted faces among as many unwanted ones of each kind, on photographs of 400 x 360."""
    rng = np.random.default_rng(0)
    images: dict[str, list[Row]] = {"0--Parade/0_Parade_nobody_1_9.jpg": []}
    for index in range(count // 10):
        file = f"{index % 3}--Event/{index % 3}_Event_some_{index}.jpg"
        rows: list[Row] = []
        for _ in range(10):
            x, y, w, h = (int(v) for v in rng.integers((0, 0, 30, 50), (90, 40, 250, 301)))
            rows += [(x, y, w, h, 1, 0, 1, 0, 0, 1)]
            rows += [(x, y, w, 49, 0, 0, 0, 0, 0, 0), (x, y, w, 301, 0, 0, 0, 0, 0, 0)]
            rows += [(x, y, w, h, 0, 0, 0, 0, 1, 0), (x, y, w, h, 0, 0, 0, 0, 2, 0)]
            rows += [(x, y, w, h, 0, 0, 0, 1, 0, 0), (x, y, 0, h, 0, 0, 0, 0, 0, 0)]
        images[file] = rows
        path = root / "images" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (360, 400, 3), dtype=np.uint8)).save(path, quality=95)
    (root / "annotations.txt").write_text(annotate(images))
    return root / "annotations.txt", root / "images", images


def test_faces_are_cropped_and_registered(tmp_path: Path, private_home: Path) -> None:
    annotations, images, rows = tree(tmp_path)
    state = build_faces(annotations, images)
    assert state.available and state.images == COUNT and state.note == "" and state.hr is None
    folder = private_home / "files/faces-0"
    assert state.lr == folder
    table = [line.split("\t") for line in (folder / "faces.tsv").read_text().splitlines()[1:]]
    assert len(table) == len({row[0] for row in table}) == COUNT
    for crop, file, *box in table:
        x, y, w, h = map(int, box)
        [matching] = {row for row in rows[file] if row[:4] == (x, y, w, h) and row[7:9] == (0, 0)}
        assert 50 <= h <= 300 and matching[8] == 0
        photograph = Image.open(images / file).convert("RGB")
        expected = np.asarray(photograph.crop((x, y, min(x + w, 400), min(y + h, 360))))
        assert np.array_equal(np.asarray(Image.open(folder / crop)), expected)
    [opened], notices = datasets.resolve(["faces"])
    assert len(opened) == COUNT and notices == []


def test_the_same_seed_draws_the_same_faces(tmp_path: Path) -> None:
    annotations, images, _ = tree(tmp_path)
    first = build_faces(annotations, images, to=tmp_path / "a").content_hash
    assert build_faces(annotations, images, to=tmp_path / "b").content_hash == first
    assert build_faces(annotations, images, to=tmp_path / "b", seed=1).content_hash != first
    assert build_faces(annotations, images, to=tmp_path / "b").content_hash == first


@given(seed=st.integers(0, 1 << 40), data=st.data())
def test_a_draw_depends_on_the_seed_and_the_set_alone(seed: int, data: st.DataObject) -> None:
    faces = [Face(f"{i % 7}.jpg", i, 0, 40, 45 + i, 0, i % 4 // 3) for i in range(60)]
    shuffled = data.draw(st.permutations(faces))
    drawn = draw(faces, seed=seed, count=20)
    assert drawn == draw(shuffled + faces, seed=seed, count=20)
    assert len(set(drawn)) == 20 and all(face.wanted for face in drawn)


def test_every_face_is_as_likely() -> None:
    """Over 600 seeds each of 40 faces is in half the draws of 20: a chi-square far from any alarm."""
    from scipy.stats import chisquare

    faces = [Face("a.jpg", i, 0, 60, 60, 0, 0) for i in range(40)]
    counts = np.zeros(40)
    for seed in range(600):
        counts[[face.x for face in draw(faces, seed=seed, count=20)]] += 1
    assert counts.sum() == 600 * 20
    assert chisquare(counts).pvalue > 1e-3


@given(
    st.dictionaries(
        st.from_regex(r"[0-9]{1,2}--[A-Z][a-z]{1,9}/[a-z_0-9]{1,12}\.jpg", fullmatch=True),
        st.lists(st.tuples(*[st.integers(0, 2000)] * 10), max_size=5),
        max_size=8,
    )
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, images: dict[str, list[Row]]
) -> None:
    path = tmp_path_factory.mktemp("a") / "a.txt"
    path.write_text(annotate(images) if images else "")
    assert read_annotations(path) == [
        Face(file, *row[:4], row[7], row[8]) for file, rows in images.items() for row in rows
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a.jpg\n", 1),
        ("a.jpg\nmany\n", 1),
        ("a.jpg\n-1\n", 1),
        ("a.jpg\n1\n1 2 3\n", 3),
        ("a.jpg\n2\n0 0 60 60 0 0 0 0 0 0\n", 4),
        ("a.jpg\n1\n0 0 60 60 0 0 0 0 0 x\n", 3),
        ("../../etc/a.jpg\n1\n0 0 60 60 0 0 0 0 0 0\n", 1),
        ("/etc/a.jpg\n1\n0 0 60 60 0 0 0 0 0 0\n", 1),
    ],
)
def test_another_format_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(
        BadInput, match=rf"a\.txt line {line} should have .*: give wider_face_train_bbx_gt\.txt"
    ):
        read_annotations(tmp_path / "a.txt")


def test_no_text_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is no text"):
        read_annotations(tmp_path / "a.txt")
    with pytest.raises(BadInput, match="cannot be read"):
        read_annotations(tmp_path / "none.txt")


def test_too_few_faces(tmp_path: Path) -> None:
    annotations, images, _ = tree(tmp_path, 20)
    with pytest.raises(BadInput, match="20 of 140 faces are of medium size and unoccluded, 100 are needed"):
        build_faces(annotations, images)


def test_a_photograph_that_is_missing_leaves_the_earlier_faces(tmp_path: Path) -> None:
    annotations, images, _ = tree(tmp_path)
    before = build_faces(annotations, images)
    assert before.lr is not None
    names = sorted(p.name for p in before.lr.iterdir())
    for file in images.rglob("*.jpg"):
        file.unlink()
    with pytest.raises(BadInput, match=r"Event_some_.*\.jpg cannot be read"):
        build_faces(annotations, images)
    assert sorted(p.name for p in before.lr.iterdir()) == names
    assert datasets.verify("faces") == before


def test_a_face_outside_its_photograph(tmp_path: Path) -> None:
    annotations, images, _ = tree(tmp_path)
    for file in images.rglob("*.jpg"):
        Image.new("RGB", (1, 1)).save(file)
    with pytest.raises(BadInput, match="is 1 x 1, and its face lies outside"):
        build_faces(annotations, images)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    annotations, images, _ = tree(tmp_path)
    with pytest.raises(BadInput, match="exists and holds something else"):
        build_faces(annotations, images, to=images)
    assert list(images.rglob("*.jpg"))


def test_the_command(tmp_path: Path) -> None:
    annotations, images, _ = tree(tmp_path)
    given = ("--annotations", str(annotations), "--images", str(images))
    done = inside("datasets", "build", "faces", *given)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("faces is registered: 100 images, content ")
    done = inside("datasets", "build", "ntire", *given)
    assert done.returncode == 2 and "'ntire' is nothing srbench builds" in done.stderr
