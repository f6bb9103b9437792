"""Prepare metrics once, then measure images: the part of a run that no thread or order can influence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srbench.errors import Unavailable
from srbench.metrics import metric
from srbench.metrics.base import Metric, Scorer, Views

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.protocols.schema import MetricSettings, Protocol


_SMALL = 64


@dataclass(frozen=True)
class Missing:
    """A metric that was asked for and cannot be computed on this machine now."""

    name: str
    reason: str


class Instruments:
    """The metrics of a run, loaded and ready.

    Args:
        protocol: how each is computed.
        names: metrics asked for; the protocol's defaults where None.
        device: where networks inside metrics run.

    Attributes:
        missing: metrics that cannot be computed here, each with the reason and the cure.

    Raises:
        BadInput: a metric is unknown or has no settings in the protocol.
    """

    def __init__(self, protocol: Protocol, names: Sequence[str] | None, device: str) -> None:
        self._protocol = protocol
        self._device = device
        self._ready: dict[str, tuple[Metric, MetricSettings, Scorer]] = {}
        self.missing: list[Missing] = []
        wanted = list(dict.fromkeys(names or protocol.default))
        self._wanted = wanted
        for name in wanted:
            self._prepare(name)
        # A table needs something to rank by: where LPIPS is not to be had, the next choice is measured.
        if names is None and not any(name in self._ready for name in protocol.rank):
            for name in protocol.rank:
                if name not in wanted and self._prepare(name):
                    wanted.append(name)
                    break

    def _prepare(self, name: str) -> bool:
        from srbench.errors import BadInput

        definition = metric(name)
        settings = self._protocol.known.get(name)
        if settings is None:
            choices = ", ".join(self._protocol.known)
            raise BadInput(f"protocol {self._protocol.name} has no settings for {name}; it has {choices}")
        try:
            self._ready[name] = (definition, settings, definition.make_scorer(settings.params, self._device))
        except Unavailable as error:
            self.missing.append(Missing(name, str(error)))
            return False
        return True

    def names(self, *, paired: bool) -> list[str]:
        """Return the metrics that apply to a set, in table order."""
        ready = [self._ready[name][0] for name in self._wanted if name in self._ready]
        applicable = [m for m in ready if paired or m.kind == "NR"]
        return [m.name for m in sorted(applicable, key=lambda m: (m.kind, m.order, m.name))]

    def ensure(self, name: str) -> bool:
        """Return whether a metric is ready, loading it now if it is not; for metrics an older record has."""
        return name in self._ready or self._prepare(name)

    def settle(self) -> None:
        """Measure a small image once, while no other thread measures.

        Numerical libraries choose their kernels when they are first used, and two threads that do so at once
        may get others: about one first image in a hundred differed in its last digit.
        """
        import torch

        ready = self._ready.values()
        side = max((m.min_side + 2 * settings.crop for m, settings, _ in ready), default=0)
        shape = (1, 3, max(side, _SMALL), max(side, _SMALL))
        draw = torch.Generator().manual_seed(0)
        self.measure(list(self._ready), torch.rand(shape, generator=draw), torch.rand(shape, generator=draw))

    def measure(
        self, names: Sequence[str], sr: Tensor, hr: Tensor | None
    ) -> tuple[dict[str, float | None], dict[str, str]]:
        """Compute the values by metric, and for each undefined one the reason.

        Args:
            names: metrics to compute, all ready.
            sr: float (1,3,H,W), RGB, unclipped.
            hr: float (1,3,H,W) in [0,1], or None.
        """
        views = Views(sr.to(self._device), None if hr is None else hr.to(self._device))
        values: dict[str, float | None] = {}
        notes: dict[str, str] = {}
        for name in names:
            definition, settings, scorer = self._ready[name]
            height, width = sr.shape[-2] - 2 * settings.crop, sr.shape[-1] - 2 * settings.crop
            values[name] = None
            if not definition.defined_for(height, width):
                notes[name] = f"undefined for {height} x {width} pixels"
                continue
            pair = views.get(rounded=settings.rounded, crop=settings.crop, space=settings.space)
            try:
                value = scorer(*pair)
            except (AssertionError, ArithmeticError, RuntimeError) as error:
                # Flat or degenerate images break the statistics some metrics fit.
                notes[name] = (
                    f"failed: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}"
                )
                continue
            if math.isfinite(value):
                values[name] = value
            else:
                notes[name] = "not finite"
        return values, notes
