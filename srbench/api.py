"""srbench from Python: models in, a data frame of records out, leaderboards from that."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeAlias

from srbench.errors import BadInput, RunFailed
from srbench.run.options import HALO, Tile
from srbench.support.scales import SCALE, checked_scale, scale_between
from srbench.support.words import listed

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from srbench.boards.notebook import Leaderboard
    from srbench.datasets.selection import Track
    from srbench.run.options import Rerun
    from srbench.store.record import Record
    from srbench.zoo import ModelRef
    from srbench.zoo.from_python import Models

    Words: TypeAlias = str | Sequence[str]


def evaluate(
    models: Models,
    *,
    datasets: Words = ("ntire", "aim"),
    attacks: Words = ("none",),
    protocol: str = "rsr",
    metrics: Words | None = None,
    track: Track = "auto",
    limit: int | None = None,
    device: str = "auto",
    precision: str = "fp32",
    tile: Tile = "auto",
    halo: int = HALO,
    memory: float | None = None,
    rerun: Rerun = "only-missing",
    workers: int = 0,
    threads: int = 1,
    channels_last: bool = False,
    samples: int = 1,
    keep_images: bool = False,
    scale: int = SCALE,
    store: str | PathLike[str] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure models on data sets: what ``srbench evaluate`` does.

    >>> records = evaluate("bicubic", datasets="ntire-mini", metrics="psnr", limit=2)
    >>> [round(value, 2) for value in records.psnr]
    [25.74, 27.57]

    Args:
        models: one model, a list of them, or a dict from the name a model shall have to the model. A
            model is whatever ``--models`` takes (a name, ``all``, a wildcard, a checkpoint, a run's
            directory, ``module.path:factory``), an nn.Module, a function without arguments that makes
            one, or what :func:`srbench.zoo.resolve` gave. A network takes LR (N, 3, H, W), RGB in [0, 1],
            and returns SR (N, 3, sH, sW), s the scale. It is measured on a frozen copy in eval mode.
        datasets: names, ``pairs:LR_DIR:HR_DIR`` or ``folder:DIR``. These, attacks, metrics and models can be
            given as lists, or in one text by commas as on the command line; ``\\,`` is a comma of a path.
        attacks: ``none``, presets, corruptions.
        protocol: how metrics are computed, ``rsr`` or ``y``.
        metrics: in place of the protocol's defaults.
        track: ``auto`` takes the full set where it is registered and else the built-in mini one, and so for
            a named model that is not installed; ``full`` and ``mini`` insist on either set, ``full`` on the
            model too.
        limit: only the first so many images of each set.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.
        tile: side of LR tiles in pixels; None for whole images; ``auto`` for whole images where they fit in
            memory, and else tiles, which are part of a row's name.
        halo: LR pixels around a tile that it is run with.
        memory: GiB the run may take; None for a share of what there is.
        rerun: ``only-missing``, ``always`` or ``never``.
        workers: images in work at once; 0 for one per core, at most eight.
        threads: torch threads per worker.
        channels_last: have networks' images lie pixel by pixel: faster for many, and other last digits.
        samples: how often a model that draws random numbers runs on each image: metrics are the means, and
            ``spread_METRIC`` are the standard deviations. Model and image seed the numbers.
        keep_images: keep SR and attacked LR beside the records.
        scale: how many times larger SR is: 2, 3, 4 or 8. Models and data sets of another are refused.
        store: a directory of records, or an address that fsspec knows (``s3://…``). Without one, models
            with a name or a file use the store of the
            command line, and networks that exist in Python only are measured anew in each call and
            leave nothing behind. With a store they are kept there as well, identified by name and by a
            sha256 over the state dict and the source of the network's classes; a change of what these
            call elsewhere is not seen: give ``rerun="always"`` after one.
        progress: show a bar with count and time left where somebody watches, in a terminal or a notebook;
            False shows none.

    Returns:
        One row per image, see :func:`srbench.boards.frame.frame`, models and data sets in the order
        given. What is not as asked for to the letter (a mini set in the place of a full one, a metric
        that cannot be computed here, a cell that failed) is said by a warning.

    Raises:
        BadInput: an unknown name, a broken file, a network of another scale, two models of a name.
        RunFailed: nothing could be measured, or the store cannot be written.
    """
    from srbench import evaluation as job
    from srbench.boards.frame import frame
    from srbench.run.followed import followed
    from srbench.zoo.from_python import from_python

    request = job.EvaluationRequest(
        datasets=listed(datasets),
        attacks=listed(attacks),
        protocol=protocol,
        metrics=None if metrics is None else listed(metrics),
        track=track,
        limit=limit,
        device=device,
        precision=precision,
        tile=tile,
        halo=halo,
        memory=memory,
        rerun=rerun,
        workers=workers,
        threads=threads,
        channels_last=channels_last,
        samples=samples,
        keep_images=keep_images,
        scale=checked_scale(scale),
        store=None if store is None else fspath(store),
    )
    refs = from_python(models, request.scale)
    here_only = [ref for ref, in_memory in refs.values() if in_memory and store is None]
    lasting = [ref for ref, _ in refs.values() if not any(ref is other for other in here_only)]
    remarks: list[str] = []
    records: list[Record] = []
    with tempfile.TemporaryDirectory(prefix="srbench-") as scratch:
        for members, place in ((lasting, request.store), (here_only, scratch)):
            if members:
                prepared = job.prepare(replace(request, models=tuple(members), store=place))
                with followed(prepared.runner, prepared.plan, show=progress):
                    result = job.run(prepared)
                failures = [f"failed: {failure}" for failure in result.outcome.failures]
                remarks += [*prepared.notices, *result.outcome.notices, *prepared.unmeasured, *failures]
                records += [_only(record, prepared.metrics) for record in result.records]
    for line in dict.fromkeys(remarks):
        warnings.warn(line, stacklevel=2)
    if not records:
        raise RunFailed(
            f"nothing was measured: {remarks[-1] if remarks else 'the store has no such records'}"
        )
    order = list(refs)
    return frame(sorted(records, key=lambda record: order.index(record.model)))


