"""Remember the sha256 that files which publish none had when they were first used.

One file a source, ``HOME/first-use/NAME-DIGEST.json``. It is written after the file has proved to be what it
should be (a readable archive, the right network), and a file that differs later is refused.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from srbench.errors import BadInput
from srbench.install.places import locked
from srbench.install.source import Source
from srbench.support.home import cannot_write, home, write_atomic


class FirstUse(BaseModel):
    """Record where a file is published, its sha256 and size in bytes, and when it was first used, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    sha256: str
    bytes: int
    time: datetime


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
    """Return the sha256 a file of this source must have (or begin with): published, or recorded, or None."""
    if source.sha256:
        return source.sha256
    known = recorded(source)
    return known.sha256 if known else None


def refuse_change(source: Source, sha256: str, file: str) -> None:
    """Raise BadInput if ``source`` publishes no sha256 and its file was another on its first use."""
    known = None if source.sha256 else recorded(source)
    if known and known.sha256 != sha256:
        raise BadInput(
            f"{file} has sha256 {sha256}, but {source.filename} had {known.sha256} when it was first used on "
            f"{known.time:%Y-%m-%d}: it is not used; if you trust the new one, remove {_path(source)}"
        )


def record(source: Source, sha256: str, size: int) -> bool:
    """Write down what a source without a published sha256 gave; return whether this was its first use.

    Raises:
        BadInput: another process recorded something else in the meantime.
        RunFailed: the home cannot be written.
    """
    if source.sha256:
        return False
    path = _path(source)
    with locked(path):
        refuse_change(source, sha256, source.address)
        if recorded(source):
            return False
        entry = FirstUse(address=source.address, sha256=sha256, bytes=size, time=datetime.now(UTC))
        with cannot_write(path.parent):
            write_atomic(path, entry.model_dump_json(indent=1) + "\n")
    return True


def _path(source: Source) -> Path:
    digest = hashlib.sha256(source.address.encode()).hexdigest()[:12]
    return home() / "first-use" / f"{source.filename}-{digest}.json"
