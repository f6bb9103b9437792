"""List the images of a folder by their content, and remember what was skipped so that it can be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from srbench.datasets.formats import HEAD, format_of, is_read
from srbench.errors import BadInput, one_line
from srbench.support.not_the_file import what_instead

EXTENSIONS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm"))

# Files of these are meant as images, so that one whose content is none is an error and not skipped.
_MEANT = EXTENSIONS | frozenset(
    (".jfif", ".jpe", ".pgm", ".pbm", ".pnm", ".dib", ".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".avif")
)
# Files that lie beside images and are none.
_SIDECARS = frozenset(
    [
        *(".txt", ".json", ".jsonl", ".md", ".rst", ".csv", ".tsv", ".xml", ".xmp", ".yaml", ".yml", ".toml"),
        *(".ini", ".cfg", ".log", ".htm", ".html", ".css", ".js", ".pdf", ".py", ".m", ".sh", ".ipynb"),
        *(".zip", ".tar", ".gz", ".7z", ".rar"),
        *(".md5", ".sha1", ".sha256", ".sha512", ".lock", ".url", ".lnk"),
        ".db",  # Thumbs.db
    ]
)
# Most of these are TIFF by content, of which only the thumbnail could be read.
_RAW = frozenset((".dng", ".nef", ".nrw", ".arw", ".cr2", ".cr3", ".pef", ".srw", ".orf", ".rw2", ".raf"))


@dataclass(frozen=True)
class Listing:
    """Hold what lies in a folder.

    Attributes:
        folder: the folder.
        files: its images, sorted by name.
        skipped: files that may be images and cannot be read, with what they are.
        folders: its sub-folders, which are not searched.
    """

    folder: Path
    files: tuple[Path, ...]
    skipped: Mapping[Path, str]
    folders: tuple[Path, ...]


def list_folder(folder: Path) -> Listing:
    """Sort what lies directly in ``folder``; hidden files and notes beside images are passed over.

    A file's content says whether it is an image, whatever its name ends in.

    Raises:
        BadInput: not a directory, not readable, or with an image that is no file (a link that leads
            nowhere, a pipe) or whose name cannot be written in one line.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a directory: give the folder that holds the images")
    try:
        found = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise BadInput(f"{folder} cannot be read ({error.strerror or error})") from error
    files: list[Path] = []
    skipped: dict[Path, str] = {}
    folders: list[Path] = []
    for path in found:
        if path.is_dir():
            folders.append(path)
            continue
        reason = _why_skipped(path)
        if reason is None:
            files.append(_writable_in_a_line(path))
        elif reason:
            skipped[path] = reason
    return Listing(folder, tuple(files), skipped, tuple(folders))


def image_files(folder: Path) -> list[Path]:
    """List the images directly in ``folder``. BadInput as :func:`list_folder`, and where there are none."""
    listing = list_folder(folder)
    if not listing.files:
        left = f"; {lying}" if (lying := _describe(listing, ())) else ""
        raise BadInput(
            f"{folder} holds no images{left}: give the folder in which they lie as PNG or the like"
        )
    return list(listing.files)


def notices(*folders: Path | None) -> list[str]:
    """Say what of some folders is not part of a data set made of them, a line for each folder.

    Sub-folders that lead to another one of the folders are no surprise, so nothing is said of them.
    """
    given = {folder.resolve(): folder for folder in folders if folder}
    lines = []
    for folder in given.values():
        listing = list_folder(folder)
        if left := _describe(listing, given):
            lines.append(f"{folder}: {left}")
    return lines


def examples(files: Iterable[Path], most: int = 3) -> str:
    """Name the first few files."""
    names = sorted(file.name for file in files)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def describe_files(groups: Mapping[str, Iterable[Path]]) -> str:
    """Describe files for a message; empty groups are left out.

    >>> describe_files({"changed": [Path("a.png")], "missing": [], "new": [Path("b.png"), Path("c.png")]})
    '1 changed (a.png), 2 new (b.png, c.png)'
    """
    listed = {word: list(files) for word, files in groups.items()}
    return ", ".join(f"{len(files)} {word} ({examples(files)})" for word, files in listed.items() if files)


def _describe(listing: Listing, given: Iterable[Path], most: int = 3) -> str:
    """Return what is skipped in one line, "" for nothing."""
    parts = []
    if count := len(listing.skipped):
        named = [f"{path.name} ({reason})" for path, reason in list(listing.skipped.items())[:most]]
        more = f" and {count - most} more" if count > most else ""
        parts.append(f"{count} file{'s' * (count > 1)} skipped: {', '.join(named)}{more}")
    expected = {above for folder in given for above in (folder, *folder.parents)}
    if left := [folder for folder in listing.folders if folder.resolve() not in expected]:
        parts.append(f"{len(left)} sub-folder{'s' * (len(left) > 1)} not searched: {examples(left)}")
    return one_line("; ".join(parts))


def _why_skipped(path: Path) -> str | None:
    """Return why a file is no image of a set; "" where it is not worth a word, None where it is one."""
    extension = path.suffix.lower()
    if extension in _SIDECARS:
        return ""
    if not path.is_file():
        if extension in _MEANT:
            raise BadInput(f"{path} is no file (a link that leads nowhere, a pipe or a device): remove it")
        return "no file"
    if extension in _MEANT:  # whatever is wrong with it is an error, and named when it is read
        return None
    if extension in _RAW:
        return "a camera's raw format"
    try:
        with path.open("rb") as file:
            return _why_no_image(file.read(HEAD), extension)
    except OSError as error:
        return f"cannot be read, {error.strerror or error}"


def _why_no_image(head: bytes, extension: str) -> str | None:
    kind = format_of(head)
    if (kind and is_read(kind)) or what_instead(head):
        return None
    if kind:
        return kind.name
    return "no image srbench knows" if extension else ""


def _writable_in_a_line(path: Path) -> Path:
    if not path.name.isprintable():  # control characters, and bytes that are no UTF-8
        raise BadInput(f"{path.name!a} in {path.parent} has characters no table can show: rename it")
    return path
