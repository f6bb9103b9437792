"""The plan: every cell (model x data set x attack x protocol) an evaluation consists of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from srbench.attacks.certificate import Certificate, ranks
from srbench.errors import BadInput
from srbench.support.scales import SCALE, other_scale

if TYPE_CHECKING:
    from srbench.attacks import AttackSpec
    from srbench.datasets.base import DataSet
    from srbench.protocols.schema import Protocol
    from srbench.zoo import ModelRef


@dataclass(frozen=True)
class Cell:
    """One model on one data set under one attack, measured by one protocol.

    Attributes:
        images: ids to measure, in the order they are measured and stored.
        precision: "fp32" or "bf16".
        tile: LR tile side in pixels, or None for whole images.
        halo: LR pixels around a tile that it is run with; None for whole images.
    """

    model: ModelRef
    dataset: DataSet
    attack: AttackSpec
    protocol: Protocol
    precision: str
    tile: int | None
    images: tuple[str, ...]
    halo: int | None = None

    @property
    def scale(self) -> int:
        """How many times larger SR is."""
        return self.dataset.scale

    @property
    def path(self) -> PurePosixPath:
        """Where its records live in a store: the path is the identity of the cell."""
        identity: dict[str, Any] = {
            "model": [self.model.name, self.model.weights_sha256],
            "dataset": [self.dataset.name, self.dataset.content_hash],
            "attack": [self.attack.name, self.attack.hash],
            "protocol": [self.protocol.name, self.protocol.hash],
            "precision": self.precision,
            "tile": self.tile,
        }
        if self.tile is not None:
            identity["halo"] = self.halo
        dataset = self.dataset.name
        if self.scale != SCALE:  # those of the usual one lie where they always did
            identity["scale"] = self.scale
            dataset += f"-x{self.scale}"
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        folders = (_slug(n) for n in (self.protocol.name, dataset, self.attack.name))
        return PurePosixPath(*folders, f"{_slug(self.model.name)}-{digest}.jsonl")

    def __str__(self) -> str:
        return f"{self.model.name} on {self.dataset.name}" + (
            f" under {self.attack.name}" if self.attack.hash else ""
        )


def _slug(name: str) -> str:
    # File names end at 255 bytes; the digest tells apart what is cut.
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100] or "unnamed"


def _refuse_network(model: ModelRef, attacks: Sequence[AttackSpec], precision: str, tile: int | None) -> None:
    """Refuse what only a network can be asked for."""
    attacked = [attack.name for attack in attacks if attack.hash]
    wanted = [
        *([f"attacked ({', '.join(attacked)})"] if attacked else []),
        *([f"run in tiles of {tile}"] if tile is not None else []),
        *([f"run in {precision}"] if precision != "fp32" else []),
    ]
    if wanted:
        raise BadInput(
            f"{model.name} is SR images made elsewhere: there is no network that could be {wanted[0]}; "
            "measure it in a command without that"
        )


def _check_certificate(attack: Certificate, model: ModelRef, datasets: Sequence[DataSet]) -> None:
    """Refuse a certificate of what has none, and a radius that its samples cannot certify."""
    if model.smoothed is None:
        raise BadInput(
            f"{attack.name}: {model.name} has no certificate: put the median over noise around it, as in "
            f"mrs({model.name},sigma=0.05,n=100)"
        )
    for dataset in datasets:
        if dataset.kind != "paired":
            raise BadInput(f"{attack.name}: a certificate says how far from HR, and {dataset.name} has no HR")
        height, width = dataset.lr_size(dataset.ids[0])
        sigma, n = model.smoothed
        ranks(n, sigma, attack.radius, attack.alpha, 3 * dataset.scale**2 * height * width)


def make_plan(
    models: Sequence[ModelRef],
    datasets: Sequence[DataSet],
    attacks: Sequence[AttackSpec],
    protocol: Protocol,
    *,
    precision: str = "fp32",
    tile: int | None = None,
    halo: int | None = None,
    limit: int | None = None,
) -> list[Cell]:
    """Make all cells, model by model so that each model is loaded once.

    Args:
        halo: counts only where there is a tile.
        limit: measure only the first so many images of each set (ids in sorted order).

    Raises:
        BadInput: nothing to do, two models or data sets share a name but not a content, or a network is
            needed where there are only SR images made elsewhere; one of another scale than the protocol; or a
            certificate that a model cannot have.
    """
    for kind, things in (("model", models), ("data set", datasets)):
        if not things:
            raise BadInput(f"no {kind} to evaluate: name at least one")
        seen = [thing.name for thing in things]
        if twice := {name for name in seen if seen.count(name) > 1}:
            raise BadInput(f"two different {kind}s are called {', '.join(sorted(twice))}: rename one")
    for thing, name, scale in (
        *(("model", model.name, model.card.scale) for model in models),
        *(("data set", data.name, data.scale) for data in datasets),
    ):
        if scale != protocol.scale:
            raise other_scale(name, thing, scale, protocol.scale)
    for model in models:
        if model.outputs is not None:
            _refuse_network(model, attacks, precision, tile)
        for attack in attacks:
            if isinstance(attack, Certificate):
                _check_certificate(attack, model, datasets)
    around = None if tile is None else halo
    return [
        Cell(model, dataset, attack, protocol, precision, tile, tuple(dataset.ids[:limit]), around)
        for model in models
        for dataset in datasets
        for attack in attacks
    ]
