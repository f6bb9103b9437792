"""Take SR images that were made elsewhere in the place of a model: ``outputs:DIR``.

What a diffusion pipeline, a web service or another framework made is compared as files. The directory has the
images themselves, or a folder for each data set, named as the set.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from srbench.datasets.files import CheckedFile, decode_checked, inspect_all
from srbench.datasets.listing import examples, image_files, list_folder
from srbench.datasets.suffixes import LEVELS, Role, composed, readings
from srbench.errors import BadInput, RunFailed
from srbench.support.file_names import file_stem
from srbench.support.home import sha256_file
from srbench.zoo.schema import NAME

if TYPE_CHECKING:
    from srbench.datasets.base import DataSet, Pixels

_SPEC = re.compile(rf"({NAME.pattern}=)?outputs:.*", re.DOTALL)
PREFIX = "outputs:"


def is_outputs(spec: object) -> bool:
    """Return whether a user means SR images by what they wrote for a model.

    >>> is_outputs("mine=outputs:results/mine"), is_outputs("net.pth")
    (True, False)
    """
    return isinstance(spec, str) and _SPEC.fullmatch(spec) is not None


@dataclass(frozen=True)
class MadeElsewhere:
    """Holds SR images that are there already.

    Attributes:
        folder: where they are.
        digests: the sha256 of each by its path in the folder; those of sub-folders are of the data sets that
            these are named after.
    """

    folder: Path
    digests: Mapping[str, str] = field(hash=False, repr=False)

    @property
    def sha256(self) -> str:
        """Return what identifies them: a sha256 over the lines ``path<TAB>sha256<LF>``, sorted."""
        lines = sorted(f"{path}\t{digest}\n" for path, digest in self.digests.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def check(self, sets: Sequence[DataSet]) -> list[str]:
        """Match the images with those of data sets, and decode them.

        Returns:
            A line for each set that names images it has no use for.

        Raises:
            BadInput: no images of a set, images that cannot be told to be of one of several sets, two files
                of one stem, or a file that cannot be used.
        """
        notices = []
        for data in sets:
            if len(sets) > 1 and not self._inside(data.name):
                self._refuse_place(data, sets)
            found = self._of(data)
            if found.unused:
                counted = f"{len(found.unused)} image{'s' * (len(found.unused) > 1)} of no use"
                notices.append(f"{found.place}: {counted}, {data.name} has no {examples(found.unused)}")
        return notices

    def image(self, data: DataSet, image: str) -> Pixels:
        """Decode the SR image of an image of a data set: (H, W, 3) uint8.

        Raises:
            RunFailed: there is none, or its file is not what it was.
        """
        found = self._of(data)
        if image not in found.files:
            raise RunFailed(f"{found.place} has no SR of it")
        return decode_checked(found.files[image])

    def _inside(self, name: str) -> dict[str, Path]:
        """Return the files of the folder called so, by their paths."""
        return {path: self.folder / path for path in self.digests if path.startswith(f"{name}/")}

    def _of(self, data: DataSet) -> Found:
        return _found(self, data.name, data.ids)

    def _refuse_place(self, data: DataSet, sets: Sequence[DataSet]) -> NoReturn:
        folders = sorted({path.partition("/")[0] for path in self.digests if "/" in path})
        has = f"it has {', '.join(folders[:6])}" if folders else "its images lie beside each other"
        raise BadInput(
            f"{PREFIX}{self.folder} has no folder {data.name} with images, {has}: for {len(sets)} data sets "
            "each has to have a folder of its name"
        )


@dataclass(frozen=True)
class Found:
    """Holds what a directory has for a data set: files by image id, others, and the folder they are in."""

    files: Mapping[str, CheckedFile]
    unused: Sequence[Path]
    place: Path


@lru_cache(maxsize=64)
def _found(made: MadeElsewhere, name: str, ids: tuple[str, ...]) -> Found:
    own = made._inside(name)
    files = own or {path: made.folder / path for path in made.digests if "/" not in path}
    place = made.folder / name if own else made.folder
    if not files:
        raise BadInput(
            f"{PREFIX}{place} has no images, and no folder {name} with any: give the folder of the SR images"
        )
    matched = _matched(files.values(), ids)
    if not matched:
        raise BadInput(
            f"no image in {place} ({examples(files.values())}) is of {name}: an SR file has the stem of its "
            f"image, such as {ids[0]}.png"
        )
    checked = dict(zip(matched, inspect_all(matched.values()), strict=True))
    for file in checked.values():
        if file.facts.sha256 != made.digests[file.path.relative_to(made.folder).as_posix()]:
            raise BadInput(f"{file.path} was changed since the command began: run it again")
    used = set(matched.values())
    return Found(checked, [file for file in files.values() if file not in used], place)


def _matched(files: Iterable[Path], ids: Collection[str]) -> dict[str, Path]:
    """Return files by image id: those of an image's stem, then those that an LR or HR file is called like."""
    by_stem: dict[str, Path] = {}
    for file in files:
        if (other := by_stem.setdefault(composed(file.stem), file)) is not file:
            raise _both(other, file, file.stem)
    names = {key: image for image in ids for key in (file_stem(image), composed(image))}
    matched = {names[stem]: file for stem, file in by_stem.items() if stem in names}
    roles: tuple[Role, ...] = ("lr", "hr")
    for level in range(1, LEVELS):
        found: dict[str, Path] = {}
        for stem, file in by_stem.items():
            for key in {composed(readings(stem, role)[level]) for role in roles} & names.keys():
                image = names[key]
                if image in matched or file in matched.values():
                    continue
                if (other := found.setdefault(image, file)) is not file:
                    raise _both(other, file, image)
        matched |= found
    return {image: matched[image] for image in sorted(matched)}


def _both(one: Path, two: Path, key: str) -> BadInput:
    return BadInput(f"{one.name} and {two.name} in {one.parent} both stand for '{key}': keep one")


def read_outputs(folder: Path) -> MadeElsewhere:
    """Hash every image in a directory and in the folders in it.

    Raises:
        BadInput: no such directory, or no image in it.
    """
    listing = list_folder(folder)
    files = [*listing.files, *(file for inner in listing.folders for file in list_folder(inner).files)]
    if not files:
        image_files(folder)  # which says what lies there instead
    return MadeElsewhere(folder, {file.relative_to(folder).as_posix(): sha256_file(file) for file in files})
