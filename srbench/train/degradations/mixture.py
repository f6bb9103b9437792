"""Mix several degradations in proportion: each sample goes through one of them, which its id decides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from srbench.attacks.noise import generator
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.registry import make_degradation, parse


class MixtureSettings(Table):
    """Holds the settings of ``mixture``.

    Attributes:
        parts: tables of degradations, each with a ``weight`` above 0 (1 where it is not given) beside its
            own settings, such as ``{weight = 3, kind = "adversarial", eps = "14"}``. The weights are
            proportions; they need not sum to 1.
    """

    kind: Literal["mixture"] = "mixture"
    parts: tuple[dict[str, Any], ...] = Field(min_length=1)

    @field_validator("parts")
    @classmethod
    def _complete(cls, parts: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        return tuple({"weight": _weight(part), **_parsed(part).model_dump(mode="json")} for part in parts)

    def needs_perceptual(self) -> bool:
        """Tell whether any of the parts uses the perceptual loss of the training."""
        return any(_parsed(part).needs_perceptual() for part in self.parts)


class Mixture(Degradation):
    """Splits a batch by the samples' ids and puts the parts together again in their places.

    Each part keeps what it trains in a folder of its own.
    """

    def __init__(self, settings: MixtureSettings, context: Context) -> None:
        self._settings = settings
        self._seed = context.seed
        self._bounds = torch.tensor([part["weight"] for part in settings.parts]).double().cumsum(0)
        self._parts = [
            make_degradation(_parsed(part), _own_folder(context, f"part-{number}"))
            for number, part in enumerate(settings.parts, 1)
        ]

    def prepare(self) -> None:
        for part in self._parts:
            part.prepare()

    def part_of(self, sample_id: str) -> int:
        """Return which part a sample goes through, counted from 0."""
        draw = torch.rand((), generator=generator(self._seed, sample_id, "mixture"), dtype=torch.float64)
        return int(torch.searchsorted(self._bounds, draw * self._bounds[-1], right=True))

    def __call__(self, batch: Batch) -> Tensor:
        owners = [self.part_of(i) for i in batch.ids]
        whole: Tensor | None = None
        for number in sorted(set(owners)):
            positions = [p for p, owner in enumerate(owners) if owner == number]
            if len(positions) == len(owners):
                return self._parts[number](batch)
            lr = self._parts[number](batch.select(positions))
            if whole is None:
                whole = lr.new_empty((len(owners), *lr.shape[1:]))
            whole[torch.tensor(positions, device=lr.device)] = lr
        assert whole is not None
        return whole

    def describe(self) -> dict[str, Any]:
        facts = self._settings.model_dump(mode="json")
        weights = [part["weight"] for part in self._settings.parts]
        described = zip(weights, self._parts, strict=True)
        return facts | {"parts": [{"weight": weight, **part.describe()} for weight, part in described]}


KIND = DegradationKind(MixtureSettings, Mixture)


def _parsed(part: Mapping[str, Any]) -> Table:
    return parse({key: value for key, value in part.items() if key != "weight"})


def _weight(part: Mapping[str, Any]) -> float:
    weight = part.get("weight", 1.0)
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    if not number or not math.isfinite(weight) or weight <= 0:
        raise ValueError(f"a part's weight is a number above 0, not {weight!r}")
    return float(weight)


def _own_folder(context: Context, name: str) -> Context:
    return replace(context, folder=context.folder / name if context.folder else None)
