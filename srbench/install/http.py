"""Get one file over HTTP, however often the connection breaks: pooch transfers, this resumes and refuses.

What came of a file lies in ``PART``; ``PART.json`` says of which address and which version (its ETag or
Last-Modified), and only the rest of that very version is asked for (``Range`` with ``If-Range``, RFC 9110).
Where the server names no version, what came is used again only if the whole sha256 is published, which
would give a mixture away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from srbench.errors import Unavailable
from srbench.install.hosts import CONNECT_TIMEOUT_S, url_reachable
from srbench.install.places import need_space
from srbench.install.progress import download_bar

READ_TIMEOUT_S = 30.0
ATTEMPTS = 5
"""One call tries this often, as long as each attempt brought something before the connection broke."""
PAUSE_S = 1.0
MAX_BYTES = 64 << 30
"""More than this is taken for an endless answer where the size is not known beforehand."""


class _BrokenError(Exception):
    """The transfer stopped half-way, for a reason that may pass; worded to follow the address."""


class _StaleError(_BrokenError):
    """What came earlier belongs to another version of the file, and was removed."""


def transfer(
    url: str,
    part: Path,
    *,
    size: int | None = None,
    exact: bool = False,
    progress: bool,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Complete ``part`` with what ``url`` publishes.

    Args:
        url: an http(s) address.
        part: the file to make or to go on with; it stays when the transfer breaks.
        size: the published number of bytes, if known.
        exact: the caller checks a whole sha256 afterwards.
        progress: show a progress bar on a terminal.
        options: what requests is told beside: credentials, certificates, a proxy.

    Raises:
        Unavailable: no answer, an HTTP error, a web page or another size than announced, a connection that
            broke or stalled; the message names the address, and says what is kept.
        RunFailed: it does not fit on the disk.
        OSError: ``part`` cannot be written.
    """
    options = options or {}
    if "proxies" not in options and not url_reachable(url):
        raise Unavailable(f"{urlsplit(url).hostname} cannot be reached")
    attempt = _Attempt(url, part, size, exact, options)
    try:
        _persist(attempt, url, progress)
    except Unavailable:
        if not attempt.have():
            attempt.forget()
        raise


def _persist(attempt: _Attempt, url: str, progress: bool) -> None:
    """Try again as long as a broken connection brought something, and not for ever."""
    for left in range(ATTEMPTS - 1, -1, -1):
        before = attempt.have()
        try:
            attempt.run(progress)
            return
        except _BrokenError as broken:
            have = attempt.have()
            if left and (have > before or isinstance(broken, _StaleError)):
                time.sleep(PAUSE_S)
                continue
            cure = (
                "try again"
                if not have
                else f"{have:,} bytes are kept, and the same command goes on from there"
            )
            raise Unavailable(f"{url} {broken}: {cure}") from broken


def notes_of(part: Path) -> Path:
    """Return the file beside a broken download that says what it is part of."""
    return part.with_name(f"{part.name}.json")


