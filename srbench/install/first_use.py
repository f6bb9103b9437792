"""Remember the sha256 that files which publish none had when they were first used, and where they were from.

One file a source, ``HOME/first-use/NAME-DIGEST.json``. It is written after the file has proved to be what it
should be (a readable archive, the right network), and a file that differs later is refused. It is bound to
its origin: a file that somebody had says nothing of what the address gives, so a download takes its place.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from srbench.errors import BadInput
from srbench.install.places import locked
from srbench.install.source import Source
from srbench.support.home import cannot_write, home, write_atomic


class FirstUse(BaseModel):
    """Record what a file was when it was first used.

    Attributes:
        origin: the address that was contacted for it, or ``file://…`` for a file that was there. (Older
            records call it ``address``, which may not have been contacted.)
        sha256, bytes: of the file.
        time: when, in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str = Field(validation_alias=AliasChoices("origin", "address"))
    sha256: str
    bytes: int
    time: datetime


def is_download(origin: str) -> bool:
    """Return whether an origin is an address that was contacted, and not a file that was there."""
    return bool(origin) and not origin.startswith("file:")


def recorded(source: Source) -> FirstUse | None:
    """Return what was recorded of a source; None where it was never used.

    Raises:
        BadInput: the record is damaged.
    """
    path = _path(source)
    try:
        return FirstUse.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise BadInput(f"{path} is damaged: remove it if you trust {source.address} as it is now") from error


def expected(source: Source) -> str | None:
    """Return the sha256 a download of this source must have (or begin with), or None.

    It is the published one, or the one that an earlier download had.
    """
    if source.sha256:
        return source.sha256
    known = recorded(source)
    return known.sha256 if known and is_download(known.origin) else None


def refuse_change(source: Source, sha256: str, file: str, origin: str) -> None:
    """Raise BadInput if ``source`` publishes no sha256 and its file was another on its first use.

    A download is not refused for a file that was there.

    Args:
        file: what the user knows the file by.
        origin: as in :class:`FirstUse`.
    """
    known = None if source.sha256 else recorded(source)
    if known and known.sha256 != sha256 and not _replaces(origin, known.origin):
        raise BadInput(
            f"{file} has sha256 {sha256}, but {source.filename} had {known.sha256} when it was first used on "
            f"{known.time:%Y-%m-%d}, from {known.origin}: it is not used; if you trust the new one, remove "
            f"{_path(source)}"
        )


def replaced(source: Source, sha256: str, origin: str) -> str:
    """Return a line that says which unverified file a download is about to replace; "" if none."""
    known = None if source.sha256 else recorded(source)
    if known is None or known.sha256 == sha256 or not _replaces(origin, known.origin):
        return ""
    return replacement(source.filename, origin, sha256, known.origin, known.sha256)


def replacement(filename: str, origin: str, sha256: str, old_origin: str, old_sha256: str) -> str:
    """Return a line that says what a download replaces, and with what."""
    return (
        f"{filename} from {origin} (sha256 {sha256[:12]}…) replaces the unverified file from "
        f"{old_origin or 'an origin that was not recorded'} (sha256 {old_sha256[:12]}…)"
    )


def record(source: Source, sha256: str, size: int, origin: str) -> bool:
    """Write down what a source without a published sha256 gave; return whether there was anything to write.

    What an address gave stays recorded as that where a file of the same content comes later; the other way
    round the address takes the file's place.

    Raises:
        BadInput: another process recorded something else in the meantime.
        RunFailed: the home cannot be written.
    """
    if source.sha256:
        return False
    path = _path(source)
    with locked(path):
        refuse_change(source, sha256, origin, origin)
        known = recorded(source)
        if known and not _replaces(origin, known.origin):
            return False
        entry = FirstUse(origin=origin, sha256=sha256, bytes=size, time=datetime.now(UTC))
        with cannot_write(path.parent):
            write_atomic(path, entry.model_dump_json(indent=1) + "\n")
    return True


def _replaces(origin: str, known: str) -> bool:
    return is_download(origin) and not is_download(known)


def _path(source: Source) -> Path:
    digest = hashlib.sha256(source.address.encode()).hexdigest()[:12]
    return home() / "first-use" / f"{source.filename}-{digest}.json"
