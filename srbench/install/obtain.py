"""Obtain a published file: download it unless it is there, and check it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from srbench.errors import BadInput, Unavailable
from srbench.install import extras, http
from srbench.install.first_use import expected, recorded, refuse_change
from srbench.install.places import locked, remove
from srbench.install.source import Source
from srbench.support.home import cannot_write, forget_weight_files, offline, sha256_file

_WEB_PAGE = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Obtained:
    """Hold a file that is on this machine and is what it should be.

    Attributes:
        source: where it is published.
        path: where it is.
        sha256: of its content.
        origin: the address that was contacted for it, or ``file://…`` for a file that was there.
    """

    source: Source
    path: Path
    sha256: str
    origin: str

    @property
    def bytes(self) -> int:
        """Return the file's size."""
        return self.path.stat().st_size


def obtain(source: Source, target: Path, *, progress: bool = True) -> Obtained:
    """Download a file to ``target`` unless it is there already, and check it.

    It is brought to ``.NAME.part`` beside the target, which becomes the target when it is complete and has
    the sha256 it must have: the published one, or the one it had when it was first used.

    Args:
        source: what to get, and from where; its addresses are tried in turn.
        target: the file to make. A file there that has another sha256, or none to check it by, is
            replaced on success.
        progress: show a progress bar on a terminal.

    Raises:
        Unavailable: offline, not reachable, or not the file; the message has a reason for each address.
        BadInput: it is not the file it was when it was first used.
        RunFailed: it cannot be written. In every case the target is as it was.
    """
    due = expected(source)
    if not (due and target.is_file()) and offline():
        raise Unavailable("SRBENCH_OFFLINE=1 forbids fetching it")
    with locked(target):
        if due and target.is_file() and (sha256_there := sha256_file(target)).startswith(due):
            return Obtained(source, target, sha256_there, _origin_of(source, target))
        if offline():
            raise Unavailable("SRBENCH_OFFLINE=1 forbids fetching it")
        part = target.with_name(f".{target.name}.part")
        failures = []
        for address in source.downloads:
            try:
                with cannot_write(target.parent):
                    _transfer(address, part, source, progress)
                    origin = contacted(address)
                    sha256 = _checked(part, source, address, origin)
                    part.replace(target)
                    _clear(part)
            except Unavailable as error:
                failures.append(str(error))
                continue
            forget_weight_files()
            return Obtained(source, target, sha256, origin)
    raise Unavailable("; ".join(failures) or f"{source.address} can only be fetched by hand")


def user_file(source: Source, file: Path) -> Obtained:
    """Take a file that the user fetched, checked as a downloaded one is.

    Raises:
        BadInput: no such file, or not the published one.
    """
    if not file.is_file():
        raise BadInput(f"{file}: no such file")
    sha256 = sha256_file(file)
    if source.sha256 and not sha256.startswith(source.sha256):
        raise BadInput(
            f"{file} is not {source.filename}: its sha256 is {sha256}, published is {source.sha256}"
        )
    origin = file_origin(file)
    refuse_change(source, sha256, str(file), origin)
    return Obtained(source, file, sha256, origin)


def file_origin(file: Path) -> str:
    """Return the origin of what was taken from a file, as a ``file://`` address."""
    return file.resolve().as_uri()


def contacted(address: str) -> str:
    """Return the address that is contacted for one of :attr:`Source.downloads`."""
    if address.startswith("gdrive:"):
        return extras.DRIVE.format(address.removeprefix("gdrive:"))
    return extras.hub_url(address) if address.startswith("hf://") else address


def _origin_of(source: Source, target: Path) -> str:
    """Return where a file that is there already is from: an earlier download, or just from there."""
    known = None if source.sha256 else recorded(source)
    return known.origin if known else file_origin(target)


def _transfer(address: str, part: Path, source: Source, progress: bool) -> None:
    # Only a whole sha256 tells a file from a mixture of two versions of it.
    exact = source.exact or (source.sha256 is None and expected(source) is not None)
    if address.startswith("gdrive:"):
        extras.drive(address, part, exact=exact, progress=progress)
    elif address.startswith("hf://"):
        extras.hub(address, part, progress=progress)
    else:
        http.transfer(address, part, size=source.bytes, exact=exact, progress=progress)


def _checked(part: Path, source: Source, address: str, origin: str) -> str:
    """Return the sha256 of what came; what is not the file is removed, so that the next try begins anew."""
    with part.open("rb") as file:
        web_page = file.read(512).lstrip().lower().startswith(_WEB_PAGE)
    if web_page:
        _clear(part)
        raise Unavailable(f"{address} gave a web page, not {source.filename}: open it in a browser")
    sha256 = sha256_file(part)
    if source.sha256 and not sha256.startswith(source.sha256):
        _clear(part)
        raise Unavailable(
            f"{address} gave a file whose sha256 is {sha256}, expected {source.sha256}…: it was not kept"
        )
    try:
        refuse_change(source, sha256, address, origin)
    except BadInput:
        _clear(part)
        raise
    return sha256


def _clear(part: Path) -> None:
    for path in (part, part.with_name(part.name + ".json")):
        remove(path)
