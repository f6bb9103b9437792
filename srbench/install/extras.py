"""Download from the two places that need a library: Google Drive (gdown), Hugging Face (huggingface_hub).

Both libraries know how to go on after a broken transfer; each works in a folder of its own beside the file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from srbench.errors import RunFailed, Unavailable
from srbench.install.hosts import CONNECT_TIMEOUT_S, url_reachable, without_password
from srbench.install.http import ATTEMPTS, READ_TIMEOUT_S
from srbench.install.places import remove

DRIVE = "https://drive.google.com/uc?id={}"
HUB = "https://huggingface.co"
_HF = re.compile(r"hf://([^/]+/[^/]+)/([^@]+)(?:@(.+))?")


def drive(address: str, part: Path, *, exact: bool, progress: bool) -> None:
    """Make ``part`` the file ``gdrive:ID``.

    Args:
        address: ``gdrive:ID``.
        part: the file to make.
        exact: the caller checks a whole sha256, so that what an earlier call left may be gone on from.
        progress: let gdown show its bar.

    Raises:
        Unavailable: gdown is not installed, or Drive does not give the file.
        OSError: it cannot be written.
    """
    gdown = _library("gdown", address)
    browser = DRIVE.format(address.removeprefix("gdrive:"))
    _reach(browser)
    folder = part.with_name(part.name + ".drive")
    if not exact:  # Drive names no version: what is there may be of another one
        remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "file"

    def get() -> None:
        gdown.download(
            url=browser,
            output=str(output),
            quiet=not (progress and sys.stderr.isatty()),
            resume=exact,
            retries=ATTEMPTS - 1,
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            use_cookies=False,
        )

    _fetch(get, f"{address} was not given by Google Drive", f"open {browser} in a browser")
    output.replace(part)
    remove(folder)


def hub(address: str, part: Path, *, progress: bool) -> None:
    """Make ``part`` the file ``hf://OWNER/REPOSITORY/FILE[@REVISION]``; otherwise as :func:`drive`."""
    huggingface_hub = _library("huggingface_hub", address)
    match = _HF.fullmatch(address)
    assert match is not None
    repository, file, revision = match.groups()
    endpoint = os.environ.get("HF_ENDPOINT", HUB)
    _reach(endpoint)
    folder = part.with_name(part.name + ".hub")
    downloaded: list[str] = []

    def get() -> None:
        downloaded.append(
            huggingface_hub.hf_hub_download(
                repository, file, revision=revision, local_dir=str(folder), endpoint=endpoint
            )
        )

    utils = _library("huggingface_hub.utils", address)
    utils.logging.set_verbosity_error()  # it would tell of every retry
    if not (progress and sys.stderr.isatty()):
        utils.disable_progress_bars()
    cure = f"look at {without_password(endpoint)}/{repository}"
    _fetch(get, f"{address} was not given by Hugging Face", cure)
    Path(downloaded[0]).replace(part)
    remove(folder)


def hub_url(address: str) -> str:
    """Return the https address of an ``hf://`` one, at the endpoint that is used."""
    match = _HF.fullmatch(address)
    assert match is not None
    repository, file, revision = match.groups()
    endpoint = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    return f"{endpoint}/{repository}/resolve/{revision or 'main'}/{file}"


def _reach(url: str) -> None:
    # Both libraries would try for half a minute.
    if not url_reachable(url):
        raise Unavailable(f"{urlsplit(url).hostname} cannot be reached")


def _library(name: str, address: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(f"{address} needs {name}: pip install 'srbench[download]'") from error


def _fetch(get: Callable[[], None], failed: str, cure: str) -> None:
    """Run a library's download; whatever it raises becomes one line, but for a disk that is full."""
    try:
        get()
    except RunFailed:
        raise
    # Both let through what their HTTP library raises, which has changed from release to release.
    except Exception as error:
        if type(error) is OSError or isinstance(error, PermissionError):
            raise
        line = without_password(" ".join(str(error).split()))
        raise Unavailable(f"{failed} ({line[:160] or type(error).__name__}): {cure}") from error
