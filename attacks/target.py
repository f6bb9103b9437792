"""Images that targeted attacks steer the output towards: one for every image, or one for each by its name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Target:
    """Knows the images an attack goes towards.

    Attributes:
        path: an image file, which every output is steered towards, or a folder of images by the ids of the
            data set, with any ending.
        sha256: over names and contents: a part of the attack's identity, which the path is not.

    Raises:
        BadInput: there is no such file or folder, or no image in it.
    """

    path: Path
    sha256: str = field(init=False, default="")

    def __post_init__(self) -> None:
        files = self._files()
        rows = (
            f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n"
            for name, file in sorted(files.items())
        )
        object.__setattr__(self, "sha256", hashlib.sha256("".join(rows).encode()).hexdigest())

    def image(self, name: str, size: tuple[int, int]) -> Tensor:
        """Return the target (1,3,H,W) in [0,1] of an image, resized by Pillow's bicubic where it has to be.

        Args:
            name: the image's id.
            size: height and width of its HR.

        Raises:
            BadInput: there is none of that name, or the file cannot be read.
        """
        import numpy as np
        import torch
        from PIL import Image

        from srbench.datasets.decode import decode, read

        files = self._files()
        if (file := files.get("") or files.get(name)) is None:
            raise BadInput(f"{self.path}: there is no target for image {name}: put {name}.png into it")
        pixels = Image.fromarray(np.asarray(decode(read(file), file)))
        if pixels.size != size[::-1]:
            pixels = pixels.resize(size[::-1], Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).unsqueeze(0).float() / 255

    def _files(self) -> dict[str, Path]:
        """Return files by the ids they are for; the empty id is every image."""
        from srbench.datasets.pairs import single_images

        if self.path.is_file():
            return {"": self.path}
        if not self.path.is_dir():
            raise BadInput(f"--target {self.path}: there is neither an image nor a folder of images")
        return single_images(self.path)
