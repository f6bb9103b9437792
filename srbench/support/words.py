"""Take apart what users write: names by commas, and wildcards over names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from srbench.support.lists import split_outside


def words(text: str | None) -> tuple[str, ...]:
    r"""Return the parts of a text that stand between commas; ``\,`` is a comma of a part, as in a path.

    >>> words("psnr, lpips")
    ('psnr', 'lpips')
    """
    parts = split_outside(text or "")
    return tuple(part.strip().replace("\\,", ",") for part in parts if part.strip())


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name fits one of the wildcards, of which none stands for all."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def listed(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return names that Python code gives, as a list or as on the command line: in one text, by commas.

    >>> listed("psnr,lpips") == listed(["psnr", "lpips"])
    True
    """
    return words(given) if isinstance(given, str) else tuple(given)
