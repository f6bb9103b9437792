"""Cut the HR crops of the mini track from photographs that ship inside packages srbench needs anyway."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from srbench.datasets.base import Pixels
from srbench.datasets.decode import decode, read
from srbench.errors import RunFailed
from srbench.support.toml import read_toml

CROP = 256
"""Every crop has this side, in pixels."""
Edition = Literal[1, 2]
_FOLDERS = {"scikit-image": ("skimage", "data"), "matplotlib": ("matplotlib", "mpl-data/sample_data")}


class Photograph(BaseModel):
    """Describe a file that ships inside a package.

    Attributes:
        package: the package, as pip calls it.
        file: its name there.
        sha256: its content's; another release of the package might ship another file.
        scene: what it shows, where another file shows it too.
        crops: the top and left of each crop, by edition of the mini track.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: Literal["scikit-image", "matplotlib"]
    file: str
    sha256: str
    scene: str = ""
    crops: dict[Edition, tuple[tuple[int, int], ...]]

    @field_validator("crops", mode="before")
    @classmethod
    def _numbered(cls, crops: dict[str, object]) -> dict[int, object]:
        return {int(edition): places for edition, places in crops.items()}

    @property
    def source(self) -> str:
        """Return what records call the photograph: files of one scene are one."""
        return f"{self.package} {self.scene or Path(self.file).stem}"

    def pixels(self) -> Pixels:
        """Decode the file: (H, W, 3) uint8.

        Raises:
            RunFailed: the package is not installed, or ships another file.
        """
        return _decoded(self.package, self.file, self.sha256)


@dataclass(frozen=True)
class Crop:
    """Holds where an HR image is cut out."""

    photograph: Photograph
    top: int
    left: int

    def pixels(self, side: int = CROP) -> Pixels:
        """Return the HR image: (side, side, 3) uint8."""
        whole = self.photograph.pixels()
        return whole[self.top : self.top + side, self.left : self.left + side].copy()


@lru_cache
def photographs() -> tuple[Photograph, ...]:
    """Return every photograph of the mini track."""
    table = read_toml(resources.files("srbench.datasets") / "mini_track.toml")
    return tuple(Photograph.model_validate(row) for row in table["photographs"])


@lru_cache
def crops(edition: Edition) -> dict[str, Crop]:
    """Return the crops of an edition by image id, sorted: the file's stem, the crop's top and left.

    >>> len(crops(1)), len(crops(2)), len({crop.photograph.source for crop in crops(2).values()})
    (12, 20, 12)
    """
    found = {
        f"{Path(photograph.file).stem}-{top}-{left}": Crop(photograph, top, left)
        for photograph in photographs()
        for top, left in photograph.crops.get(edition, ())
    }
    return dict(sorted(found.items()))


@lru_cache(maxsize=16)
def _decoded(package: str, file: str, sha256: str) -> Pixels:
    # By path: importing skimage.data costs time, and asking it for a file may go to the network.
    module, folder = _FOLDERS[package]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RunFailed(f"the mini sets need {package}, which is not installed: pip install {package}")
    path = Path(spec.origin).parent / folder / file
    data = read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RunFailed(
            f"{path} is not the photograph the mini sets are made of: reinstall {package} "
            f"(pip install --force-reinstall {package})"
        )
    return decode(data, path)
