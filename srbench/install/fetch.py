"""Fetch one file whose sha256 is published; see :mod:`srbench.install` for how."""

from __future__ import annotations

from pathlib import Path


def fetch(url: str, target: Path, *, sha256: str, progress: bool = True) -> Path:
    """Download ``url`` to ``target`` unless it is there already, checking its content.

    Args:
        url: an http(s) address.
        target: the file to make; written whole or not at all.
        sha256: the expected sha256, or its first digits where only those are published
            (torchvision and BasicSR put eight into the file name).
        progress: show a progress bar on a terminal.

    Raises:
        Unavailable: offline mode, no answer within three seconds, an HTTP error, a web page, or a wrong
            sha256; nothing is left at ``target``. What came of a broken download is kept beside it, hidden,
            and the next call goes on from there.
        RunFailed: ``target`` cannot be written.
    """
    from srbench.install.obtain import obtain
    from srbench.install.source import Source

    return obtain(Source(url=url, filename=target.name, sha256=sha256), target, progress=progress).path
