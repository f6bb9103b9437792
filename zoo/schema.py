"""What a model card says: facts about a network, where its weights are published, and its licence."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Domain = Literal["none", "clean", "ntire", "aim", "dped", "adversarial", "blind", "unknown"]
DOMAINS: tuple[str, ...] = get_args(Domain)
"""The degradation a model was trained for.

``none``: nothing was learned. ``clean``: bicubic downscaling and nothing else. ``ntire``, ``aim``,
``dped``: the source domain of that data set. ``adversarial``: attacks on clean images. ``blind``: a
broad random degradation model, such as Real-ESRGAN's. ``unknown``: a user's own model.
"""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def _http(url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"https?://[^\s/]+\S*", url):
        raise ValueError(f"'{url}' is not an http(s) address")
    return url


def _digest(digest: str | None) -> str | None:
    if digest is not None and not re.fullmatch(r"[0-9a-f]{8,64}", digest):
        raise ValueError(f"'{digest}' is neither a sha256 nor its first eight or more lower-case hex digits")
    return digest


def _plain(name: str) -> str:
    if not name or name != re.split(r"[/\\]", name)[-1]:
        raise ValueError(f"'{name}' is not a bare file name")
    return name


HttpUrl = Annotated[str | None, AfterValidator(_http)]


class Source(BaseModel):
    """One published weight file.

    Attributes:
        url: http(s) address of the file, or of the page or folder that holds it.
        drive: Google Drive file id.
        filename: the name it is published under.
        sha256: 64 hex digits, or the first eight or more where only those are published.
        bytes: its size.
        note: what a user has to know before taking it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: HttpUrl = None
    drive: str | None = Field(default=None, pattern=r"^[\w-]{20,}$")
    filename: Annotated[str, AfterValidator(_plain)]
    sha256: Annotated[str | None, AfterValidator(_digest)] = None
    bytes: int | None = Field(default=None, gt=0)
    note: str = ""

    @model_validator(mode="after")
    def _reachable(self) -> Source:
        if self.url is None and self.drive is None:
            raise ValueError(f"{self.filename}: a source needs a url or a drive id")
        return self

    @property
    def address(self) -> str:
        """Where a user finds the file."""
        return self.url or f"https://drive.google.com/uc?id={self.drive}"

    @property
    def exact(self) -> bool:
        """Whether the whole sha256 is published, so that the file is known whatever its name."""
        return self.sha256 is not None and len(self.sha256) == 64


class Card(BaseModel):
    """What is known about a model.

    Attributes:
        name: its name on the command line and in every record.
        title: its name in prose.
        domain: the degradation it was trained for, one of :data:`DOMAINS`.
        architecture: facts, such as ``family``, ``num_feat``, ``num_block``, ``parameters``. Where a
            model needs no weights, ``factory`` (``package.module:callable``) makes it. ``parameters``
            is checked against weights whose sha256 is not published; ``macs_per_lr_pixel`` and
            ``peak_mib`` are :func:`srbench.zoo.cost.cost`'s.
        scale: the factor by which it enlarges.
        value_range: what the network wants its inputs in [0, 1] multiplied by (1 or 255).
        licence: of the weights; empty only for a user's own model.
        citation: the paper.
        homepage: the project.
        sources: published weight files, any of which will do.
        packaged: the sha256 of weights that come with srbench, as ``zoo/mini/NAME.safetensors``.
        redistributable: whether the licence lets weights be passed on.
        notes: what a reader of a leaderboard should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    title: str
    domain: Domain
    architecture: dict[str, str | int | float | bool]
    scale: int = Field(default=4, gt=0)
    value_range: float = 1.0
    licence: str
    citation: str
    homepage: HttpUrl = None
    sources: tuple[Source, ...] = ()
    packaged: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    redistributable: bool
    notes: str = ""

    @model_validator(mode="after")
    def _known_range(self) -> Card:
        if self.value_range not in (1.0, 255.0):
            raise ValueError(f"{self.name}: value_range is 1 or 255, not {self.value_range}")
        return self
