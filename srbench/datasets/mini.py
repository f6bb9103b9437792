"""Make the mini track: small data sets that need neither a download nor a registration.

The HR images are crops of photographs (:mod:`srbench.datasets.mini_crops`); the LR images are made from
them by :mod:`srbench.datasets.degradations` with a generator seeded by set and image, so that every machine
and every process gets the same pixels. (The aim degradation goes through the JPEG library at hand, whose
rounding is not promised to be the same everywhere; the content hash shows it.)
"""

from __future__ import annotations

import hashlib
from functools import cached_property, lru_cache

import numpy as np

from srbench.datasets.base import DataSet, LoadedImage, Pixels, hash_content
from srbench.datasets.degradations import DEGRADATIONS
from srbench.datasets.manifests import SetManifest
from srbench.datasets.mini_crops import CROP, Edition, crops
from srbench.support.scales import SCALE


class MiniSet(DataSet):
    """Make the images of a mini set when they are first asked for, a few milliseconds each.

    Args:
        manifest: its domain names the degradation, its edition of the track the crops.
        scale: how many times smaller LR is; HR is cut to a multiple of it.
    """

    def __init__(self, manifest: SetManifest, scale: int = SCALE) -> None:
        self.name, self.title = manifest.name, manifest.title_at(scale)
        self.scale = scale
        self.domain, self.kind = manifest.domain, manifest.kind
        assert manifest.edition is not None
        self._edition = manifest.edition
        self._crops = crops(manifest.edition)
        self.ids = tuple(self._crops)

    @cached_property
    def content_hash(self) -> str:
        """Return the hash over the decoded pixels, so that it says what a model really sees."""
        images = (self._make(i) for i in self.ids)
        return hash_content(
            (i, _sha256(lr), _sha256(hr)) for i, (lr, hr) in zip(self.ids, images, strict=True)
        )

    def lr_size(self, image_id: str) -> tuple[int, int]:
        self._crops[image_id]
        return CROP // self.scale, CROP // self.scale

    def load(self, image_id: str) -> LoadedImage:
        lr, hr = self._make(image_id)
        return LoadedImage(image_id, lr.copy(), hr.copy(), self._crops[image_id].photograph.source)

    def _make(self, image_id: str) -> tuple[Pixels, Pixels]:
        return _made(self.name, self.domain, self._edition, image_id, self.scale)


@lru_cache(maxsize=128)
def _made(name: str, domain: str, edition: Edition, image_id: str, scale: int) -> tuple[Pixels, Pixels]:
    """Make (LR, HR) of one image."""
    hr = crops(edition)[image_id].pixels(CROP // scale * scale)
    seeded = f"{name}/{image_id}" + (f" x{scale}" if scale != SCALE else "")
    seed = int.from_bytes(hashlib.sha256(seeded.encode()).digest()[:8], "big")
    return DEGRADATIONS[domain].make(hr, np.random.Generator(np.random.PCG64(seed)), scale), hr


def _sha256(pixels: Pixels) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()
