"""Split what users write with commas between, where parentheses hold commas of their own."""

from __future__ import annotations

import re

_COMMA = re.compile(r"(?<!\\),")


def split_outside(text: str) -> list[str]:
    """Return the parts between commas that are in no parentheses; ``\\,`` is a comma of a part.

    Parentheses that do not pair, as in the name of a file, are letters like others.

    >>> split_outside("mrs(a,n=16),b")
    ['mrs(a,n=16)', 'b']
    >>> split_outside("net(1.pth,b.pth")
    ['net(1.pth', 'b.pth']
    """
    parts: list[str] = []
    depth = 0
    for piece in _COMMA.split(text):
        if depth:
            parts[-1] += f",{piece}"
        else:
            parts.append(piece)
        for letter in piece:
            depth += (letter == "(") - (letter == ")")
            if depth < 0:
                return _COMMA.split(text)
    return parts if depth == 0 else _COMMA.split(text)
