"""Natural corruptions as attack specs: ``jpeg:3`` is JPEG at severity 3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srbench.attacks.spec import AttackSpec, settings_hash
from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

ALL = "corruptions"
"""Written on the command line for every corruption at every severity."""


@dataclass(frozen=True)
class Corruption(AttackSpec):
    """One corruption of :mod:`srbench.attacks.corruptions` at one severity.

    Attributes:
        name: ``jpeg:3``.
        hash: over corruption, severity, its constants' version and seed.
        corruption, severity: see :func:`srbench.attacks.corruptions.corrupt`.
        seed: with the image id decides every random number.
    """

    name: str = field(init=False, default="")
    hash: str = field(init=False, default="")
    corruption: str
    severity: int
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.corruption}:{self.severity}")
        object.__setattr__(self, "hash", settings_hash(self.settings()))

    @property
    def note(self) -> str:
        """Nothing: corruptions need no weights."""
        return ""

    def settings(self) -> dict[str, Any]:
        """What decides the pixels, as JSON types."""
        named = {"corruption": self.corruption, "severity": self.severity, "seed": self.seed}
        return {"version": 1, "kind": "Corruption", **named}

    def apply(self, lr: Tensor, image: str) -> Tensor:
        """The corrupted image.

        Args:
            lr: (1,3,H,W) in [0,1], 8 bit.
            image: its id.
        """
        import torch

        from srbench.attacks.corruptions import corrupt

        pixels = (lr[0] * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        corrupted = corrupt(pixels, self.corruption, self.severity, seed=self.seed, image_id=image)
        return torch.tensor(corrupted).permute(2, 0, 1).unsqueeze(0).to(lr) / 255


def is_corruption(text: str) -> bool:
    """Whether a spec is meant as a corruption: ``jpeg``, ``jpeg:3``, ``corruptions``."""
    from srbench.attacks.corruptions import CORRUPTIONS

    return text == ALL or text.partition(":")[0] in CORRUPTIONS


def parse(text: str) -> list[Corruption]:
    """One corruption (``jpeg:3``), one at all severities (``jpeg``), or all (``corruptions``).

    Raises:
        BadInput: a severity that is none.
    """
    from srbench.attacks.corruptions import CORRUPTIONS, SEVERITIES

    if text == ALL:
        return [Corruption(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]
    name, colon, severity = text.partition(":")
    if not colon:
        return [Corruption(name, each) for each in SEVERITIES]
    if severity not in {str(each) for each in SEVERITIES}:
        raise BadInput(f"'{text}': the severity of a corruption goes from 1 to 5, as in {name}:3")
    return [Corruption(name, int(severity))]
