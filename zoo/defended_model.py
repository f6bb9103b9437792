"""Run a model behind a defence, as a model like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from srbench.zoo.defences.base import Defence, Values
from srbench.zoo.model import Smoothing, SRModel, check_batch

if TYPE_CHECKING:
    from srbench.zoo.model_ref import ModelRef


class DefendedModel(SRModel):
    """Runs a defence around a model; it has the shapes, range and errors of :class:`SRModel`.

    Attributes:
        inner: the model that is defended.
        defence, values: what is around it.
    """

    def __init__(self, inner: SRModel, defence: Defence, values: Values, ref: ModelRef) -> None:
        """Take over a loaded model."""
        super().__init__(nn.Identity(), name=ref.name, card=ref.card, weights_sha256=ref.weights_sha256)
        self.inner, self.defence, self.values = inner, defence, values

    @property
    def adaptive(self) -> dict[str, Any]:
        """Return the settings that an attack needs to be adapted to all defences around the model."""
        within = self.inner.adaptive
        samples = self.defence.samples(self.values) if self.defence.random else 1
        straight = self.defence.straight_through or within.get("straight_through", False)
        return {"samples": max(samples, within.get("samples", 1)), "straight_through": straight}

    @property
    def smoothing(self) -> Smoothing | None:
        """Return the samples whose median this model gives, where its outermost defence gives one."""
        sample = self.defence.sample
        if sample is None:
            return None
        return Smoothing(float(self.values["sigma"]), lambda lr: sample(self.inner, lr.float(), self.values))

    @property
    def forwards(self) -> int:
        """Return how many forwards of the network an image takes."""
        return self.defence.forwards(self.values) * self.inner.forwards

    def channels_last(self) -> SRModel:
        """Lay images out with a pixel's channels together inside the defended model."""
        self.inner.channels_last()
        return self

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve a batch."""
        check_batch(lr)
        return self.defence.defend(self.inner, lr.float(), self.values)
