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
from typing import TYPE_CHECKING

from srbench.run.options import HALO
from srbench.support.scales import SCALE, at_scale

if TYPE_CHECKING:
    from srbench.attacks import AttackSpec
    from srbench.run.plan import Cell
    from srbench.zoo import ModelRef, SRModel

SIDES = (1024, 768, 512, 384, 256, 192, 128, 96, 64)
"""The sides "auto" chooses from are few, so that machines of different memory often agree."""

GIB = 1 << 30
SHARE = 0.75
"""A run takes this share of the machine's memory unless told otherwise; others run there too."""
RESERVE = 3 * GIB // 2
"""Python, libraries and the metrics' networks get these bytes, or half of a memory below twice as much."""
IMAGE = 1 << 10
"""An LR pixel takes these bytes at x4 beside the network: in LR, SR and HR."""
METRICS = 12 << 10
"""An LR pixel takes these bytes at x4 while all metrics are measured: 10 kB were, at 510 x 339."""
OBJECTIVE = 64 << 10
"""An LR pixel takes these bytes at x4 in an attack's objective: VGG19's features, their gradient, HR's."""
# No network is loaded to learn that a small image fits: these are four times what RRDBNet 64/23 takes.
_PLENTY, _PLENTY_GRADIENT = 64 << 10, 1 << 20


def machine_memory() -> int:
    """Return the bytes this process may come to use: the machine's, or a limit on container or process."""
    import resource

    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path("/sys/fs/cgroup", name).read_text()))
        except (OSError, ValueError):  # not Linux, no such controller, or "max"
            continue
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min([*limits, *([address_space] if address_space != resource.RLIM_INFINITY else [])])


def budget(device: str, memory: float | None = None) -> int:
    """Return the bytes that images in work may take together.

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
    """Estimate the bytes that the largest image of a cell takes while it goes through the network.

    Args:
        load: gives a model, if one has to be looked at; SR images made elsewhere have none.
        enough: a demand that is surely not above this is not found out exactly.
    """
    from srbench.zoo.memory import needed

    height, width = largest_size(cell)
    beside = at_scale(IMAGE, cell.scale) * height * width
    if cell.model.outputs is not None:
        return beside
    if cell.tile is not None and cell.tile < max(height, width):
        side = cell.tile + 2 * (cell.halo or 0)
        height, width = min(height, side), min(width, side)
    attacked = _gradient_model(cell.attack, cell.model)
    pixels = height * width
    plenty = _PLENTY_GRADIENT if attacked else _PLENTY
    # What a network takes at LR size it takes at any scale.
    most = beside + pixels * at_scale(plenty, max(cell.scale, SCALE))
    if most <= enough:
        return most
    bytes_needed = needed(load(cell.model), height, width)
    if attacked:
        gradient = needed(load(attacked), height, width, gradient=True)
        bytes_needed = max(bytes_needed, gradient + at_scale(OBJECTIVE, cell.scale) * pixels)
    return beside + bytes_needed


def _gradient_model(attack: AttackSpec, model: ModelRef) -> ModelRef | None:
    """The model whose gradient the attack takes; None if it takes none."""
    from srbench.attacks.transfer import Transfer

    if not attack.needs_gradient:
        return None
    return attack.source if isinstance(attack, Transfer) else model


def fit(
    plan: Sequence[Cell], device: str, memory: float | None = None, halo: int = HALO
) -> tuple[list[Cell], list[str]]:
    """Give tiles to the models whose images do not fit whole.

    Args:
        plan: cells of whole images.
        device, memory: see :func:`budget`.
        halo: for the tiles.

    Returns:
        The plan with tiles, and a line for each model that got them.

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
            smaller = [side for side in SIDES if side < max(max(largest_size(cell)) for cell in largest)]
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
    """Return the cell in other tiles, or whole."""
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


def largest_size(cell: Cell) -> tuple[int, int]:
    """Return the (H, W) of a cell's largest LR image."""
    return max((cell.dataset.lr_size(image) for image in cell.images), key=lambda size: size[0] * size[1])


def _area(cell: Cell) -> int:
    height, width = largest_size(cell)
    return height * width


def _shown(cell: Cell) -> str:
    height, width = largest_size(cell)
    return f"{width} x {height}"


def at_once(cell: Cell, model: SRModel | None, device: str, workers: int, memory: float | None = None) -> int:
    """Return how many images of a cell fit in memory beside each other: 1 to ``workers``."""
    room = budget(device, memory)

    def load(ref: ModelRef) -> SRModel:
        return model if model is not None and ref == cell.model else ref.load("cpu", cell.precision)

    one = max(demand(cell, load, enough=room // workers), at_scale(METRICS, cell.scale) * _area(cell))
    return max(1, min(workers, room // one))
