"""Name the data sets that are opened by their folders, so that those of one command can be told apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}"
"""What users may call a set of their own: safe as the name of a file and in a list."""

# Folders of these names lie in many a data set and tell nothing by themselves.
_TELLS_NOTHING = re.compile(
    r"(lr|lq|hr|hq|gt|in|input|inputs|image|images|imgs?|data|test|valid|val|train|bicubic|bic|"
    r"(lr)?_?x?[2348]x?|(lr|lq)_?(bicubic|bic)?_?(x[2348])?|\W*)",
    re.IGNORECASE,
)


def default_name(folder: Path, content_hash: str) -> str:
    """``Set5-HR@1a2b3c4d``: tells folders of one name apart, and cannot pass for a registered set."""
    return f"{default_words(folder)}@{content_hash[:8]}"


def default_words(folder: Path) -> str:
    """Return the part of :func:`default_name` that a reader goes by."""
    return re.sub(r"[^A-Za-z0-9._-]+", "", "-".join(folder.resolve().parts[-2:]))


def distinct_names(folders: Sequence[Path], digests: Sequence[str], taken: set[str]) -> list[str]:
    """Name sets after their own folders: the last name that tells, with as many above it as it takes.

    Args:
        folders: the folder of the LR images of every set.
        digests: the content hashes; the first digits follow a name where folders cannot tell.
        taken: names that mean something else.

    >>> distinct_names([Path("/deg/a"), Path("/deg/b")], ["", ""], set())
    ['a', 'b']
    >>> distinct_names([Path("/mild/LR/X4"), Path("/wild/LR/X4")], ["", ""], {"mild"})
    ['mild-LR-X4', 'wild-LR-X4']
    """
    parts = [[_word(part) for part in folder.resolve().parts] for folder in folders]
    parts = [[part for part in path if part] for path in parts]
    depths = [_telling(path) for path in parts]
    while True:
        names = ["-".join(path[-depth:]) for path, depth in zip(parts, depths, strict=True)]
        lowered = [name.lower() for name in names]
        clash = [
            not re.fullmatch(NAME, name) or name.lower() in taken or lowered.count(name.lower()) > 1
            for name in names
        ]
        deeper = [
            depth + (bad and depth < len(path)) for path, depth, bad in zip(parts, depths, clash, strict=True)
        ]
        if deeper == depths:
            return [
                f"{name}@{digest[:8]}" if bad else name
                for name, digest, bad in zip(names, digests, clash, strict=True)
            ]
        depths = deeper


def _telling(path: Sequence[str]) -> int:
    """Return how many of the last names of a path it takes to reach one that says something."""
    return next((n for n in range(1, len(path) + 1) if not _TELLS_NOTHING.fullmatch(path[-n])), 1)


def _word(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "", part).lstrip(".-_+")
