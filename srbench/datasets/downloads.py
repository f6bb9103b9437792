"""Install a data set: download its published archives, unpack them and register it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from srbench.datasets.listing import EXTENSIONS
from srbench.datasets.manifests import Role, SetManifest, manifest
from srbench.datasets.registry import SetStatus, add, add_command, status
from srbench.errors import BadInput, Unavailable
from srbench.install.archives import unpack
from srbench.install.first_use import record, replaced
from srbench.install.obtain import Obtained, file_origin, obtain, user_file
from srbench.install.places import locked, remove, whole_folder
from srbench.support.home import cannot_write, home, write_atomic

_NOTES = ".srbench.json"

Say = Callable[[str], None]


def install_set(
    name: str, *, archives: Sequence[Path] = (), to: Path | None = None, say: Say, progress: bool = True
) -> SetStatus:
    """Fetch what a data set is made of, unpack it and register the set.

    Args:
        name: a published data set whose manifest says where it is.
        archives: archives the user has fetched, under their published names; the rest is downloaded.
        to: the folder to unpack into (default: ``HOME/files``). Archives two sets share are there once.
        say: called with what is done, a line each: the licence, and a sha256 that was recorded on first use.
        progress: show progress bars on a terminal.

    Raises:
        BadInput: a set srbench cannot fetch (the message says where to get it and how to register it), a
            file that is none of its archives, or anything wrong with an archive or its images.
        RunFailed: a download that failed, or a folder that cannot be written. What was complete before
            stays, and the same command goes on from there.
    """
    card = manifest(name)
    if card.is_mini:
        raise BadInput(f"{name} is built in: there is nothing to install")
    roles: list[Role] = ["lr", "hr"] if card.kind == "paired" else ["lr"]
    files = _assign(card, archives)
    if not card.installable:
        raise BadInput(
            f"srbench cannot fetch {card.name}: {card.how} Its licence: {card.licence}. Once you have it, "
            f"register it with `{add_command(card)}`"
        )
    if (state := status(card.name)).available:
        say(f"{card.name} is installed already ({state.images} images in {state.lr})")
        return state
    say(_terms(card))
    folders = [_folder(card, role, files, to, say, progress) for role in roles]
    return add(card.name, folders[0], folders[1] if len(folders) > 1 else None)


def install_training(
    name: str, *, archives: Sequence[Path] = (), to: Path | None = None, say: Say, progress: bool = True
) -> Path:
    """Fetch the images a set publishes to train on; arguments and errors as :func:`install_set`.

    Returns:
        The folder of the images.
    """
    card = manifest(name)
    if not any(source.role == "training" for source in card.sources):
        raise BadInput(f"{name} publishes no images to train on that srbench can fetch: {card.how}")
    files = _assign(card, archives)
    say(_terms(card))
    return _folder(card, "training", files, to, say, progress)


def _terms(card: SetManifest) -> str:
    passing_on = "" if card.redistributable else " (do not pass copies on)"
    return f"{card.name}: licence: {card.licence}{passing_on}"


def _assign(card: SetManifest, archives: Sequence[Path]) -> dict[str, Path]:
    """Return the user's files by the name they are published under."""
    names = [source.filename for source in card.sources if source.role]
    for file in archives:
        if file.name not in names:
            known = f"its archives are {', '.join(names)}" if names else f"see `{add_command(card)}`"
            raise BadInput(f"{file} is no archive of {card.name}: {known}")
    return {file.name: file for file in archives}


def _folder(
    card: SetManifest, role: Role, files: dict[str, Path], to: Path | None, say: Say, progress: bool
) -> Path:
    """Return the folder with the images of a role, unpacked if it is not there."""
    source = next(s for s in card.sources if s.role == role)
    root = (to.expanduser() if to else home() / "files").resolve()
    target = root / Path(source.filename).stem
    by_hand = files.get(source.filename)
    download = root / f".{source.filename}"  # ours to remove, unlike a file of the user's
    with locked(target):
        if by_hand:
            _unpack(user_file(source, by_hand), target)
        elif _notes(target).get("published") != source.address:
            try:
                archive = obtain(source, download, progress=progress)
            except Unavailable as error:
                kind = " --training" if role == "training" else ""
                raise Unavailable(
                    f"{card.name} could not be fetched: {error}; fetch {source.address} elsewhere and give "
                    f"it with `srbench datasets install {card.name}{kind} --from {source.filename}`"
                ) from error
            try:
                _unpack(archive, target)
            except BadInput:  # the next try would take the same file again
                remove(download)
                raise
        # From the notes, for the process that unpacked it may have been killed before it came to this.
        notes = _notes(target)
        sha256, origin = notes["sha256"], notes["origin"]
        if line := replaced(source, sha256, origin):
            say(line)
        if record(source, sha256, notes["bytes"], origin):
            say(
                f"{source.filename} has no published sha256, its identity is not verified: {sha256} from "
                f"{origin} was recorded, a later change is refused"
            )
        remove(download)
    return _images(target)


def _unpack(archive: Obtained, target: Path) -> None:
    with cannot_write(target.parent), whole_folder(target) as new:
        unpack(archive.path, new)
        known = {"sha256": archive.sha256, "bytes": archive.bytes}
        notes = {"published": archive.source.address, "origin": archive.origin, **known}
        write_atomic(new / _NOTES, json.dumps(notes, indent=1) + "\n")


def _notes(target: Path) -> dict[str, Any]:
    """Return what was unpacked into a folder; empty where it is not there, or not of srbench's making."""
    try:
        notes = json.loads((target / _NOTES).read_text(encoding="utf-8"))
        if "address" in notes:  # an older srbench's, which did not say where the archive was from
            notes |= {"published": notes["address"], "origin": file_origin(target)}
        return {key: notes[key] for key in ("published", "origin", "sha256", "bytes")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _images(target: Path) -> Path:
    """Return the one folder below ``target`` that holds images; archives differ in how deep it lies."""
    holders = {
        file.parent
        for file in target.rglob("*")
        if file.suffix.lower() in EXTENSIONS
        and file.is_file()
        and not any(part.startswith((".", "__MACOSX")) for part in file.relative_to(target).parts)
    }
    if len(holders) != 1:
        names = ", ".join(sorted(str(folder.relative_to(target)) for folder in holders)[:5]) or "none"
        raise BadInput(
            f"{target} should hold one folder of images and has {len(holders)} ({names}): register the right "
            "ones with `srbench datasets add`"
        )
    return holders.pop()
