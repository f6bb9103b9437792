"""Find the files some metrics need where the user has them, or fetch them once with a checked sha256."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from srbench.errors import BadInput, Unavailable
from srbench.install.fetch import fetch
from srbench.support.home import atomic_path, forget_weight_files, home, sha256_file, weight_files


@dataclass(frozen=True)
class WeightFile:
    """Describe one published file that carries the numbers of a :class:`Weight`.

    Attributes:
        filename: its usual name.
        sha256: its sha256, or the first digits where only those are published.
        url: http(s) address; empty for a file that is recognised but not fetched.
    """

    filename: str
    sha256: str
    url: str = ""


@dataclass(frozen=True)
class Weight:
    """Name a set of numbers a metric needs, and the files that carry it; the first is the one fetched."""

    name: str
    files: tuple[WeightFile, ...]

    def find(self) -> Path | None:
        """Return the file on this machine, or None; the right name with other content is passed over."""
        by_name = {published.filename: published for published in self.files}
        for file in [*weight_files(), *_library_caches()]:
            published = by_name.get(file.name)
            if published and sha256_file(file).startswith(published.sha256):
                return file
        return None

    def locate(self) -> Path:
        """Return the file, fetched if need be.

        Raises:
            Unavailable: it is not on this machine and cannot be fetched; the message says how to get it.
        """
        if file := self.find():
            return file
        first = self.files[0]
        try:
            return fetch(first.url, _folder() / first.filename, sha256=first.sha256)
        except Unavailable as error:
            raise Unavailable(f"needs {first.filename}, and {error}") from error

    def install(self, file: Path) -> Path:
        """Copy one of the files, fetched by the user, to where srbench finds it.

        Raises:
            BadInput: there is no such file, or its content is none of the published files'.
        """
        if not file.is_file():
            raise BadInput(f"{file} is not a file: give the path of the downloaded {self.name}")
        sha256 = sha256_file(file)
        for published in self.files:
            if sha256.startswith(published.sha256):
                with atomic_path(_folder() / published.filename) as temporary:
                    shutil.copyfile(file, temporary)
                forget_weight_files()
                return _folder() / published.filename
        expected = " or ".join(f"{s.sha256} ({s.filename})" for s in self.files)
        raise BadInput(f"{file} has sha256 {sha256}, not that of {self.name}: {expected}")


def _folder() -> Path:
    return home() / "weights" / "metrics"


def _library_caches() -> list[Path]:
    """Return files torchvision and pyiqa may have fetched before for somebody else."""
    import torch

    hub = Path(torch.hub.get_dir())
    return [file for folder in ("checkpoints", "pyiqa") for file in sorted((hub / folder).glob("*"))]
