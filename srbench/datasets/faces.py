"""Draw FACES, crops of WIDER FACE, as Castillo et al. 2021 describe, whose own list was never published.

"We randomly sample 100 cropped faces of medium size with no occlusions." Medium is what the WIDER FACE paper
(Yang et al. 2016) calls so: faces 50 to 300 pixels high. No occlusion is its annotation ``occlusion 0``;
faces it marks invalid are left out. A crop is the annotated box, without margin.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from srbench.datasets.decode import decode, read
from srbench.datasets.registry import SetStatus, add
from srbench.errors import BadInput
from srbench.install.places import locked, whole_folder
from srbench.support.home import cannot_write, home, write_atomic

COUNT = 100
MEDIUM = (50, 300)
"""A medium-size face is from so many to so many pixels high."""

_FIELDS = 10  # x, y, w, h, blur, expression, illumination, invalid, occlusion, pose


@dataclass(frozen=True, order=True)
class Face:
    """Hold one annotated face: its image (``EVENT/NAME.jpg``), its box in pixels, two of its attributes."""

    file: str
    x: int
    y: int
    width: int
    height: int
    invalid: int
    occlusion: int

    @property
    def wanted(self) -> bool:
        """Return whether the face is of medium size, unoccluded and valid."""
        return (
            MEDIUM[0] <= self.height <= MEDIUM[1]
            and self.width > 0
            and self.x >= 0
            and self.y >= 0
            and self.occlusion == 0
            and self.invalid == 0
        )


def read_annotations(path: Path) -> list[Face]:
    """Read the faces of ``wider_face_train_bbx_gt.txt``.

    The format, image after image: a line with the file, one with the number of faces, then a line of ten
    numbers for each (x, y, w, h, blur, expression, illumination, invalid, occlusion, pose). An image
    without faces is followed by one line all the same.

    Raises:
        BadInput: the file cannot be read or does not have this format; the message names the line.
    """
    try:
        lines = read(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text: give wider_face_train_bbx_gt.txt") from error
    faces = []
    at = 0
    while at < len(lines):
        file = lines[at].strip()
        if not file:
            at += 1
            continue
        try:
            count = int(lines[at + 1])
            if count < 0 or ".." in Path(file).parts or Path(file).is_absolute():
                raise ValueError
        except (ValueError, IndexError):
            raise _malformed(path, at + 1, "a file below the images, then a number of faces") from None
        for row in range(at + 2, at + 2 + max(count, 1)):
            try:
                numbers = [int(word) for word in lines[row].split()]
                x, y, width, height, *_, invalid, occlusion, _ = numbers
                if len(numbers) != _FIELDS:
                    raise ValueError
            except (ValueError, IndexError):
                raise _malformed(path, row + 1, f"{_FIELDS} numbers") from None
            if count:
                faces.append(Face(file, x, y, width, height, invalid, occlusion))
        at += 2 + max(count, 1)
    return faces


def draw(faces: list[Face], *, seed: int, count: int = COUNT) -> list[Face]:
    """Draw ``count`` of the wanted faces, each as likely as any other, whatever the order of ``faces``.

    Raises:
        BadInput: there are not as many.
    """
    wanted = sorted({face for face in faces if face.wanted})
    if len(wanted) < count:
        raise BadInput(
            f"{len(wanted)} of {len(faces)} faces are of medium size and unoccluded, {count} are needed: "
            "give the annotations of the whole training set"
        )
    digest = hashlib.sha256(f"faces/{seed}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
    return sorted(wanted[i] for i in generator.choice(len(wanted), count, replace=False))


def build_faces(
    annotations: Path, images: Path, *, to: Path | None = None, seed: int = 0, count: int = COUNT
) -> SetStatus:
    """Draw faces, write their crops as PNG, and register them as the data set ``faces``.

    Args:
        annotations: ``wider_face_train_bbx_gt.txt``.
        images: the folder its file names start from (``WIDER_train/images``).
        to: the folder to make (default: ``HOME/files/faces-SEED``); it appears whole or not at all.
        seed: what the draw depends on, beside the annotations.
        count: how many faces.

    Raises:
        BadInput: anything wrong with the annotations or an image.
        RunFailed: the folder cannot be written.
    """
    chosen = draw(read_annotations(annotations), seed=seed, count=count)
    target = (to.expanduser() if to else home() / "files" / f"faces-{seed}").resolve()
    if target.exists() and not (target / "faces.tsv").is_file():
        raise BadInput(f"{target} exists and holds something else: choose another folder")
    with locked(target), cannot_write(target.parent), whole_folder(target) as folder:
        rows = ["crop\tfile\tx\ty\twidth\theight\n"]
        for face in chosen:
            box = (face.x, face.y, face.width, face.height)
            stem = Path(face.file).with_suffix("").as_posix().replace("/", "_")
            name = "_".join(map(str, (stem, *box))) + ".png"
            _crop(images, face).save(folder / name)
            rows.append("\t".join(map(str, (name, face.file, *box))) + "\n")
        write_atomic(folder / "faces.tsv", "".join(rows))
    return add("faces", target, None)


def _crop(images: Path, face: Face) -> Image.Image:
    path = images / face.file
    pixels = decode(read(path), path)
    crop = pixels[face.y : face.y + face.height, face.x : face.x + face.width]
    if min(crop.shape[:2]) == 0:
        raise BadInput(f"{path} is {pixels.shape[1]} x {pixels.shape[0]}, and its face lies outside: {face}")
    return Image.fromarray(np.ascontiguousarray(crop))


def _malformed(path: Path, line: int, wanted: str) -> BadInput:
    return BadInput(f"{path} line {line} should have {wanted}: give wider_face_train_bbx_gt.txt as published")
