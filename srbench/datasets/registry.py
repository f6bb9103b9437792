"""Know which data sets have a local copy, and whether it is still what was registered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from srbench.datasets.base import DataSet, SetDomain
from srbench.datasets.decode import FileFacts, inspect
from srbench.datasets.files import (
    CheckedFile,
    CheckedImage,
    FileSet,
    check_folder,
    check_pairs,
    content_hash,
)
from srbench.datasets.labels import NAME
from srbench.datasets.listing import describe_files, image_files
from srbench.datasets.manifests import SetManifest, manifest, names, own_names
from srbench.datasets.mini import MiniSet
from srbench.datasets.registrations import (
    Made,
    RegisteredFile,
    RegisteredImage,
    Registration,
    read_registration,
    remove_registration,
    write_registration,
)
from srbench.errors import BadInput
from srbench.support.scales import SCALE


@dataclass(frozen=True)
class SetStatus:
    """Tell whether a data set can be evaluated on this machine.

    Attributes:
        available: registered with its folders in place, or built in.
        images: how many images the local copy has, None where it is not registered.
        content_hash: sha256 over its content, None where it is not registered.
        lr: the LR folder, None for a built-in set.
        hr: the HR folder, None for a built-in set or one without ground truth.
        how: the command that registers it, "" where it is available.
        note: what is unusual about the local copy in one line, "" mostly.
    """

    available: bool
    images: int | None = None
    content_hash: str | None = None
    lr: Path | None = None
    hr: Path | None = None
    how: str = ""
    note: str = ""


def add(
    name: str,
    lr: Path,
    hr: Path | None,
    *,
    domain: SetDomain | None = None,
    pair_by: str | None = None,
    made: Made | None = None,
    scale: int = SCALE,
) -> SetStatus:
    """Check a local copy of a data set from end to end and register it, replacing an earlier one.

    Args:
        name: a published data set, or any other name for a set of one's own.
        lr: the folder of its LR images.
        hr: the folder of its HR images (may be the same one); None for a set without ground truth.
        domain: the degradation of a set of one's own, "unknown" if not given.
        pair_by: see :func:`srbench.datasets.pairs.match_pairs`.
        made: how srbench made the LR images.
        scale: how many times larger HR is; a name can be registered at each scale.

    Raises:
        BadInput: the name of a built-in set or one that cannot be a name, ``hr`` missing or too much, or
            whatever is wrong with the files (see :func:`srbench.datasets.files.check_pairs`).
        RunFailed: the registration cannot be written.

    >>> import tempfile
    >>> from PIL import Image
    >>> from srbench import datasets
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "one.png")
    >>> datasets.add("faces", folder, hr=None).note
    '1 images, the published set has 100'
    """
    card = published(name, scale)
    if card:
        name = card.name
        if card.is_mini:
            raise BadInput(f"{name} is built in: there is nothing to register")
        if (hr is None) == (card.kind == "paired"):
            wanted = "needs its HR images too" if hr is None else "has no HR images"
            raise BadInput(f"{name} {wanted}: `{add_command(card, scale)}`")
        if domain not in (None, card.domain):
            raise BadInput(
                f"{name} is published as {card.domain}: leave --domain out, or choose another name"
            )
    if pair_by is not None and hr is None:
        raise BadInput("--pair-by tells which LR and HR belong together: give --hr too")
    lr, hr = lr.expanduser().resolve(), hr.expanduser().resolve() if hr else None
    images = check_pairs(lr, hr, pair_by=pair_by, scale=scale) if hr else check_folder(lr)
    write_registration(
        Registration(
            name=name,
            lr=lr,
            hr=hr,
            content_hash=content_hash(images),
            images={
                i: RegisteredImage(lr=_record(image.lr), hr=_record(image.hr) if image.hr else None)
                for i, image in images.items()
            },
            domain=None if card else domain or "unknown",
            made=made,
            scale=scale,
        )
    )
    return status(name, scale)


def remove(name: str, scale: int = SCALE) -> None:
    """Forget the registration of a data set; its images stay where they are.

    Raises:
        BadInput: a built-in set, or nothing is registered under the name.
        RunFailed: the registration cannot be removed.
    """
    if name in names() and manifest(name).is_mini:
        raise BadInput(f"{name} is built in: there is nothing to remove")
    if name not in own_names(scale):
        name = manifest(name, scale).name
    remove_registration(name, scale)


def published(name: str, scale: int = SCALE) -> SetManifest | None:
    """Return the manifest of a published or built-in set; None for what can name a set of one's own.

    Raises:
        BadInput: it can name no set, or is another one's in other letters.
    """
    try:
        return manifest(name, scale) if name not in own_names(scale) else None
    except BadInput:
        pass
    if not re.fullmatch(NAME, name) or name.lower() == "all":
        raise BadInput(
            f"'{name}' cannot name a data set: use letters, digits and . _ + -, a letter or digit first, and "
            "not 'all'"
        )
    if twin := next(
        (known for known in [*names(), *own_names(scale)] if known.lower() == name.lower()), None
    ):
        raise BadInput(f"'{name}' differs from {twin} in case only: write {twin}, or choose another name")
    return None


def status(name: str, scale: int = SCALE) -> SetStatus:
    """Tell what of a data set is on this machine; no image file of a registered set is read.

    Raises:
        BadInput: unknown name, or a damaged registration.

    >>> from srbench import datasets
    >>> datasets.status("ntire-mini").images
    12
    """
    card = manifest(name, scale)
    if card.is_mini:
        built_in = MiniSet(card, scale)
        return SetStatus(True, len(built_in), built_in.content_hash)
    registration = read_registration(name, scale)
    if registration is None:
        return SetStatus(False, how=add_command(card, scale))
    count, lr, hr = len(registration.images), registration.lr, registration.hr
    if gone := [folder for folder in (lr, hr) if folder and not folder.is_dir()]:
        note = f"registered, but {gone[0]} is gone"
        return SetStatus(False, count, registration.content_hash, lr, hr, add_command(card, scale), note)
    note = f"{count} images, the published set has {card.images}" if card.images not in (None, count) else ""
    return SetStatus(True, count, registration.content_hash, lr, hr, "", note)


def verify(name: str, scale: int = SCALE) -> SetStatus:
    """Read every file of a registered set again and compare it with the registration.

    Raises:
        BadInput: not registered, or files changed, are missing or came in; the message names them.
    """
    card = manifest(name, scale)
    if card.is_mini:
        return status(name, scale)
    registration = read_registration(name, scale)
    if registration is None:
        raise BadInput(f"{name} is not registered: `{add_command(card, scale)}`")
    known = {file.path: file for file in registration.files()}
    missing = [path for path in known if not path.is_file()]
    folders = {folder for folder in (registration.lr, registration.hr) if folder}
    present = [file for folder in folders for file in _images_left(folder)]
    changed = [path for path in known if path not in missing and _changed(known[path])]
    new = [path for path in present if path not in known]
    if differences := describe_files({"changed": changed, "missing": missing, "new": new}):
        raise BadInput(
            f"{name} is not what was registered: {differences}; restore the files, or register the set "
            f"as it is now with `{add_command(card, scale)}`"
        )
    return status(name, scale)


def open_set(card: SetManifest, scale: int = SCALE) -> DataSet:
    """Open the data set of a manifest, built in or registered.

    Registered files whose size and time are as they were are taken as checked; others are read again.
    (And whatever a run loads is hashed once more as it is read.)

    Raises:
        BadInput: not registered, or a file is missing or changed.
    """
    if card.is_mini:
        return MiniSet(card, scale)
    registration = read_registration(card.name, scale)
    if registration is None:
        raise BadInput(f"{card.name} is not registered: `{add_command(card, scale)}`")
    for file in registration.files():
        if not _untouched(file) and (not file.path.is_file() or _changed(file)):
            raise BadInput(
                f"{file.path} of {card.name} is missing or changed since it was registered: see "
                f"`srbench datasets verify {card.name}`"
            )
    images = {
        i: CheckedImage(_checked(image.lr), _checked(image.hr) if image.hr else None)
        for i, image in registration.images.items()
    }
    return FileSet(
        images,
        name=card.name,
        title=card.title_at(scale),
        domain=card.domain,
        scale=scale,
        sources=registration.made.sources if registration.made else {},
    )


def add_command(card: SetManifest, scale: int = SCALE) -> str:
    """Return the command that registers a set, with DIR for the folders."""
    hr = " --hr DIR" if card.kind == "paired" else ""
    at = f" --scale {scale}" if scale != SCALE else ""
    return f"srbench datasets add {card.name} --lr DIR{hr}{at}"


def how_to_get(card: SetManifest, scale: int = SCALE) -> str:
    """Return the commands that make a set available: fetch it, if srbench can, or register a copy.

    What is published to be fetched is x4.
    """
    fetched = card.installable and scale == SCALE
    install = f"`srbench datasets install {card.name}`, or " if fetched else ""
    return f"{install}`{add_command(card, scale)}`"


def _record(file: CheckedFile) -> RegisteredFile:
    stat = file.path.stat()
    facts = file.facts
    return RegisteredFile(
        path=file.path,
        sha256=facts.sha256,
        width=facts.width,
        height=facts.height,
        bytes=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
    )


def _images_left(folder: Path) -> list[Path]:
    try:
        return image_files(folder)
    except BadInput:  # gone or emptied: its files are reported as missing
        return []


def _checked(file: RegisteredFile) -> CheckedFile:
    return CheckedFile(file.path, FileFacts(file.sha256, file.width, file.height))


def _untouched(file: RegisteredFile) -> bool:
    try:
        stat = file.path.stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (file.bytes, file.mtime_ns)


def _changed(file: RegisteredFile) -> bool:
    try:
        return inspect(file.path).sha256 != file.sha256
    except BadInput:  # it was sound once
        return True
