"""The files some metrics need: found where the user has them, or fetched once with a checked sha256."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from srbench.errors import BadInput
from srbench.install.fetch import Unavailable, fetch
from srbench.support.home import atomic_path, forget_weight_files, home, sha256_file, weight_files


@dataclass(frozen=True)
class Source:
    """One published file that carries the numbers.

    Attributes:
        filename: its usual name.
        sha256: its sha256, or the first digits where only those are published.
        url: where to fetch it; empty for a file that is recognised but not fetched.
    """

    filename: str
    sha256: str
    url: str = ""


@dataclass(frozen=True)
class Weight:
    """A set of numbers a metric needs, and the files that carry it; the first source is the one fetched."""

    name: str
    sources: tuple[Source, ...]

    def find(self) -> Path | None:
        """The file on this machine, or None. A file with the right name and other content is passed over."""
        by_name = {source.filename: source for source in self.sources}
        for file in [*weight_files(), *_library_caches()]:
            source = by_name.get(file.name)
            if source and sha256_file(file).startswith(source.sha256):
                return file
        return None

    def locate(self) -> Path:
        """The file, fetched if need be.

        Raises:
            Unavailable: it is not here and cannot be fetched; the message says how to get it.
        """
        if found := self.find():
            return found
        source = self.sources[0]
        try:
            return fetch(source.url, _folder() / source.filename, sha256=source.sha256)
        except Unavailable as error:
            raise Unavailable(f"needs {source.filename}, and {error}") from error

    def install(self, file: Path) -> Path:
        """Copy one of the sources, fetched by the user, to where srbench finds it.

        Raises:
            BadInput: there is no such file, or its content is none of the sources'.
        """
        if not file.is_file():
            raise BadInput(f"{file} is not a file: give the path of the downloaded {self.name}")
        found = sha256_file(file)
        for source in self.sources:
            if found.startswith(source.sha256):
                with atomic_path(_folder() / source.filename) as temporary:
                    shutil.copyfile(file, temporary)
                forget_weight_files()
                return _folder() / source.filename
        expected = " or ".join(f"{s.sha256} ({s.filename})" for s in self.sources)
        raise BadInput(f"{file} has sha256 {found}, not that of {self.name}: {expected}")


def _folder() -> Path:
    return home() / "weights" / "metrics"


def _library_caches() -> list[Path]:
    """Files torchvision and pyiqa may have fetched before for somebody else."""
    import torch

    hub = Path(torch.hub.get_dir())
    return [file for folder in ("checkpoints", "pyiqa") for file in sorted((hub / folder).glob("*"))]