class _Attempt:
    """What pooch writes into, and the judge of the server's answer."""

    def __init__(
        self, url: str, part: Path, size: int | None, exact: bool, options: Mapping[str, Any]
    ) -> None:
        self._url, self._part, self._size, self._exact, self._options = url, part, size, exact, options
        self._notes = notes_of(part)
        self._file: IO[bytes]
        self._total: int | None = None
        self._began = False

    def have(self) -> int:
        """Return how many bytes there are that may be gone on from."""
        if not self._part.exists() or not (self._exact or self._version()):
            return 0
        return self._part.stat().st_size

    def run(self, progress: bool) -> None:
        import pooch
        import requests

        have = self.have()
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if version := self._version():
                headers["If-Range"] = version
        bar = download_bar() if progress else None
        downloader = pooch.HTTPDownloader(
            progressbar=bar or False,
            chunk_size=1 << 16,
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            headers=headers,
            hooks={"response": self._answered},
            **self._options,
        )
        self._total, self._began = None, False
        try:
            with self._part.open("ab") as self._file:
                downloader(self._url, self, None)
        except requests.HTTPError as error:
            answer = error.response
            if answer is not None and answer.status_code == 416:
                self._after_the_end(answer.headers.get("Content-Range", ""))
                return
            status = f"{answer.status_code} {answer.reason}" if answer is not None else str(error)
            raise Unavailable(f"{self._url} could not be fetched: the server answered {status}") from error
        except requests.RequestException as error:
            raise self._broken(error) from error
        except ValueError as error:
            raise Unavailable(f"{self._url} could not be fetched: a malformed answer ({error})") from error
        finally:
            if bar:
                bar.close()
        if self._total is not None and (have := self._part.stat().st_size) != self._total:
            raise _BrokenError(f"was cut off after {have:,} of {self._total:,} bytes")

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        limit = self._total or self._size or MAX_BYTES
        if self._file.tell() > limit:
            self.forget()
            raise Unavailable(f"{self._url} sent more than {limit:,} bytes: it was not kept")

    def flush(self) -> None:
        self._file.flush()

    def _answered(self, answer: Any, **_: Any) -> None:
        """Judge an answer by its header: called by requests before any of the content is read."""
        if answer.is_redirect or answer.status_code >= 400:
            return
        # urllib3 would drop the last bytes of a connection that is cut; here they are kept, and counted.
        answer.raw.enforce_content_length = False
        if answer.headers.get("Content-Type", "").startswith(("text/html", "application/xhtml")):
            raise Unavailable(f"{self._url} gave a web page, not {self._part_of()}: open it in a browser")
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        tag = answer.headers.get("ETag", "")
        version = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            total, version = None, ""  # these are of the compressed bytes; requests gives the others
        start = 0
        if answer.status_code == 206:
            start, total = _content_range(answer.headers.get("Content-Range", ""))
            if start != self._part.stat().st_size:
                raise Unavailable(f"{self._url} sent another part of the file than was asked for")
            if not self._exact and version != self._version():
                raise self._stale()
        if self._size and total and total != self._size:
            raise Unavailable(f"{self._url} has {total:,} bytes, published are {self._size:,}: not kept")
        if total is not None:
            need_space(self._part.parent, total - start)
        self._total, self._began = total, True
        if start == 0:
            # The old content goes first: a kill in between leaves an empty file, not a mixture.
            self._file.truncate(0)
            self._file.seek(0)
            # Half-written notes name no version, and what has none is not gone on from.
            self._notes.write_text(json.dumps({"url": self._url, "version": version}), encoding="utf-8")

    def _after_the_end(self, content_range: str) -> None:
        """The server has no bytes after ours: either that was all, or it is another file now."""
        if content_range != f"bytes */{self._part.stat().st_size}":
            raise self._stale()

    def _broken(self, error: Exception) -> _BrokenError | Unavailable:
        import requests

        have = self._part.stat().st_size
        done = f"after {have:,} of {self._total:,} bytes" if self._total else f"after {have:,} bytes"
        stalled = not isinstance(error, requests.ConnectTimeout) and "timed out" in str(error)
        if stalled:
            return _BrokenError(f"stalled {done} (nothing came for {READ_TIMEOUT_S:g} s)")
        if self._began or "disconnected" in str(error).lower() or "reset by peer" in str(error):
            return _BrokenError(f"was cut off {done}")
        if isinstance(error, requests.ConnectionError) and not isinstance(
            error, requests.exceptions.SSLError
        ):
            return Unavailable(f"{urlsplit(self._url).hostname} cannot be reached")
        return Unavailable(f"{self._url} could not be fetched ({error})")

    def _stale(self) -> _StaleError:
        self.forget()
        return _StaleError("is another file than when the download was interrupted")

    def _version(self) -> str:
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            return str(notes["version"]) if notes["url"] == self._url else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def forget(self) -> None:
        """Remove what came so far."""
        self._part.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def _part_of(self) -> str:
        return self._url.rsplit("/", 1)[-1] or "a file"


def _content_range(text: str) -> tuple[int, int | None]:
    """``bytes 5-9/10`` as (5, 10); ``*`` for a total the server does not know is None."""
    span, _, total = text.removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    return (int(start) if start.isdigit() else -1, int(total) if total.isdigit() else None)
