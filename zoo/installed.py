"""Remember which weights are installed, and what file they were made of."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from srbench.errors import BadInput
from srbench.support import home
from srbench.zoo.schema import Card


class Installed(BaseModel):
    """Says what was installed; it is kept beside the weights as ``<name>.json``.

    Attributes:
        source_filename, source_sha256, bytes: the published file the weights came from.
        file_sha256: of the safetensors file made from it.
        verified: the source's sha256 is a published one; False where none is published.
        time: when, in UTC.
        origin: the address that was contacted for it, or ``file://…`` for a file that was there; empty in
            records made before it was recorded.
        card: what is known of a model that has no card in the zoo; None for one that has.
        spec: how a user names a model that has no card in the zoo.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_filename: str
    source_sha256: str
    bytes: int
    file_sha256: str
    verified: bool
    time: datetime
    origin: str = ""
    card: Card | None = None
    spec: str = ""


def installed_path(name: str) -> Path:
    """Return where the weights of ``name`` are once installed."""
    return home.home() / "weights" / "models" / f"{name}.safetensors"


def record_path(name: str) -> Path:
    """Return where it is written down what the weights of ``name`` were made of."""
    return installed_path(name).with_name(f"{name}.json")


def read_record(name: str) -> Installed | None:
    """Return what is installed as ``name``; None if nothing is, or only half of it."""
    try:
        text = record_path(name).read_text(encoding="utf-8")
        return Installed.model_validate_json(text) if installed_path(name).is_file() else None
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def check_intact(name: str, record: Installed) -> None:
    """Raise BadInput if the installed file is not the one that was written."""
    path = installed_path(name)
    if home.sha256_file(path) != record.file_sha256:
        raise BadInput(
            f"{path} was changed since it was installed: run `srbench models install {name} "
            f"--from {record.source_filename}` again"
        )
