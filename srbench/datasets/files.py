"""Open data sets that lie in folders: all of them is checked before the first model runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from srbench.datasets.base import DataSet, LoadedImage, Pixels, SetDomain, SetKind, hash_content
from srbench.datasets.decode import FileFacts, decode, inspect
from srbench.datasets.labels import default_name
from srbench.datasets.pairs import match_pairs, single_images
from srbench.errors import BadInput, RunFailed
from srbench.support.scales import SCALE, SCALES


@dataclass(frozen=True)
class CheckedFile:
    """Hold a file that is sound, and the facts that were read when it was checked."""

    path: Path
    facts: FileFacts


@dataclass(frozen=True)
class CheckedImage:
    """Hold the files of one image; ``hr`` is None in a set without ground truth."""

    lr: CheckedFile
    hr: CheckedFile | None


class FileSet(DataSet):
    """Give the images of files whose content is known; see :func:`check_pairs` and :func:`check_folder`.

    Args:
        images: id to checked files.
        name: see :class:`~srbench.datasets.base.DataSet`, as for title, domain and scale.
        sources: by id, :attr:`~srbench.datasets.base.LoadedImage.source` where somebody says.
    """

    def __init__(
        self,
        images: Mapping[str, CheckedImage],
        *,
        name: str,
        title: str,
        domain: SetDomain,
        scale: int = SCALE,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self._images, self._sources = dict(images), dict(sources or {})
        self.scale = scale
        self.name, self.title, self.domain = name, title, domain
        self.ids = tuple(sorted(self._images))
        self.kind: SetKind = "paired" if all(image.hr for image in self._images.values()) else "no-reference"
        self._content_hash = content_hash(self._images)

    @property
    def content_hash(self) -> str:
        return self._content_hash

    def lr_size(self, image_id: str) -> tuple[int, int]:
        facts = self._images[image_id].lr.facts
        return facts.height, facts.width

    def load(self, image_id: str) -> LoadedImage:
        image = self._images[image_id]
        lr = decode_checked(image.lr)
        source = self._sources.get(image_id, "")
        if image.hr is None:
            return LoadedImage(image_id, lr, None, source)
        hr = decode_checked(image.hr)[: self.scale * lr.shape[0], : self.scale * lr.shape[1]]
        return LoadedImage(image_id, lr, hr.copy() if hr.base is not None else hr, source)


def check_pairs(
    lr_dir: Path, hr_dir: Path, *, pair_by: str | None = None, scale: int = SCALE
) -> dict[str, CheckedImage]:
    """Match the two folders, decode every file and check every size.

    An HR image is cut at the bottom and right to a multiple of the scale (the field's modcrop) and must then
    be exactly so many times its LR image.

    Args:
        lr_dir: the folder of the LR images.
        hr_dir: the folder of the HR images, which may be the same.
        pair_by: see :func:`srbench.datasets.pairs.match_pairs`.
        scale: how many times larger the HR images are.

    Raises:
        BadInput: a file without partner, a file that cannot be used, or a size that does not fit.
    """
    matched = match_pairs(lr_dir, hr_dir, pair_by=pair_by)
    checked = iter(inspect_all(file for pair in matched.values() for file in pair))
    images = {image_id: CheckedImage(next(checked), next(checked)) for image_id in matched}
    for image in images.values():
        _check_sizes(image, scale)
    return images


def check_folder(lr_dir: Path) -> dict[str, CheckedImage]:
    """Check every file of a set without ground truth. BadInput for one that cannot be used."""
    files = single_images(lr_dir)
    return {i: CheckedImage(file, None) for i, file in zip(files, inspect_all(files.values()), strict=True)}


def content_hash(images: Mapping[str, CheckedImage]) -> str:
    """Return :func:`srbench.datasets.base.hash_content` of checked images, by the hashes of their files."""
    return hash_content(
        (i, image.lr.facts.sha256, image.hr.facts.sha256 if image.hr else "") for i, image in images.items()
    )


def user_pairs(lr_dir: Path, hr_dir: Path, *, name: str = "", scale: int = SCALE) -> FileSet:
    """Open a user's own pairs, named after the HR folder and the content if nothing else is said.

    Raises:
        BadInput: as :func:`check_pairs`.
    """
    images = check_pairs(lr_dir, hr_dir, scale=scale)
    return FileSet(
        images,
        name=name or default_name(hr_dir, content_hash(images)),
        title=f"LR {lr_dir}, HR {hr_dir}",
        domain="unknown",
        scale=scale,
    )


def user_folder(folder: Path, *, name: str = "", scale: int = SCALE) -> FileSet:
    """Open a user's own images without ground truth, named likewise. BadInput as :func:`check_folder`."""
    images = check_folder(folder)
    return FileSet(
        images,
        name=name or default_name(folder, content_hash(images)),
        title=f"LR {folder}",
        domain="unknown",
        scale=scale,
    )


def inspect_all(files: Iterable[Path]) -> list[CheckedFile]:
    """Decode files, several at once, and return what is known of them. BadInput for one that is not sound."""
    # Hashing, CRCs and decoders release the interpreter lock; four files in memory at most.
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda file: CheckedFile(file, inspect(file, whole=True)), files))


def _check_sizes(image: CheckedImage, scale: int) -> None:
    assert image.hr is not None
    lr, hr = image.lr.facts, image.hr.facts
    fitting = [s for s in SCALES if (hr.width // s, hr.height // s) == (lr.width, lr.height)]
    if scale not in fitting:
        other = f"; --scale {fitting[0]} takes them" if fitting else ""
        raise BadInput(
            f"{image.hr.path} is {hr.width} x {hr.height}, but {image.lr.path} is {lr.width} x {lr.height}: "
            f"after cutting the HR to a multiple of {scale} it must be exactly {scale} times the LR, "
            f"{scale * lr.width} x {scale * lr.height}{other}"
        )


def decode_checked(file: CheckedFile) -> Pixels:
    """Decode a file that was checked. RunFailed where it is gone, or is not what it was."""
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise RunFailed(
            f"{file.path} can no longer be read ({error.strerror or error}): run the same command again"
        ) from error
    if hashlib.sha256(data).hexdigest() != file.facts.sha256:
        raise RunFailed(f"{file.path} changed while the run was under way: run the same command again")
    return decode(data, file.path)
