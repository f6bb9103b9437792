"""Gather what a qualitative figure needs: kept SR images where a store has them, the models where not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from srbench import evaluation
from srbench.boards.site.explorer import Box
from srbench.errors import BadInput
from srbench.run.options import default_store
from srbench.store import pictures
from srbench.store.folder import Store
from srbench.support.home import home
from srbench.support.scales import SCALE

if TYPE_CHECKING:
    from srbench.datasets.base import DataSet
    from srbench.run.outcome import Runner
    from srbench.run.plan import Cell
    from srbench.run.prepared import PreparedRun
    from srbench.store.record import Record


@dataclass(frozen=True)
class FigureRequest:
    """Say what a qualitative figure is to show.

    Attributes:
        models, datasets, attacks: as for :class:`srbench.evaluation.EvaluationRequest`.
        images: ids; empty for the first image of each set.
        crops: x, y, width, height in HR pixels; empty for the place where the models differ the most.
        store: where kept images are looked for first.
        scale: how many times larger SR is.
    """

    models: tuple[str, ...] = ("bicubic", "*-mini")
    datasets: tuple[str, ...] = ("ntire-mini2", "aim-mini2")
    images: tuple[str, ...] = ()
    crops: tuple[Box, ...] = ()
    attacks: tuple[str, ...] = ("none",)
    device: str = "auto"
    tile: int | None = None
    store: Path | None = None
    scale: int = SCALE


@dataclass(frozen=True)
class FigureRun:
    """Hold a checked request.

    Attributes:
        plan: every cell of the figure with the images it shows.
        todo: what no store has; the engine measures it into a store of the figures' own, because a
            leaderboard with one image of twelve is none.
        stores: where records and pictures are, in the order in which they are looked for.
        metrics: what is printed below a panel, by kind of data set.
    """

    plan: list[Cell]
    todo: list[Cell]
    runner: Runner
    notices: list[str]
    stores: tuple[Path, ...]
    metrics: dict[str, tuple[str, ...]]
    crops: tuple[Box, ...]


def prepare_figure(request: FigureRequest) -> FigureRun:
    """Check every input and find out what has to be run.

    Raises:
        BadInput: an unknown name or image, a crop outside of an image, …
    """
    from srbench import datasets

    sets, notices = datasets.resolve(request.datasets, scale=request.scale)
    images = _images(sets, request.images)
    for data in sets:
        for image in images[data.name]:
            _check_crops(request.crops, data, image)
    kinds = {data.kind for data in sets}
    own = home() / "figures"
    prepared, metrics = _evaluation(request, kinds, own)
    plan = [replace(cell, images=images[cell.dataset.name]) for cell in prepared.plan]
    plan = [cell for cell in plan if cell.images]
    stores = (request.store or default_store(), own)
    todo = []
    for cell in plan:
        lacking = [i for i in cell.images if not find(stores, cell, i, metrics[cell.dataset.kind])]
        if lacking:
            todo.append(replace(cell, images=tuple(lacking)))
    notices += [line for line in prepared.notices if line not in notices]
    return FigureRun(plan, todo, prepared.runner, notices, stores, metrics, request.crops)


def _evaluation(
    figure: FigureRequest, kinds: Collection[str], store: Path
) -> tuple[PreparedRun, dict[str, tuple[str, ...]]]:
    """Prepare the evaluation that would measure it all, with what ranks a table where it can be had."""
    from srbench import protocols

    request = evaluation.EvaluationRequest(
        models=figure.models,
        datasets=figure.datasets,
        attacks=figure.attacks,
        device=figure.device,
        tile=figure.tile,
        scale=figure.scale,
        keep_images=True,
        store=store,
    )
    known = protocols.protocol(request.protocol)
    single = known.rank_no_reference[:1] if "no-reference" in kinds else ()
    for rank in known.rank:
        names = (*(("psnr", rank) if "paired" in kinds else ()), *single)
        prepared = evaluation.prepare(replace(request, metrics=names))
        missing = {m.name for m in prepared.missing_metrics}
        if "paired" not in kinds or rank not in missing:
            break
    ready = [name for name in prepared.metrics if name not in missing]
    return prepared, {
        "paired": tuple(name for name in ready if name not in single),
        "no-reference": tuple(name for name in ready if name in single),
    }


def _images(sets: Sequence[DataSet], images: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the images shown, by data set: those named that it has, or its first."""
    if not images:
        return {data.name: data.ids[:1] for data in sets}
    for image in images:
        if not any(image in data.ids for data in sets):
            some = ", ".join(sets[0].ids[:12]) + (", …" if len(sets[0].ids) > 12 else "")
            raise BadInput(f"--image {image}: no such image; {sets[0].name} has {some}")
    return {data.name: tuple(image for image in images if image in data.ids) for data in sets}


def _check_crops(crops: Sequence[Box], data: DataSet, image: str) -> None:
    height, width = (data.scale * side for side in data.lr_size(image))
    for x, y, wide, high in crops:
        if min(x, y) < 0 or min(wide, high) < 8 or x + wide > width or y + high > height:
            raise BadInput(
                f"--crop {x},{y},{wide},{high} is no part of {image} in {data.name}, which has {width} x "
                f"{height} HR pixels: give x,y,width,height, at least 8 wide and high"
            )


def find(
    stores: Sequence[Path], cell: Cell, image: str, metrics: Sequence[str]
) -> tuple[Path, Record] | None:
    """Return the first store that has an image's pictures and its metrics, and the record."""
    for root in stores:
        if pictures.complete(root, cell.path, image, attacked=bool(cell.attack.hash)):
            for record in Store(root).read(cell.path):
                if record.image == image and all(name in record.metrics for name in metrics):
                    return root, record
    return None
