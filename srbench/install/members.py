"""Take single files out of a wheel or an sdist, without installing or running anything of it."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from srbench.errors import Unavailable
from srbench.install.places import need_space

MAX_BYTES = 8 << 30
"""No weight file is larger; what claims to be is refused before it is written."""


def take(archive: Path, members: Mapping[str, Path], *, name: str) -> None:
    """Write members of an archive to files, all of them or none.

    Args:
        archive: a zip file (a wheel is one) or a tar file, compressed or not, as its content says.
        members: path in the archive, with ``/``, to the file to make.
        name: what the user knows the archive by.

    Raises:
        Unavailable: it is neither, is damaged, or has no such member, or one that is no plain file or too
            large.
        RunFailed: it does not fit on the disk.
        OSError: a file cannot be written.
    """
    done = False
    try:
        for member, target in members.items():
            with _opened(archive, member, name) as (content, size):
                if size > MAX_BYTES:
                    raise Unavailable(f"{member} in {name} claims {size:,} bytes, more than {MAX_BYTES:,}")
                need_space(target.parent, size)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
        done = True
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise Unavailable(f"{name} is damaged or no package file ({error})") from error
    except NotImplementedError as error:
        raise Unavailable(f"{name} cannot be read ({error})") from error
    finally:
        if not done:
            for target in members.values():
                target.unlink(missing_ok=True)


@contextmanager
def _opened(archive: Path, member: str, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """Yield what a member holds, to read, and its size."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            entry = next((e for e in zipped.infolist() if e.filename == member), None)
            if entry is None:
                raise _missing(member, name)
            plain = stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG) and not entry.is_dir()
            if not plain or entry.flag_bits & 1:
                raise _no_file(member, name)
            with zipped.open(entry) as content:
                yield content, entry.file_size
    else:
        with tarfile.open(archive) as tarred:
            found = next((e for e in tarred if e.name.removeprefix("./") == member), None)
            if found is None:
                raise _missing(member, name)
            plain_content = tarred.extractfile(found) if found.isreg() else None
            if plain_content is None:
                raise _no_file(member, name)
            with plain_content:
                yield plain_content, found.size


def _missing(member: str, name: str) -> Unavailable:
    return Unavailable(f"{name} holds no {member}")


def _no_file(member: str, name: str) -> Unavailable:
    return Unavailable(f"{member} in {name} is no plain file (a link, a folder or encrypted)")
