"""Downloads: pooch does the work; this adds a short connect timeout, offline mode and clear errors."""

from __future__ import annotations

import functools
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from srbench.errors import RunFailed
from srbench.home import atomic_path, forget_weight_files, offline, sha256_file

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 30.0


class Unavailable(RunFailed):
    """A file is not here and cannot be fetched now (offline, no network, wrong content)."""


def fetch(url: str, target: Path, *, sha256: str, progress: bool = True) -> Path:
    """Download ``url`` to ``target`` unless it is there already, checking its content.

    Args:
        url: an http(s) address.
        target: the file to make; written whole or not at all.
        sha256: the expected sha256, or its first digits where only those are published
            (torchvision and BasicSR put eight into the file name).
        progress: show a progress bar on a terminal.

    Raises:
        Unavailable: offline mode, no answer within three seconds, an HTTP error, or a wrong sha256;
            nothing is left at ``target``.
    """
    if target.exists() and sha256_file(target).startswith(sha256):
        return target
    if offline():
        raise Unavailable("SRBENCH_OFFLINE=1 forbids fetching it")
    parts = urlsplit(url)
    if not _reachable(parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)):
        raise Unavailable(f"{parts.hostname} cannot be reached")
    import pooch
    import requests

    downloader = pooch.HTTPDownloader(
        progressbar=_progress() if progress else False, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    )
    try:
        with atomic_path(target) as temporary:
            downloader(url, str(temporary), None)
            found = sha256_file(temporary)
            if not found.startswith(sha256):
                raise Unavailable(
                    f"{url} gave a file whose sha256 is {found}, expected {sha256}…: it was not kept"
                )
    except requests.ConnectionError as error:
        raise Unavailable(f"{parts.hostname} cannot be reached") from error
    except requests.RequestException as error:
        raise Unavailable(f"{url} could not be fetched ({error})") from error
    except OSError as error:
        raise Unavailable(f"{target} cannot be written ({error.strerror or error})") from error
    forget_weight_files()
    return target


@functools.cache
def _reachable(host: str, port: int) -> bool:
    """Whether a host answers within three seconds, name look-up included; asked once per run.

    requests applies its timeout to each address in turn and not to the look-up, which together can
    take half a minute. Behind a proxy only the proxy knows, so it is not asked.
    """
    if urllib.request.getproxies():
        return True
    answered = threading.Event()

    def knock() -> None:
        try:
            with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S):
                answered.set()
        except OSError:
            pass

    attempt = threading.Thread(target=knock, daemon=True)
    attempt.start()
    attempt.join(CONNECT_TIMEOUT_S)
    return answered.is_set()


def _progress() -> Any:
    """A progress bar with the few methods pooch asks for, drawn by Rich on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    class Bar:
        def __init__(self) -> None:
            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("download", total=None)
            self._total = 0

        @property
        def total(self) -> int:
            return self._total

        @total.setter
        def total(self, value: int) -> None:
            self._total = value
            self._bar.update(self._task, total=value or None)
            self._bar.start()

        def update(self, amount: int) -> None:
            self._bar.update(self._task, advance=amount)

        def reset(self) -> None:
            self._bar.reset(self._task)

        def close(self) -> None:
            self._bar.stop()

    return Bar()
