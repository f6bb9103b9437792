"""Name files after images, whatever an image is called."""

from __future__ import annotations

import hashlib
import re


def file_stem(image: str) -> str:
    """Return an image's id where it can be a file name; else what is left of it, with a digest of the whole.

    >>> file_stem("0801"), file_stem("a/b")
    ('0801', 'a-b-c14cddc0')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", image).strip(".-")[:100]
    if plain == image:
        return image
    return f"{plain}-{hashlib.sha256(image.encode()).hexdigest()[:8]}"
