"""Define what every data set offers the rest of srbench, wherever its images come from."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from srbench.support.scales import SCALE

SetDomain = Literal["clean", "ntire", "aim", "dped", "faces", "blind", "unknown"]
"""A set's LR images went through this degradation; models name the one they were trained for."""

SetKind = Literal["paired", "no-reference"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class LoadedImage:
    """Hold one image, decoded.

    Attributes:
        id: the image's id within its data set.
        lr: (H, W, 3) uint8 RGB.
        hr: (sH, sW, 3) uint8 RGB, s the set's scale, or None in a data set without ground truth.
        source: the photograph it shows, by a name that is the same in every data set; "" where nobody says.
    """

    id: str
    lr: Pixels
    hr: Pixels | None
    source: str = ""

    @property
    def photograph(self) -> str:
        """Return :attr:`source`, or 16 digits of the hash of the pixels of HR (of LR without HR)."""
        return self.source or photograph_of(self.lr if self.hr is None else self.hr)


def photograph_of(pixels: Pixels) -> str:
    """Return what tells a photograph nobody named: 16 digits of the sha256 of its pixels."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:16]


class DataSet(ABC):
    """Give the images of a named, hashed, ordered collection of test images.

    Attributes:
        name: what records and tables call it.
        title: the name in full.
        domain: the degradation of the LR images.
        kind: "paired" (every image has its HR) or "no-reference".
        scale: how many times larger SR is, and HR where there is one.
        ids: the image ids, sorted; the order in which a run takes them.
    """

    name: str
    title: str
    domain: SetDomain
    kind: SetKind
    scale: int = SCALE
    ids: tuple[str, ...]

    @property
    @abstractmethod
    def content_hash(self) -> str:
        """Return the sha256, 64 hex digits, over every id and its content: equal hashes, equal images."""

    @abstractmethod
    def lr_size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of an LR image without decoding it. KeyError for an id not in :attr:`ids`."""

    @abstractmethod
    def load(self, image_id: str) -> LoadedImage:
        """Decode one image. KeyError for an id not in :attr:`ids`.

        Raises:
            RunFailed: the file is gone, or is not the one that was checked when the set was opened.
        """

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        at = f", x{self.scale}" if self.scale != SCALE else ""
        return f"<{type(self).__name__} {self.name}: {len(self)} images, {self.kind}{at}>"


def hash_content(rows: Iterable[tuple[str, str, str]]) -> str:
    """Compute the content hash of a data set.

    Args:
        rows: per image its id, the sha256 of its LR and the sha256 of its HR (empty without one).

    Returns:
        sha256 over the lines ``id<TAB>lr<TAB>hr<LF>``, sorted, so that no order of listing shows.
    """
    lines = sorted("\t".join(row) + "\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
