"""Name natural corruptions as attacks are named: ``jpeg:3`` is JPEG at severity 3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srbench.attacks.spec import AttackSpec, settings_hash
from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

ALL = "corruptions"
"""This word on the command line stands for every corruption at every severity."""


@dataclass(frozen=True)
class Corruption(AttackSpec):
    """Applies one corruption of :mod:`srbench.attacks.corruptions` at one severity.

    Attributes:
        name: ``jpeg:3``.
        hash: over corruption, severity, its constants' version and seed.
        corruption, severity: see :func:`srbench.attacks.corruptions.corrupt`.
        seed: with the image id decides every random number.

    >>> import torch
    >>> from srbench.attacks import Corruption
    >>> noise = Corruption("gaussian-noise", 2)
    >>> noise.name, noise.apply(torch.zeros(1, 3, 8, 8), "0801").shape
    ('gaussian-noise:2', torch.Size([1, 3, 8, 8]))
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
        """Return nothing: corruptions need no weights."""
        return ""

    def settings(self) -> dict[str, Any]:
        """Return what decides the pixels, as JSON types."""
        named = {"corruption": self.corruption, "severity": self.severity, "seed": self.seed}
        return {"version": 1, "kind": "Corruption", **named}

    def apply(self, lr: Tensor, image: str) -> Tensor:
        """Return the corrupted image, (1,3,H,W) in [0,1], 8 bit.

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
    """Return whether a spec is meant as a corruption.

    >>> from srbench.attacks.natural import is_corruption
    >>> [is_corruption(text) for text in ("jpeg", "jpeg:9", "corruptions", "rsr")]
    [True, True, True, False]
    """
    from srbench.attacks.corruptions import CORRUPTIONS

    return text == ALL or text.partition(":")[0] in CORRUPTIONS


def parse(text: str) -> list[Corruption]:
    """Return one corruption (``jpeg:3``), one at all severities (``jpeg``), or all (``corruptions``).

    Raises:
        BadInput: a severity that is none.

    >>> from srbench.attacks.natural import parse
    >>> [corruption.name for corruption in parse("jpeg")]
    ['jpeg:1', 'jpeg:2', 'jpeg:3', 'jpeg:4', 'jpeg:5']
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
