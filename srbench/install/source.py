"""Say where a file is published, and what is known of it before anybody has it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_ADDRESS = re.compile(r"https?://[^\s/]+\S*|hf://[\w.-]+/[\w.-]+/[^\s@]+(@[\w./-]+)?")


def http_url(url: str | None) -> str | None:
    """Return the address itself; ValueError where it is none."""
    if url is not None and not re.fullmatch(r"https?://[^\s/]+\S*", url):
        raise ValueError(f"'{url}' is not an http(s) address")
    return url


def _address(url: str | None) -> str | None:
    if url is not None and not _ADDRESS.fullmatch(url):
        raise ValueError(f"'{url}' is neither an http(s) address nor hf://OWNER/REPOSITORY/FILE[@REVISION]")
    return url


def _digest(digest: str | None) -> str | None:
    if digest is not None and not re.fullmatch(r"[0-9a-f]{8,64}", digest):
        raise ValueError(f"'{digest}' is neither a sha256 nor its first eight or more lower-case hex digits")
    return digest


def _plain(name: str) -> str:
    if not name or name.startswith(".") or name != re.split(r"[/\\]", name)[-1]:
        raise ValueError(f"'{name}' is not a bare file name")
    return name


class Source(BaseModel):
    """Describe one published file.

    Attributes:
        url: http(s) or ``hf://OWNER/REPOSITORY/FILE[@REVISION]`` address of the file.
        drive: Google Drive file id; with a ``url`` too, a second place to get the same file.
        page: ``url`` is that of a page or folder that holds the file: only a person can take it there.
        filename: the name it is published under.
        sha256: 64 hex digits, or the first eight or more where only those are published.
        bytes: its size.
        note: what a user has to know before taking it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str | None, AfterValidator(_address)] = None
    drive: str | None = Field(default=None, pattern=r"^[\w-]{20,}$")
    page: bool = False
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
        """Return where a user finds the file, as a browser takes it (but for ``hf://``)."""
        return self.url or f"https://drive.google.com/uc?id={self.drive}"

    @property
    def downloads(self) -> tuple[str, ...]:
        """Return the addresses srbench can fetch it from, in order: http(s), ``hf://``, ``gdrive:ID``."""
        urls = [self.url] if self.url and not self.page else []
        return (*urls, *([f"gdrive:{self.drive}"] if self.drive else []))

    @property
    def exact(self) -> bool:
        """Return whether the whole sha256 is published, so that the file is known whatever its name."""
        return self.sha256 is not None and len(self.sha256) == 64
