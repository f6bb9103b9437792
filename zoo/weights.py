"""Say where the weights of a card are, and how to get them if they are nowhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from srbench.install.source import Source
from srbench.support.home import sha256_file, weight_files
from srbench.zoo.catalog import find_card, names
from srbench.zoo.identity import not_verified, other_name
from srbench.zoo.installed import installed_path, read_record
from srbench.zoo.schema import Card

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".bin", ".tar")
"""A checkpoint that a user names ends in one of these."""


@dataclass(frozen=True)
class Status:
    """Says whether a model can be run here.

    Attributes:
        installed: it can.
        path: its weight file; None where there is none to load.
        sha256: of the published weight file, even where a converted copy is what gets loaded; None if
            missing or if there is nothing to load.
        verified: the file is a published one by its sha256; False where none is published.
        how: one line that installs it, for a shell; "" if installed.
        origin: the address that was contacted for it, or ``file://…``; "" where that was not recorded.
        identity: what has to be said of weights that no published sha256 vouches for, else "".
        refused: what is wrong with each file that bears the name of its weights but cannot be them.
    """

    installed: bool
    path: Path | None = None
    sha256: str | None = None
    how: str = ""
    verified: bool = False
    origin: str = ""
    identity: str = ""
    refused: tuple[str, ...] = ()


def status(name: str) -> Status:
    """Say whether the model ``name`` is installed, and where.

    Weights are looked for (1) where ``srbench models install`` puts them, (2) below the weight
    directories by sha256, (3) there by published file name, which counts only if the published sha256
    digits match or none are published, and no other model of the zoo is that very file.

    Raises:
        BadInput: no model has this name, or ``SRBENCH_WEIGHTS`` names something that is no directory.

    >>> from srbench import zoo
    >>> zoo.status("rsr-mini").installed
    True
    """
    card = find_card(name)
    if card.packaged:
        return Status(True, packaged_path(card), card.packaged, verified=True)
    if not card.sources:
        return Status(True, verified=True)
    record = read_record(name)
    if record:
        sha256 = record.source_sha256
        state = Status(True, installed_path(name), sha256, verified=record.verified)
        return replace(state, origin=record.origin, identity=not_verified(name, sha256))
    files = [f for f in weight_files() if f.suffix.lower() in SUFFIXES and _size(f) is not None]
    # An ncnn .bin is no checkpoint: it is converted when it is installed.
    sources = [source for source in card.sources if source.graph is None]
    for source in sources:
        if source.exact and (path := _by_content(source, files)):
            return Status(True, path, source.sha256, verified=True)
    refused: list[str] = []
    for source in sources:
        for path in files:
            if path.name != source.filename:
                continue
            digest = sha256_file(path)
            if source.sha256 and not digest.startswith(source.sha256):
                refused.append(f"{path} was ignored: its sha256 is {digest[:16]}…, not {source.sha256[:16]}…")
            elif other := other_name(name, digest) or _double(name, path, files):
                refused.append(f"{path} was ignored: it is {other}")
            else:
                identity = not_verified(name, digest)
                return Status(True, path, digest, verified=source.sha256 is not None, identity=identity)
    return Status(False, how=_how(card, refused), refused=tuple(refused))


def packaged_path(card: Card) -> Path:
    """Return where the weights are that come with srbench."""
    return Path(str(resources.files("srbench.zoo"))) / "mini" / f"{card.name}.safetensors"


def missing() -> list[tuple[Card, Status]]:
    """Return the models that have a card but no weights here, each with how to install it."""
    pairs = [(find_card(name), status(name)) for name in names()]
    return [(card, state) for card, state in pairs if not state.installed]


def _by_content(source: Source, files: list[Path]) -> Path | None:
    sized = [f for f in files if source.bytes is None or _size(f) == source.bytes]
    return next((f for f in sized if sha256_file(f) == source.sha256), None)


def _double(name: str, path: Path, files: list[Path]) -> str:
    """Return as which other model's file, by its name, the same bytes are there, a few words; or ""."""
    digest = sha256_file(path)
    others = {s.filename: other for other in names() if other != name for s in find_card(other).sources}
    for file in files:
        other = others.get(file.name)
        if other and file.name != path.name and _size(file) == _size(path) and sha256_file(file) == digest:
            return f"the same as {file}, which should be {other}"
    return ""


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # removed since the directory was listed, or a dangling link
        return None


def _how(card: Card, refused: list[str]) -> str:
    source = card.sources[0]
    # Everything after # is for the reader: the line can be pasted into a shell as it stands.
    command = f"srbench models install {card.name}"
    if any(s.downloads for s in card.sources):
        first = f"downloads {source.address}; or give the file with --from {source.by_hand}"
    else:
        command += f" --from {source.by_hand}"
        first = f"download {source.address}"
    return f"{command}  # {'; '.join([first, *refused])}"
