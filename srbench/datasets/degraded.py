"""Make LR images of photographs as they are asked for: ``degrade:ntire:HR_DIR``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from srbench.datasets.base import DataSet, LoadedImage, Pixels, hash_content, photograph_of
from srbench.datasets.degradations import Degradation
from srbench.datasets.files import CheckedFile, check_folder, decode_checked
from srbench.datasets.labels import default_name
from srbench.errors import BadInput
from srbench.support.scales import SCALE

SMALLEST = 8
"""LR images have at least so many pixels a side: of fewer there is nothing to see."""


class DegradedSet(DataSet):
    """Give photographs and what a degradation makes of them; nothing is written.

    An image is degraded whenever it is loaded, and each of them once more for the content hash, which is over
    the decoded pixels: it says what a model really sees. A large set is better built once
    (:func:`srbench.datasets.build.build_set`), whose LR images have the same pixels.

    Args:
        photographs: from :func:`photographs`.
        degradation: makes the LR images.
        folder: where the photographs are, for the name and the title.
        name: what records call the set; the degradation, the folder and the content if empty.
        scale: the factor between HR and LR.
    """

    def __init__(
        self,
        photographs: Mapping[str, CheckedFile],
        degradation: Degradation,
        folder: Path,
        *,
        name: str = "",
        scale: int = SCALE,
    ) -> None:
        self._photographs, self._degradation, self.scale = dict(photographs), degradation, scale
        self.ids = tuple(sorted(self._photographs))
        self.domain, self.kind = degradation.domain, "paired"
        self.title = f"{folder}, {degradation.title} x{scale}"
        self.name = name or f"{degradation.title}-{default_name(folder, self.content_hash)}"

    @cached_property
    def content_hash(self) -> str:
        # numpy, decoders and encoders release the interpreter lock; four photographs in memory at most.
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            return hash_content(pool.map(self._row, self.ids))

    def _row(self, image_id: str) -> tuple[str, str, str]:
        image = self.load(image_id)
        assert image.hr is not None
        return image_id, _sha256(image.lr), _sha256(image.hr)

    def lr_size(self, image_id: str) -> tuple[int, int]:
        facts = self._photographs[image_id].facts
        return facts.height // self.scale, facts.width // self.scale

    def load(self, image_id: str) -> LoadedImage:
        return degraded(self._photographs[image_id], image_id, self._degradation, self.scale)


def photographs(folder: Path, scale: int = SCALE) -> dict[str, CheckedFile]:
    """Check every photograph of a folder, by the stem of its name.

    Raises:
        BadInput: no directory, no images, two of one stem, one that cannot be decoded or is too small.
    """
    files = {image_id: image.lr for image_id, image in check_folder(folder).items()}
    for file in files.values():
        if min(file.facts.width, file.facts.height) < SMALLEST * scale:
            raise BadInput(
                f"{file.path} is {file.facts.width} x {file.facts.height}: a photograph to be degraded has "
                f"{SMALLEST * scale} pixels a side or more; remove it"
            )
    return files


def degraded(file: CheckedFile, image_id: str, degradation: Degradation, scale: int) -> LoadedImage:
    """Return a photograph, cut at the bottom and right to a multiple of the scale, and what is made of it.

    Its source is the hash of its pixels, cut as for x4: the same under every degradation and at every scale,
    and as in pairs of somebody else's making that have it as their HR.

    Raises:
        RunFailed: the file is gone, or is not the one that was checked.
    """
    whole = decode_checked(file)
    hr = _cut(whole, scale)
    return LoadedImage(image_id, degradation.lr(hr, image_id, scale), hr, photograph_of(_cut(whole, SCALE)))


def _cut(pixels: Pixels, multiple: int) -> Pixels:
    height, width = (size - size % multiple for size in pixels.shape[:2])
    return pixels[:height, :width].copy()


def _sha256(pixels: Pixels) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()
