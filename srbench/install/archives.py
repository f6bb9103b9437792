"""Unpack a zip archive from the internet: nothing outside its folder, nothing but files, no bombs.

The list of contents is read and judged before anything is written; zipfile then stops at the size the list
promised and checks the CRC. (Every published set is a zip.)
"""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from srbench.errors import BadInput
from srbench.install.places import need_space


@dataclass(frozen=True)
class Limits:
    """Bound what an archive may hold; by default any published set fits (DIV2K: 3.5 GB, 800 files).

    Attributes:
        files: how many files and folders.
        bytes: unpacked, together.
        ratio: unpacked bytes for each packed one (images hardly shrink; a bomb has thousands) …
        small: … which only counts for more unpacked bytes than this.
    """

    files: int = 50_000
    bytes: int = 32 << 30
    ratio: int = 50
    small: int = 64 << 20


def unpack(archive: Path, folder: Path, *, limits: Limits | None = None) -> int:
    """Unpack into an existing, empty folder.

    Args:
        archive: a zip file.
        folder: where to; on an error it may hold some of the files.
        limits: what is refused.

    Returns:
        How many files were written.

    Raises:
        BadInput: no zip, damaged, or refused (a name that leads out of the folder, a link or device, an
            encrypted file, a name twice, too much of anything); the message says which.
        RunFailed: it does not fit on the disk.
        OSError: the folder cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            paths = _judge(archive, opened.infolist(), limits or Limits())
            need_space(folder, sum(entry.file_size for entry in opened.infolist()))
            for entry, path in zip(opened.infolist(), paths, strict=True):
                target = folder / path
                (target if entry.is_dir() else target.parent).mkdir(parents=True, exist_ok=True)
                if not entry.is_dir():
                    with opened.open(entry) as content, target.open("xb") as file:
                        shutil.copyfileobj(content, file, 1 << 20)
            return sum(not entry.is_dir() for entry in opened.infolist())
    except NotImplementedError as error:
        raise _refused(archive, f"Python cannot read it ({error})") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, UnicodeError) as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        # bzip2 speaks so of broken data, a seek to before the file's beginning of a broken offset.
        if error.errno in (None, errno.EINVAL):
            raise _damaged(archive, error) from error
        raise


def _judge(archive: Path, entries: list[zipfile.ZipInfo], limits: Limits) -> list[PurePosixPath]:
    """Return where each entry goes; BadInput if any of them is not to be unpacked."""
    packed = archive.stat().st_size
    most = min(limits.bytes, max(limits.small, limits.ratio * packed))
    if len(entries) > limits.files:
        raise _refused(archive, f"it holds {len(entries):,} files, more than {limits.files:,}")
    if (total := sum(entry.file_size for entry in entries)) > most:
        raise _refused(archive, f"its {packed:,} bytes would become {total:,}, more than {most:,}")
    paths = []
    files: set[str] = set()
    for entry in entries:
        name = entry.orig_filename
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(archive, f"{name!r} is a link or a device")
        if entry.flag_bits & 1:
            raise _refused(archive, f"{name!r} is encrypted")
        path = inside(name)
        if path is None:
            raise _refused(archive, f"{name!r} cannot name a file inside a folder")
        if not entry.is_dir() and _key(path) in files:
            raise _refused(archive, f"{name!r} is in it twice")
        if not entry.is_dir():
            files.add(_key(path))
        paths.append(path)
    for entry, path in zip(entries, paths, strict=True):
        if files & {_key(folder) for folder in ((path, *path.parents) if entry.is_dir() else path.parents)}:
            raise _refused(archive, f"{entry.orig_filename!r} needs a folder where a file is")
    return paths


def inside(name: str) -> PurePosixPath | None:
    """Return the relative path a name stands for; None where it leads out of the folder on some system."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or len(name) > 1000:
        return None
    if any(ord(c) < 32 or c in '\\:"|?*<>\x7f' for c in name):
        return None
    too_long = any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in path.parts)
    return None if too_long else path


def _key(path: PurePosixPath) -> str:
    """Return a key that is equal for names some file system takes for one."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _refused(archive: Path, reason: str) -> BadInput:
    return BadInput(f"{archive} was refused: {reason}; nothing was unpacked")


def _damaged(archive: Path, error: Exception) -> BadInput:
    return BadInput(f"{archive} is damaged or no zip file ({error}): fetch it again")