def leaderboard(records: pd.DataFrame, *, metrics: Words = ()) -> Leaderboard:
    """Rank the models of a frame of records, or of any of its rows.

    >>> records = evaluate(["bicubic", "esrgan-mini"], datasets="ntire-mini", metrics="psnr", limit=2)
    >>> board = leaderboard(records)
    >>> [row.model for row in board.tables[0].rows]
    ['bicubic', 'esrgan-mini']

    Args:
        records: what :func:`evaluate` returned, or several of those under each other
            (``pandas.concat``). Where an image was measured twice the later row counts.
        metrics: the metrics that get a column; every recorded one if empty.

    Returns:
        Tables that show themselves in a notebook and on a console, with ``to_frame()`` and
        ``to_markdown()``.

    Raises:
        BadInput: rows that are no records, or none.
    """
    from srbench.boards.csv_records import from_frame
    from srbench.boards.notebook import Leaderboard

    selected = from_frame(records)
    if not selected:
        raise BadInput("there is no record in the frame: nothing to rank")
    return Leaderboard(selected, listed(metrics))


def attack(
    model: str | PathLike[str] | ModelRef | Callable[[Tensor], Tensor],
    lr: Tensor,
    hr: Tensor | None = None,
    *,
    preset: str = "rsr",
    eps: float | None = None,
    ids: Sequence[str] | None = None,
    **settings: Any,
) -> Tensor:
    """Attack a batch of LR images.

    >>> import torch
    >>> lr = torch.full((1, 3, 16, 16), 0.5)
    >>> adversarial = attack("bicubic", lr, preset="random", eps=14 / 255)
    >>> bool((adversarial - lr).abs().max() <= 14 / 255 + 1e-6)
    True

    Args:
        model: a network or function from LR to SR; or a name, a file or a resolved model, which is loaded
            where ``lr`` is. It is attacked in eval mode and left as found; where train mode would show, a
            warning says so. Networks behind functions are found as far as
            :func:`srbench.attacks.model_state.networks` says.
        lr: (N, 3, H, W), RGB in [0, 1], a tensor. Half and float64 are converted to float32, unless the
            network is seen to have weights of that type; so is the result.
        hr: (N, 3, sH, sW), RGB in [0, 1]; without it the target is the model's own clean output.
        preset: see :func:`srbench.attacks.preset`.
        eps: radius in units of the range, such as ``14 / 255``; the preset's own if None.
        ids: image ids, which seed the noise; by default "0", "1", …
        **settings: further settings of the preset, such as ``steps`` (2.0 is 2), ``alpha`` (above 0, at
            most 1) or ``straight_through``; see
            :meth:`srbench.attacks.AttackRecipe.with_`.

    Returns:
        (N, 3, H, W) in [0, 1], within eps of ``lr``. Where every gradient of an image was zero, a
        :class:`srbench.attacks.ZeroGradient` warning says that the attack was blind.

    Raises:
        BadInput: an unknown name or setting, one of another kind or out of range; an image that is no
            tensor, or of a wrong shape or range.
        RunFailed: NaN or infinite values in the model's output or gradient.
    """
    from srbench import attacks
    from srbench.attacks.base import ZeroGradient
    from srbench.attacks.checked import image_batch
    from srbench.attacks.model_state import evaluating, number_type

    image = image_batch(lr, "LR")
    recipe = attacks.preset(preset)
    if eps is not None:
        settings["eps"] = eps
    if settings:
        recipe = recipe.with_(**settings)
    network: Callable[[Tensor], Tensor]
    if callable(model):
        network = model
    else:
        from srbench.zoo.from_python import from_python

        measured_at = None if hr is None else scale_between(lr.shape, hr.shape)
        refs = from_python(model, measured_at)
        if len(refs) != 1:
            raise BadInput(f"{model} is {len(refs)} models: an attack needs one")
        ((ref, _),) = refs.values()
        network = ref.load(str(lr.device))
    import torch

    kind = number_type(network, image, unseen=torch.float32)
    with evaluating(network) as trained:
        adversarial, lacked = recipe.build(network).examined(image.to(kind), hr, ids)
    if trained:
        warnings.warn(
            f"{', '.join(trained)} was in train mode: it was attacked in eval mode, and is as it was again",
            stacklevel=2,
        )
    if lacked:
        warnings.warn(lacked, ZeroGradient, stacklevel=2)
    return adversarial


def _only(record: Record, metrics: Sequence[str]) -> Record:
    """The record without metrics that only earlier calls asked for: a call's result is its own."""

    def chosen(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in metrics}

    parts = {"metrics": chosen(record.metrics), "saved": chosen(record.saved), "notes": chosen(record.notes)}
    return record.model_copy(update=parts)
