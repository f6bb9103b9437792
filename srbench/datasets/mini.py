"""Make the mini track: small data sets that need neither a download nor a registration.

The HR images are crops of photographs that ship inside the scikit-image wheel; the LR images are made
from them by :mod:`srbench.datasets.degrade` with a generator seeded by set and image, so that every
machine and every process gets the same pixels. (The aim degradation goes through the JPEG library at
hand, whose rounding is not promised to be the same everywhere; the content hash shows it.)
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from srbench.datasets import degrade
from srbench.datasets.base import DataSet, LoadedImage, Pixels, hash_content
from srbench.datasets.decode import decode, read
from srbench.datasets.manifests import SetManifest
from srbench.errors import RunFailed
from srbench.support.scales import SCALE

CROP = 256

# Left and right motorcycle are one scene from two viewpoints: the crop of the right one shows the
# shelves beside the motorcycle, which the two crops of the left one leave out.
CROPS: tuple[tuple[str, int, int], ...] = (
    ("astronaut.png", 0, 0),
    ("astronaut.png", 0, 256),
    ("astronaut.png", 256, 0),
    ("astronaut.png", 256, 256),
    ("chelsea.png", 20, 95),
    ("coffee.png", 72, 40),
    ("coffee.png", 72, 320),
    ("rocket.jpg", 171, 20),
    ("rocket.jpg", 171, 280),
    ("motorcycle_left.png", 130, 0),
    ("motorcycle_left.png", 150, 256),
    ("motorcycle_right.png", 0, 485),
)
"""Every HR crop is one of these: file, top, left."""

SOURCES = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "motorcycle_right.png": "5fc913ae870e42a4b662314bc904d1786bcad8e2f0b9b67dba5a229406357797",
}
"""The photographs have these sha256; another release of scikit-image might ship others."""

DEGRADATIONS: dict[str, Callable[[Pixels, np.random.Generator, int], Pixels]] = {
    "clean-mini": degrade.clean,
    "ntire-mini": degrade.ntire,
    "aim-mini": degrade.aim,
}


class MiniSet(DataSet):
    """Make the images of a mini set when they are first asked for, a few milliseconds each.

    Args:
        manifest: that of one of :data:`DEGRADATIONS`.
        scale: how many times smaller LR is; HR is cut to a multiple of it.
    """

    def __init__(self, manifest: SetManifest, scale: int = SCALE) -> None:
        self.name, self.title = manifest.name, manifest.title_at(scale)
        self.scale = scale
        self.domain, self.kind = manifest.domain, manifest.kind
        self.ids = tuple(sorted(_crops()))

    @cached_property
    def content_hash(self) -> str:
        """Return the hash over the decoded pixels, so that it says what a model really sees."""
        images = (_make(self.name, i, self.scale) for i in self.ids)
        return hash_content(
            (i, _sha256(lr), _sha256(hr)) for i, (lr, hr) in zip(self.ids, images, strict=True)
        )

    def lr_size(self, image_id: str) -> tuple[int, int]:
        _crops()[image_id]
        return CROP // self.scale, CROP // self.scale

    def load(self, image_id: str) -> LoadedImage:
        lr, hr = _make(self.name, image_id, self.scale)
        # Left and right motorcycle are one scene.
        source = Path(_crops()[image_id][0]).stem.removesuffix("_left").removesuffix("_right")
        return LoadedImage(image_id, lr.copy(), hr.copy(), f"scikit-image {source}")


@lru_cache(maxsize=1)
def _crops() -> dict[str, tuple[str, int, int]]:
    """Return the crops by id, which is the file's stem with the crop's top and left."""
    return {f"{Path(file).stem}-{top}-{left}": (file, top, left) for file, top, left in CROPS}


@lru_cache(maxsize=len(CROPS) * len(DEGRADATIONS))
def _make(name: str, image_id: str, scale: int) -> tuple[Pixels, Pixels]:
    """Make (LR, HR) of one image."""
    file, top, left = _crops()[image_id]
    side = CROP // scale * scale
    hr = np.ascontiguousarray(_photograph(file)[top : top + side, left : left + side])
    seeded = f"{name}/{image_id}" + (f" x{scale}" if scale != SCALE else "")
    seed = int.from_bytes(hashlib.sha256(seeded.encode()).digest()[:8], "big")
    return DEGRADATIONS[name](hr, np.random.Generator(np.random.PCG64(seed)), scale), hr


@lru_cache(maxsize=len(SOURCES))
def _photograph(file: str) -> Pixels:
    """Decode one of :data:`SOURCES`: (H, W, 3) uint8."""
    # By path: importing skimage.data costs time, and asking it for a file may go to the network.
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise RunFailed("the mini sets need scikit-image, which is not installed: pip install scikit-image")
    path = Path(spec.origin).parent / "data" / file
    data = read(path)
    if hashlib.sha256(data).hexdigest() != SOURCES[file]:
        raise RunFailed(
            f"{path} is not the photograph the mini sets are made of: reinstall scikit-image "
            "(pip install --force-reinstall scikit-image==0.26.0)"
        )
    return decode(data, path)


def _sha256(pixels: Pixels) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()
