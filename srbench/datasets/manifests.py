"""The known data sets: one TOML file each in ``sets/``, found by listing that folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from srbench.datasets.base import Domain, Kind
from srbench.errors import unknown
from srbench.toml import read_toml

MINI_SUFFIX = "-mini"
_SETS = Path(__file__).parent / "sets"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """One published file of a data set; the hash and the size only where they are known.

    Attributes:
        url: where it is published.
        filename: the file's name.
        sha256: 64 hex digits.
        bytes: its length.
    """

    url: str = Field(pattern=r"^https?://")
    filename: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    bytes: PositiveInt | None = None


class SetManifest(_Frozen):
    """What is known of a data set before anybody has it.

    Attributes:
        name: the name users and records write.
        title: the name in full.
        domain: the degradation of its LR images.
        kind: "paired" or "no-reference".
        images: how many it holds as published, where that is known.
        mini: the built-in set of the same degradation that can stand in for it.
        sources: its published files.
        how: how to get or make it.
        licence: the terms it comes under.
        citation: what to cite.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-mini)?$")
    title: str
    domain: Domain
    kind: Kind
    images: PositiveInt | None = None
    mini: str | None = None
    sources: tuple[Source, ...] = ()
    how: str
    licence: str
    citation: str

    @property
    def is_mini(self) -> bool:
        """Whether srbench makes this set itself from images that are installed with it."""
        return self.name.endswith(MINI_SUFFIX)


def names() -> list[str]:
    """Every known data set: the published ones by name, then the mini ones."""
    return sorted((p.stem for p in _SETS.glob("*.toml")), key=lambda name: (name.endswith(MINI_SUFFIX), name))


def manifest(name: str) -> SetManifest:
    """The manifest of a data set. BadInput with the nearest names where it is not known."""
    known = names()
    if name not in known:
        raise unknown("data set", name, known, "srbench datasets")
    return _read(_SETS / f"{name}.toml")


@lru_cache
def _read(path: Path) -> SetManifest:
    return SetManifest.model_validate(read_toml(path))
