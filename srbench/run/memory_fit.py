"""Images that do not fit in memory at once: what an image needs, what there is, and tiles that fit.

Whether an image fits is told before anything runs, from what the network takes
(:func:`srbench.zoo.memory.needed`) and what the machine has in all, not what is free just now: the same
command on the same machine has to find the same tiles, for they are part of a record's identity. One tile
holds for all cells of a model, so that the model stays one row; an image that is no larger than the tile is
run whole, to the same bits. Only where memory runs out all the same are smaller tiles tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from srbench.errors import BadInput

if TYPE_CHECKING:
    from srbench.attacks import AttackSpec
    from srbench.run.engine import Outcome, Runner
    from srbench.run.plan import Cell
    from srbench.zoo import ModelRef, SRModel

Tile: TypeAlias = int | Literal["auto"] | None
"""Side of LR tiles in pixels; None for whole images; "auto" for whole images where they fit."""

HALO = 32
"""LR pixels of surroundings a tile is run with: see the errors in ``benchmarks/README.md``."""
SIDES = (1024, 768, 512, 384, 256, 192, 128, 96, 64)
"""Tiles that "auto" chooses from: few, so that machines of different memory often agree."""

GIB = 1 << 30
SHARE = 0.75
"""Of the machine's memory, what a run takes unless told otherwise; others run there too."""
RESERVE = 3 * GIB // 2
"""For Python, libraries and the metrics' networks; half of the memory where it is less than twice that."""
IMAGE = 1 << 10
"""Bytes an LR pixel takes beside the network: in LR, SR and HR."""
METRICS = 12 << 10
"""Bytes an LR pixel takes when the network is done and all metrics are measured: 10 kB were, at 510 x 339."""
OBJECTIVE = 64 << 10
"""Bytes an LR pixel takes in an attack's objective: VGG19's features with their gradient, and HR's."""
# No network is loaded to learn that a small image fits: these are four times what RRDBNet 64/23 takes.
_PLENTY, _PLENTY_GRADIENT = 64 << 10, 1 << 20


def parse_tile(text: str, least: int) -> Tile:
    """What ``--tile`` says: ``auto``, ``whole`` or a side.

    Raises:
        BadInput: anything else, or a side below ``least``.
    """
    if text == "auto":
        return "auto"
    if text == "whole":
        return None
    if not text.isdecimal() or int(text) < least:
        raise BadInput(f"--tile {text}: use auto, whole, or a side in LR pixels of at least {least}")
    return int(text)


def machine_memory() -> int:
    """Bytes that this process may come to use: the machine's, or a limit on the container or process."""
    import resource

    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path("/sys/fs/cgroup", limit).read_text()))
        except (OSError, ValueError):  # not Linux, no such controller, or "max"
            continue
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min([*found, *([address_space] if address_space != resource.RLIM_INFINITY else [])])


