"""Attack what another degradation made: adversarial training on top of blind input, for one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator
from torch import Tensor

from srbench.train.degradations.adversarial import Adversarial, AdversarialSettings
from srbench.train.degradations.base import Batch, Context, DegradationKind
from srbench.train.degradations.registry import make_degradation, parse


class AdversarialAfterSettings(AdversarialSettings):
    """Holds the settings of ``adversarial-after``: those of ``adversarial``, and what comes first.

    Attributes:
        first: the table of another degradation, such as ``{kind = "blind"}``; its LR is attacked in place of
            the clean one, so that ``quantize`` is its affair.
    """

    kind: Literal["adversarial-after"] = "adversarial-after"  # type: ignore[assignment]
    first: dict[str, Any]

    @field_validator("first")
    @classmethod
    def _complete(cls, first: dict[str, Any]) -> dict[str, Any]:
        return parse(first).model_dump(mode="json")

    def needs_perceptual(self) -> bool:
        """Tell whether the attack or what comes first uses the perceptual loss of the training."""
        return super().needs_perceptual() or parse(self.first).needs_perceptual()


class AdversarialAfter(Adversarial):
    """Attacks the LR of another degradation, within the same ball about it."""

    def __init__(self, settings: AdversarialAfterSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._first = make_degradation(parse(settings.first), context)

    def prepare(self) -> None:
        self._first.prepare()

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"first": self._first.describe()}

    def _unattacked(self, batch: Batch) -> Tensor:
        return self._first(batch)


KIND = DegradationKind(AdversarialAfterSettings, AdversarialAfter)
