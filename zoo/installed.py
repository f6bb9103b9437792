"""Install weights: check them, convert them to safetensors, and write down what they were."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from srbench.errors import BadInput, RunFailed
from srbench.install import first_use
from srbench.install.places import locked, sweep
from srbench.support import home
from srbench.zoo import catalog
from srbench.zoo.schema import Card, Source

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.zoo.weights import Status


class Installed(BaseModel):
    """What was installed, kept beside the weights as ``<name>.json``.

    Attributes:
        source_filename, source_sha256, bytes: the published file the weights came from.
        file_sha256: of the safetensors file made from it.
        verified: the source's sha256 is a published one; False where none is published.
        time: when, in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_filename: str
    source_sha256: str
    bytes: int
    file_sha256: str
    verified: bool
    time: datetime


def installed_path(name: str) -> Path:
    """Where the weights of ``name`` are once installed."""
    return home.home() / "weights" / "models" / f"{name}.safetensors"


def _record_path(name: str) -> Path:
    return installed_path(name).with_name(f"{name}.json")


def read_record(name: str) -> Installed | None:
    """What is installed as ``name``; None if nothing is, or only half of it."""
    try:
        text = _record_path(name).read_text(encoding="utf-8")
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


def install(name: str, source_file: Path) -> Status:
    """Verify a weight file, convert it to safetensors and keep it in the srbench home.

    Where no sha256 is published, that of the file is recorded, and another file is refused later.

    Args:
        name: a model of the zoo.
        source_file: the published file, under any name.

    Returns:
        The model's new status.

    Raises:
        BadInput: an unknown model or one that needs no weights; a file that is missing, damaged, would
            run code, is not the published one (by sha256) or the one first used, or holds another network
            than the card says.
        RunFailed: the home cannot be written. In every case nothing half-made stays behind and what
            was installed before still is.
    """
    card = catalog.find(name)
    if not card.sources:
        raise BadInput(f"{name} needs no weights: it is ready to use")
    source_file = Path(source_file)
    if not source_file.is_file():
        raise BadInput(f"{source_file}: no such file")
    with locked(installed_path(name)):
        return place(card, source_file)


def place(card: Card, source_file: Path) -> Status:
    """What :func:`install` does, for a caller who holds the lock of the installed file."""
    from srbench.zoo.checkpoint import read_state_dict
    from srbench.zoo.loading import build_network
    from srbench.zoo.weights import status

    sweep(_record_path(card.name))
    digest = home.sha256_file(source_file)
    source = _source_of(card, source_file, digest)
    first_use.refuse_change(source, digest, str(source_file))
    state = read_state_dict(source_file)
    build_network(state, source_file, card)
    try:
        _write(card.name, state, source_file, digest, source.sha256 is not None)
    except OSError as error:
        where = installed_path(card.name).parent
        raise RunFailed(f"{card.name} cannot be installed in {where} ({error.strerror or error})") from error
    first_use.record(source, digest, source_file.stat().st_size)
    home.forget_weight_files()
    return status(card.name)


def _source_of(card: Card, path: Path, digest: str) -> Source:
    """The source a file is from: by its sha256, or else the one that publishes none; BadInput if all do."""
    for source in card.sources:
        if source.sha256 and digest.startswith(source.sha256):
            return source
    named = [s for s in card.sources if s.filename == path.name]
    candidates = named or list(card.sources)
    if unverified := [s for s in candidates if s.sha256 is None]:
        return unverified[0]
    expected = " or ".join(f"{s.sha256[:16]}… ({s.filename})" for s in candidates if s.sha256)
    raise BadInput(
        f"{path} is not {card.name}: its sha256 is {digest[:16]}…, published is {expected}; to measure it "
        f"all the same, give the file itself: --models {path}"
    )


def _write(name: str, state: dict[str, Tensor], source: Path, digest: str, verified: bool) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Tensors of a mapped checkpoint may share storage, which safetensors refuses to write.
    tensors = {key: value.detach().clone().contiguous() for key, value in state.items()}
    with home.atomic_path(installed_path(name)) as weights, home.atomic_path(_record_path(name)) as text:
        try:
            save_file(tensors, weights, metadata={"format": "pt", "source_sha256": digest})
        except SafetensorError as error:
            raise OSError(str(error)) from error
        record = Installed(
            source_filename=source.name,
            source_sha256=digest,
            bytes=source.stat().st_size,
            file_sha256=home.sha256_file(weights),
            verified=verified,
            time=datetime.now(UTC),
        )
        text.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
