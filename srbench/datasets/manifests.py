"""Know the data sets: one TOML file each in ``sets/``, found by listing that folder."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from srbench.datasets.base import SetDomain, SetKind
from srbench.datasets.labels import NAME
from srbench.datasets.mini_crops import Edition
from srbench.datasets.registrations import Made, Registration, read_registration, registered_names
from srbench.errors import BadInput, unknown
from srbench.install.source import Source
from srbench.support.scales import SCALE
from srbench.support.toml import read_toml

_SETS = Path(__file__).parent / "sets"


Role = Literal["lr", "hr", "training"]


class SetSource(Source):
    """Describe one published archive of a data set.

    Attributes:
        role: what srbench takes from it: the LR or the HR images, or images to train on; None for one
            that is only named.
    """

    role: Role | None = None


class SetManifest(BaseModel):
    """Describe what is known of a data set before anybody has it.

    Attributes:
        name: the name users and records write.
        aliases: other names users may write for it.
        title: the name in full.
        domain: the degradation of its LR images.
        kind: "paired" or "no-reference".
        images: how many it holds as published, where that is known.
        mini: the built-in set of the same degradation that can stand in for it.
        edition: of the mini track, for a set that srbench makes itself of what is installed with it.
        sources: its published files.
        how: how to get or make it.
        licence: the terms it comes under.
        redistributable: whether they let copies be passed on.
        citation: what to cite.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9]+(-mini2?)?$")
    aliases: tuple[str, ...] = ()
    title: str
    domain: SetDomain
    kind: SetKind
    images: PositiveInt | None = None
    mini: str | None = None
    edition: Edition | None = None
    sources: tuple[SetSource, ...] = ()
    how: str
    licence: str
    redistributable: bool = False
    citation: str

    @property
    def is_mini(self) -> bool:
        """Return whether srbench makes this set itself from images that are installed with it."""
        return self.edition is not None

    def title_at(self, scale: int) -> str:
        """Return the name in full of the set whose LR images are so many times smaller."""
        return self.title.replace(f"x{SCALE}", f"x{scale}")

    @property
    def degradation(self) -> str:
        """Return what tables call the degradation of its LR images."""
        return self.domain

    @property
    def installable(self) -> bool:
        """Return whether srbench can fetch all it takes to register the set."""
        wanted = {"lr", "hr"} if self.kind == "paired" else {"lr"}
        return wanted <= {source.role for source in self.sources if source.downloads}


class OwnSet(SetManifest):
    """Describe a set that a user registered under a name of their own.

    Attributes:
        made: how srbench made the LR images; None for those somebody had.
    """

    name: str = Field(pattern=f"^{NAME}$")
    made: Made | None = None

    @property
    def degradation(self) -> str:
        return self.made.degradation if self.made else self.domain

    @property
    def is_mini(self) -> bool:
        return False

    @property
    def installable(self) -> bool:
        return False


def names() -> list[str]:
    """Return every known data set in the order of tables: by degradation, then by name; the mini ones last.

    >>> from srbench import datasets
    >>> datasets.names()[-6:]
    ['clean-mini', 'ntire-mini', 'aim-mini', 'clean-mini2', 'ntire-mini2', 'aim-mini2']
    """
    cards = [_read(path) for path in _SETS.glob("*.toml")]
    return [card.name for card in sorted(cards, key=_order)]


def _order(card: SetManifest) -> tuple[int, int, str]:
    return card.edition or 0, get_args(SetDomain).index(card.domain), card.name


def own_names(scale: int = SCALE) -> list[str]:
    """Return the sets that are registered here at a scale and that no manifest describes, sorted."""
    known = names()
    return [name for name in registered_names(scale) if name not in known and re.fullmatch(NAME, name)]


def manifest(name: str, scale: int = SCALE) -> SetManifest:
    """Return the manifest of a data set, made up for one of :func:`own_names` at the scale.

    Raises:
        BadInput: it is not known (the message says the nearest names), or its registration is damaged.

    >>> from srbench import datasets
    >>> datasets.manifest("ntire").mini
    'ntire-mini2'
    """
    known = names()
    if name not in known:
        name = next((n for n in known if name in _read(_SETS / f"{n}.toml").aliases), name)
    if name not in known:
        own = own_names(scale)
        if name in own and (registration := read_registration(name, scale)):
            return _own(name, registration)
        if (folder := Path(name).expanduser()).is_dir():
            raise BadInput(
                f"{name} is a folder: folder:{name} takes its images as LR without ground truth, "
                f"pairs:{name}:HR_DIR with it, and degrade:ntire:{name} degrades it"
            )
        if folder.suffix and folder.is_file():
            raise BadInput(f"{name} is a file: data sets are folders of images, folder:{folder.parent}")
        raise unknown("data set", name, [*known, *own], "srbench datasets")
    return _read(_SETS / f"{name}.toml")


def _own(name: str, registration: Registration) -> OwnSet:
    lr, hr, made = registration.lr, registration.hr, registration.made
    title, how = f"LR {lr}, HR {hr}" if hr else f"LR {lr}", "It was registered on this machine."
    if made:
        title = f"{made.photographs}, {made.degradation} x{made.scale}"
        how = f"It was made on this machine of {made.photographs}."
    return OwnSet(
        name=name,
        title=title,
        domain=registration.domain or "unknown",
        kind="paired" if hr else "no-reference",
        how=how,
        licence="not known to srbench",
        citation="",
        made=made,
    )


@lru_cache
def _read(path: Path) -> SetManifest:
    return SetManifest.model_validate(read_toml(path))
