"""Transfer noise: it is made on one model and applied to another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srbench.attacks.spec import AttackSpec

if TYPE_CHECKING:
    from srbench.attacks.base import SRAttack
    from srbench.attacks.recipe import AttackRecipe
    from srbench.zoo import ModelRef


@dataclass(frozen=True)
class Transfer(AttackSpec):
    """Runs a recipe on a source model; the model under test only sees the result.

    Attributes:
        name: ``rsr@8 from esrgan``.
        hash: over the recipe's hash and the source's name and weights.
        recipe: the attack.
        source: the model the noise is made on.

    >>> from srbench import zoo
    >>> from srbench.attacks import Transfer, preset
    >>> (bicubic,) = zoo.resolve(["bicubic"])
    >>> Transfer(recipe=preset("ifgsm-choi@4"), source=bicubic).name
    'ifgsm-choi@4 from bicubic'
    """

    name: str = field(init=False, default="")
    hash: str = field(init=False, default="")
    recipe: AttackRecipe
    source: ModelRef

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.recipe.name} from {self.source.name}")
        identity = "\0".join((self.recipe.hash, self.source.name, self.source.weights_sha256))
        object.__setattr__(self, "hash", hashlib.sha256(identity.encode()).hexdigest())

    @property
    def note(self) -> str:
        """Return the recipe's note."""
        return self.recipe.note

    @property
    def needs_gradient(self) -> bool:
        """Return whether the recipe asks for gradients, of the source."""
        return self.recipe.needs_gradient

    @property
    def is_noise(self) -> bool:
        """Return whether the recipe is noise, which is the same whatever the source."""
        return self.recipe.is_noise

    def settings(self) -> dict[str, Any]:
        """Return the recipe's settings and where its noise comes from, as JSON types."""
        source = {"model": self.source.name, "weights_sha256": self.source.weights_sha256}
        return self.recipe.settings() | {"source": source}

    def build(self, device: str) -> SRAttack:
        """Make the attack on the source model, loaded onto a device.

        Raises:
            BadInput: the source cannot be loaded.
            Unavailable: the objective's weights are not installed.
        """
        return self.recipe.build(self.source.load(device))
