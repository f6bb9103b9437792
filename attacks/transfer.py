"""Transferred noise: made on one model, applied to another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srbench.attacks.spec import AttackSpec

if TYPE_CHECKING:
    from srbench.attacks.base import SRAttack
    from srbench.attacks.presets import Recipe
    from srbench.zoo import ModelRef


@dataclass(frozen=True)
class Transfer(AttackSpec):
    """A recipe run on a source model; the model under test only sees the result.

    Attributes:
        name: ``rsr@8 from esrgan``.
        hash: over the recipe's hash and the source's name and weights.
        recipe: the attack.
        source: the model the noise is made on.
    """

    name: str = field(init=False, default="")
    hash: str = field(init=False, default="")
    recipe: Recipe
    source: ModelRef

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.recipe.name} from {self.source.name}")
        identity = "\0".join((self.recipe.hash, self.source.name, self.source.weights_sha256))
        object.__setattr__(self, "hash", hashlib.sha256(identity.encode()).hexdigest())

    @property
    def note(self) -> str:
        """The recipe's."""
        return self.recipe.note

    def settings(self) -> dict[str, Any]:
        """The recipe's settings and where its noise comes from, as JSON types."""
        source = {"model": self.source.name, "weights_sha256": self.source.weights_sha256}
        return self.recipe.settings() | {"source": source}

    def build(self, device: str) -> SRAttack:
        """The attack on the source model, loaded onto a device.

        Raises:
            BadInput: the source cannot be loaded.
            Unavailable: the objective's weights are not installed.
        """
        return self.recipe.build(self.source.load(device))
