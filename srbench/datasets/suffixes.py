"""Know what names of LR and of HR files end in after the stem that they share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

LR_SUFFIXES = (
    "_SRF_4_LR",  # SelfExSR's Set5, Set14, BSD100, Urban100
    "_LRBI_x4",  # EDSR's and RCAN's benchmark folders
    "_bicubic_x4",
    "_LR_x4",
    "_LRx4",
    "_LR4",  # RealSR
    "_LR",
    "_x4",
    "-x4",
    "x4",  # DIV2K bicubic, EDSR's benchmark
    "x4m",  # DIV2K mild, difficult and wild
    "x4d",
    "x4w",
)
HR_SUFFIXES = (
    "_SRF_4_HR",
    "_HR_x4",
    "_HRx4",
    "_HR",
    "_GT",
    "_x1",  # DRealSR
)
"""Names of LR and of HR files may end in these, in any case, after the stem that they share.

They decide first, and what they decide is part of published content hashes: the wider rules of
:func:`readings` are only asked about files that these leave without a partner.
"""

Role = Literal["lr", "hr"]
_BY_ROLE = {"lr": LR_SUFFIXES, "hr": HR_SUFFIXES}

_SEPARATOR = r"[_\-. ]"
_SCALE = r"(?:x_?[2348]|[2348]_?x)"
_WORDS = {
    "lr": r"(?:SRF_?[2348]_?LR|LR_?bic(?:ubic)?|LRBI|bic(?:ubic)?_?LR|bic(?:ubic)?|LR[2348]?|LQ|input|in)",
    "hr": r"(?:SRF_?[2348]_?HR|HR|HQ|GT|target|x1)",
}


def _wider(role: Role, separated: bool) -> re.Pattern[str]:
    """Match a key and one suffix: words and scale in either order, or a scale alone."""
    word, between = _WORDS[role], f"{_SEPARATOR}?"
    before = f"{_SEPARATOR}+" if separated else f"{_SEPARATOR}*"
    with_word = f"{before}(?:{_SCALE}{between})?{word}(?:{between}{_SCALE})?"
    # A scale needs no separator: 0801x4. The letter is DIV2K's mild, difficult and wild.
    alone = f"{_SEPARATOR}*{_SCALE}" + ("[mdw]?" if role == "lr" else "")
    # The key is as short as can be, hence the suffix as long.
    return re.compile(f"(.+?)(?:{with_word}|{alone})", re.IGNORECASE)


_WIDER: dict[Role, tuple[re.Pattern[str], ...]] = {
    "lr": (_wider("lr", True), _wider("lr", False)),
    "hr": (_wider("hr", True), _wider("hr", False)),
}
LEVELS = 4


def strip_suffix(stem: str, suffixes: Iterable[str]) -> str:
    """Return ``stem`` without the longest of ``suffixes`` it ends in (in any case), if that leaves something.

    >>> strip_suffix("0801x4", LR_SUFFIXES), strip_suffix("0801", LR_SUFFIXES)
    ('0801', '0801')
    """
    ends = [s for s in suffixes if stem.lower().endswith(s.lower()) and len(stem) > len(s)]
    return stem[: -max(map(len, ends))] if ends else stem


def readings(stem: str, role: Role) -> Sequence[str]:
    """Return the keys a stem may stand for, the most literal first.

    They are the stem itself, without a suffix listed above, without one of the same kind (any scale,
    the words in any order), and without one that no separator sets off.

    >>> readings("bird_bicLRx4", "lr")
    ('bird_bicLRx4', 'bird_bicLR', 'bird', 'bird')
    >>> readings("birdgt", "hr")
    ('birdgt', 'birdgt', 'birdgt', 'bird')
    """
    found = [stem, strip_suffix(stem, _BY_ROLE[role])]
    for pattern in _WIDER[role]:
        match = pattern.fullmatch(stem)
        found.append(match[1] if match else found[-1])
    return tuple(found)


def composed(text: str) -> str:
    """Return a name in the form in which equal names are equal: macOS takes letters and accents apart."""
    return unicodedata.normalize("NFC", text)