def budget(device: str, memory: float | None = None) -> int:
    """Bytes that images in work may take together.

    Args:
        device: "cpu", "cuda", "cuda:1" …
        memory: what the run may take in all, in GiB; by default a share of what there is.
    """
    if device.startswith("cuda"):
        import torch

        return int(memory * GIB if memory else SHARE * torch.cuda.mem_get_info(device)[1])
    total = int(memory * GIB if memory else SHARE * machine_memory())
    return max(total - RESERVE, total // 2)


def demand(cell: Cell, load: Callable[[ModelRef], SRModel], enough: int = 0) -> int:
    """Bytes that the largest image of a cell takes while it goes through the network.

    Args:
        load: gives a model, if one has to be looked at.
        enough: a demand that is surely not above this is not found out exactly.
    """
    from srbench.zoo.memory import needed

    height, width = _size(cell)
    beside = IMAGE * height * width
    if cell.tile is not None and cell.tile < max(height, width):
        side = cell.tile + 2 * (cell.halo or 0)
        height, width = min(height, side), min(width, side)
    attacked = _attacked(cell.attack, cell.model)
    pixels = height * width
    most = beside + pixels * (_PLENTY_GRADIENT if attacked else _PLENTY)
    if most <= enough:
        return most
    found = needed(load(cell.model), height, width)
    if attacked:
        gradient = needed(load(attacked), height, width, gradient=True)
        found = max(found, gradient + OBJECTIVE * pixels)
    return beside + found


def _attacked(attack: AttackSpec, model: ModelRef) -> ModelRef | None:
    """The model whose gradient the attack takes; None if it takes none."""
    from srbench.attacks.presets import Recipe
    from srbench.attacks.transfer import Transfer

    if isinstance(attack, Transfer):
        return attack.source
    return model if isinstance(attack, Recipe) and attack.hash and attack.preset != "random" else None


def fit(
    plan: Sequence[Cell], device: str, memory: float | None = None, halo: int = HALO
) -> tuple[list[Cell], list[str]]:
    """The plan with tiles for the models whose images do not fit whole; and a line for each of these.

    Args:
        plan: cells of whole images.
        device, memory: see :func:`budget`.
        halo: for the tiles.

    Raises:
        BadInput: a model cannot be loaded.
    """
    room, tiles, notices = budget(device, memory), dict[str, int | None](), list[str]()
    for name in dict.fromkeys(cell.model.name for cell in plan):
        cells = [cell for cell in plan if cell.model.name == name]
        load = _Loaded(cells[0].precision)
        # Another set under the same attack cannot need more than the one with the largest image.
        largest = list({cell.attack.hash: cell for cell in sorted(cells, key=_area)}.values())

        def most(tile: int | None, largest: list[Cell] = largest, load: _Loaded = load) -> int:
            return max(demand(tiled(cell, tile, halo), load, enough=room) for cell in largest)

        tiles[name] = None
        if (whole := most(None)) > room:
            smaller = [side for side in SIDES if side < max(max(_size(cell)) for cell in largest)]
            if not smaller:
                continue
            tiles[name] = next((side for side in smaller if most(side) <= room), smaller[-1])
            notices.append(
                f"{name} needs {whole / GIB:.1f} GiB for an image of {_shown(largest[-1])} LR pixels and has "
                f"{room / GIB:.1f}: it runs in tiles of {tiles[name]} with a halo of {halo}, and its row "
                "says so (--tile whole, or more --memory, for another)"
            )
    return [tiled(cell, tiles[cell.model.name], halo) for cell in plan], notices


def tiled(cell: Cell, tile: int | None, halo: int) -> Cell:
    """The cell in other tiles, or whole."""
    return replace(cell, tile=tile, halo=None if tile is None else halo)


class _Loaded:
    """Models on the CPU, loaded when they are first asked for: only their graph is looked at."""

    def __init__(self, precision: str) -> None:
        self._precision = precision
        self._models: dict[ModelRef, SRModel] = {}

    def __call__(self, ref: ModelRef) -> SRModel:
        if ref not in self._models:
            self._models[ref] = ref.load("cpu", self._precision)
        return self._models[ref]


def _size(cell: Cell) -> tuple[int, int]:
    return max((cell.dataset.lr_size(image) for image in cell.images), key=lambda size: size[0] * size[1])


def _area(cell: Cell) -> int:
    height, width = _size(cell)
    return height * width


def _shown(cell: Cell) -> str:
    height, width = _size(cell)
    return f"{width} x {height}"


def at_once(cell: Cell, model: SRModel, device: str, workers: int, memory: float | None = None) -> int:
    """How many images of a cell fit in memory beside each other: 1 to ``workers``."""
    room = budget(device, memory)

    def load(ref: ModelRef) -> SRModel:
        return model if ref == cell.model else ref.load("cpu", cell.precision)

    one = max(demand(cell, load, enough=room // workers), METRICS * _area(cell))
    return max(1, min(workers, room // one))


def run(engine: Runner, plan: list[Cell], retry: int | None) -> Outcome:
    """Run a plan; where memory runs out although the images were thought to fit, with smaller tiles.

    Args:
        plan: cells of models that needed smaller tiles are replaced in place.
        retry: halo of the smaller tiles; None if tiles may not be changed. All cells of a model are.
    """
    outcome, told = engine.run(plan), dict[str, str]()
    while retry is not None and (failed := outcome.out_of_memory):
        outcome.out_of_memory = []
        changed: list[Cell] = []
        for name in dict.fromkeys(cell.model.name for cell, _ in failed):
            side = _smaller([cell for cell, _ in failed if cell.model.name == name])
            if side is None:
                continue
            told[name] = f"{name} ran out of memory: all of its images were run in tiles of {side}"
            lines = {line for cell, line in failed if cell.model.name == name}
            outcome.failures = [line for line in outcome.failures if line not in lines]
            for place, cell in enumerate(plan):
                if cell.model.name == name:
                    plan[place] = tiled(cell, side, retry)
                    changed.append(plan[place])
        if not changed:
            break
        again = engine.run(changed)
        outcome.measured += again.measured
        outcome.kept += again.kept
        outcome.failures += again.failures
        outcome.out_of_memory = again.out_of_memory
    outcome.notices += told.values()
    return outcome


def _smaller(cells: Sequence[Cell]) -> int | None:
    """The next tile below what these were run with; None if there is none."""
    now = min(cell.tile or max(_size(cell)) for cell in cells)
    return next((side for side in SIDES if side < now), None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, numpy or Python says that there is no more memory."""
    text = str(error).lower()
    told = "out of memory" in text or "can't allocate" in text or "unable to allocate" in text
    return isinstance(error, MemoryError) or told
