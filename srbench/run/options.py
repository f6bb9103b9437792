"""How a plan is to be run: the options that every command which measures has in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from srbench.errors import BadInput
from srbench.run.placement import Placement
from srbench.support.home import home
from srbench.support.scales import SCALE

if TYPE_CHECKING:
    from srbench.datasets.selection import Track

Tile: TypeAlias = int | Literal["auto"] | None
"""A tile is its LR side in pixels; None stands for whole images; "auto" for whole images where they fit."""
Rerun: TypeAlias = Literal["only-missing", "always", "never"]
"""A run measures what the store lacks, everything, or nothing."""

HALO = 32
"""A tile is run with so many LR pixels around it: see the errors in ``benchmarks/README.md``."""
SMALLEST_TILE = 16
"""A tile with a smaller side would be mostly halo."""


@dataclass(frozen=True)
class RunOptions:
    """These options say how a plan is run.

    ``precision``, ``tile`` and ``halo`` are part of a record's identity; the rest only says how the machine
    is used, and ``channels_last`` and ``threads`` may move a number in its last digits.

    Attributes:
        device: "auto", "cpu" or "cuda" (or "cuda:1" …).
        precision: "fp32" or "bf16", of the network.
        tile, halo: the side of LR tiles and the LR pixels around them; see :data:`Tile`.
        memory: GiB that the run may take, None for a share of what there is.
        rerun: what to measure again; see :data:`Rerun`.
        workers: images in work at once; 0 for one per core, at most eight.
        threads: torch threads per worker.
        channels_last: have networks' images lie pixel by pixel.
        samples: how often a model that draws random numbers runs on each image; metrics are the means.
        keep_images: keep SR, and LR where it was attacked, as PNG beside the records.
        store: a directory, or an address that fsspec knows; None for the default store.
        placement: in which processes and on which machines.
    """

    device: str = "auto"
    precision: str = "fp32"
    tile: Tile = "auto"
    halo: int = HALO
    memory: float | None = None
    rerun: Rerun = "only-missing"
    workers: int = 0
    threads: int = 1
    channels_last: bool = False
    samples: int = 1
    keep_images: bool = False
    store: Path | str | None = None
    placement: Placement = field(default_factory=Placement)

    @property
    def fixed_tile(self) -> int | None:
        """The tile that was asked for by its size; None for whole images and for "auto"."""
        return None if self.tile == "auto" else self.tile


def default_store() -> Path:
    """Return the directory records go to unless ``--store`` names another place."""
    return home() / "records"


def parse_tile(text: str) -> Tile:
    """Read what ``--tile`` says: ``auto``, ``whole`` or a side.

    >>> parse_tile("192"), parse_tile("whole")
    (192, None)

    Raises:
        BadInput: anything else, or a side below :data:`SMALLEST_TILE`.
    """
    if text == "auto":
        return "auto"
    if text == "whole":
        return None
    if not text.isdecimal() or int(text) < SMALLEST_TILE:
        raise BadInput(f"--tile {text}: use auto, whole, or a side in LR pixels of at least {SMALLEST_TILE}")
    return int(text)


def pick_device(wanted: str) -> str:
    """Return "cpu" or "cuda" for a wish of "auto", "cpu" or "cuda".

    Raises:
        BadInput: CUDA was asked for and torch sees none.
    """
    if wanted == "cpu":
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda" if wanted == "auto" else wanted
    if wanted == "auto":
        return "cpu"
    raise BadInput(f"--device {wanted}: torch sees no CUDA device here; use --device cpu")


@dataclass(frozen=True)
class MeasuringOptions(RunOptions):
    """These options say what is measured of a set, beside models and attacks.

    Attributes:
        protocol: how metrics are computed.
        track: full sets and models, or the mini ones.
        limit: only the first so many images of each set.
        scale: how many times larger SR is.
    """

    protocol: str = "rsr"
    track: Track = "auto"
    limit: int | None = None
    scale: int = SCALE

    @property
    def stand_in(self) -> bool:
        """Return whether a mini model may stand in for one that is not installed."""
        return self.track != "full"
