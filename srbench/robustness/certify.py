"""``srbench certify``: a model behind median smoothing, its certificates, and an attack in each ball."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from srbench.errors import BadInput
from srbench.run.options import MeasuringOptions
from srbench.support.scales import checked_scale

if TYPE_CHECKING:
    from srbench.attacks import AttackSpec
    from srbench.attacks.certificate import Certificate
    from srbench.attacks.transfer import Transfer
    from srbench.datasets.base import DataSet
    from srbench.protocols.schema import Protocol
    from srbench.run.image import Measured
    from srbench.run.prepared import PreparedRun
    from srbench.store.record import Record
    from srbench.zoo import ModelRef

FEW = 8
"""Attacks look for noise on the same model with so many samples: gradients through all of them are dear."""


@dataclass(frozen=True)
class CertifyRequest(MeasuringOptions):
    """What to certify, and how to run it; see ``srbench certify --help``."""

    model: str = ""
    sigma: float = 0.05
    n: int = 100
    radii: tuple[float, ...] = (0.05,)
    alpha: float = 0.001
    dataset: str = "ntire"
    attack_steps: int = 10


@dataclass(frozen=True)
class CertifyRun:
    """A checked request; nothing was run yet.

    Attributes:
        run: the plan, ready to run: the clean input, then attacks and certificates by radius.
        model: the smoothed model.
        certificates: the smallest radius first.
        attacks: by radius, the attack in the same ball; empty where none was asked for.
    """

    run: PreparedRun
    model: ModelRef
    dataset: DataSet
    certificates: list[Certificate]
    attacks: dict[float, Transfer]


@dataclass(frozen=True)
class Point:
    """What is known of one radius, as means over the images.

    Attributes:
        radius: l2 over the LR image, in units of the range.
        levels: the same as a root mean square over the values of the largest image, in levels of 255.
        width: mean distance of the bounds, in levels.
        clean, attacked, guaranteed: PSNR in dB of the smoothed model: on the clean input, on the worst input
            that was found in the ball (NaN where none was looked for), and for every input in the ball.
        images: how many.
    """

    radius: float
    levels: float
    width: float
    clean: float
    attacked: float
    guaranteed: float
    images: int


def prepare(request: CertifyRequest, on_measured: Callable[[Measured], None] | None = None) -> CertifyRun:
    """Check every input and make the plan.

    Args:
        on_measured: as for :class:`srbench.run.engine.Engine`.

    Raises:
        BadInput: an unknown name, more than one model or data set, a radius that the samples cannot certify,
            a set without HR.
    """
    from srbench import attacks, datasets, protocols, zoo
    from srbench.attacks.certificate import Certificate
    from srbench.run.plan import make_plan
    from srbench.run.prepared import prepare_run

    if not request.radii:
        raise BadInput("--radius names no radius: give one or more, such as 0.02,0.05")
    scale = checked_scale(request.scale)
    protocol: Protocol = protocols.protocol(request.protocol, scale)
    sets, notices = datasets.resolve([request.dataset], track=request.track, scale=scale)

    def smoothed(n: int) -> list[ModelRef]:
        spec = f"mrs({request.model},sigma={request.sigma:g},n={n})"
        return zoo.resolve([spec], scale, stand_in=request.stand_in)

    models = smoothed(request.n)
    if len(models) != 1 or len(sets) != 1:
        raise BadInput("srbench certify takes one model and one data set; srbench evaluate takes many")
    certificates = [Certificate(radius, request.alpha) for radius in sorted(set(request.radii))]
    searches: dict[float, Transfer] = {}
    if request.attack_steps:
        source = smoothed(min(FEW, request.n))[0]
        images = sets[0].ids[: request.limit]
        for each in certificates:
            eps = _rms(each.radius, sets[0], images)
            searches[each.radius] = _search(eps, source, request.attack_steps)
    specs: list[AttackSpec] = [attacks.NONE, *searches.values(), *certificates]
    plan = make_plan(
        models,
        sets,
        specs,
        protocol,
        precision=request.precision,
        tile=request.fixed_tile,
        halo=request.halo,
        limit=request.limit,
    )
    run = prepare_run(plan, protocol, request, metrics=("psnr",), on_measured=on_measured)
    run.notices[:] = [*notices, *run.notices, *(ref.note for ref in models if ref.note)]
    return CertifyRun(run, models[0], sets[0], certificates, searches)


def _search(eps: float, source: ModelRef, steps: int) -> Transfer:
    """Return an attack on the squared error, bounded by a root mean square, from noise made on ``source``."""
    from srbench.attacks.presets import preset
    from srbench.attacks.transfer import Transfer

    recipe = preset("rsr").in_norm("l2").with_(eps=eps, steps=steps, alpha=2.5 * eps / steps, objective="mse")
    return Transfer(recipe=recipe, source=source)


def _rms(radius: float, dataset: DataSet, images: Sequence[str]) -> float:
    """Return a radius as a root mean square over the largest image: on no image does it leave the ball."""
    largest = max(3 * height * width for height, width in map(dataset.lr_size, images))
    return radius / math.sqrt(largest)


def points(certified: CertifyRun) -> list[Point]:
    """Return what the store holds of each radius, over the images that have everything."""
    from srbench.store.address import open_store

    store = open_store(certified.run.store)
    rows: dict[str, dict[str, Record]] = {}
    for cell in certified.run.plan:
        wanted = set(cell.images)
        rows[cell.attack.hash] = {r.image: r for r in store.read(cell.path) if r.image in wanted}
    found = []
    for certificate in certified.certificates:
        search = certified.attacks.get(certificate.radius)
        needed = [rows[""], rows[certificate.hash], *([rows[search.hash]] if search else [])]
        images = sorted(set.intersection(*(set(each) for each in needed)))
        if not images:
            continue
        settings = [rows[certificate.hash][image].attack_settings or {} for image in images]
        found.append(
            Point(
                certificate.radius,
                255 * _rms(certificate.radius, certified.dataset, images),
                fmean(each["certificate"]["width"] for each in settings),
                _psnr(rows[""], images),
                _psnr(rows[search.hash], images) if search else math.nan,
                _psnr(rows[certificate.hash], images),
                len(images),
            )
        )
    return found


def _psnr(rows: dict[str, Record], images: list[str]) -> float:
    return fmean(value for image in images if (value := rows[image].metrics["psnr"]) is not None)
