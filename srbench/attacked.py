"""One LR image under attack, and what the attack did to it and to the model's output."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.attacks import AttackSpec, SRAttack
    from srbench.zoo import SRModel


@dataclass(frozen=True)
class Attacked:
    """The LR image a model is measured on.

    Attributes:
        lr: (1,3,H,W) in [0,1]: the clean image, or the attacked one.
        clean: the clean image.
        clean_sr: the model's output for the clean image; None where nothing was attacked.
        settings: every setting of the attack; None where there was none.
        flags: checks that failed, each with the finding.
    """

    lr: Tensor
    clean: Tensor
    clean_sr: Tensor | None = None
    settings: dict[str, Any] | None = None
    flags: dict[str, str] = field(default_factory=dict)

    def effect(self, sr: Tensor) -> dict[str, float]:
        """See :attr:`srbench.records.Record.effect`; empty where nothing was attacked."""
        if self.clean_sr is None:
            return {}
        return {
            "lr_psnr": _psnr(self.clean, self.lr),
            "sr_psnr": _psnr(self.clean_sr.clamp(0, 1), sr.clamp(0, 1)),
            "lr_max": round(float((self.lr - self.clean).abs().max()) * 255, 6),
        }


def build(spec: AttackSpec, model: SRModel) -> SRAttack | None:
    """The attack on a model, with the weights its objective needs; None for the clean input."""
    if not spec.hash:
        return None
    from srbench.attacks.presets import Recipe

    assert isinstance(spec, Recipe)
    return spec.build(model)


def attack_image(
    spec: AttackSpec,
    attack: SRAttack | None,
    model: SRModel,
    lr: Tensor,
    hr: Tensor | None,
    image: str,
    tile: int | None,
) -> Attacked:
    """Apply an attack to one image; without one, the clean image.

    Args:
        spec, attack: what was asked for and what :func:`build` made of it.
        lr, hr: (1,3,H,W) and (1,3,4H,4W) in [0,1]; without HR the model's own clean output is the target.
        image: its id, which seeds the noise.
        tile: LR tile side for the model's clean output, None for the whole image.
    """
    if attack is None:
        return Attacked(lr, lr)
    import torch

    from srbench.attacks.checks import inside
    from srbench.attacks.presets import Recipe

    assert isinstance(spec, Recipe)
    adversarial = attack(lr, hr, ids=[image])
    with torch.inference_mode():
        clean_sr = super_resolve(model, lr, tile)
        saved = (adversarial * 255).round() / 255
        verdicts = [
            inside(lr, adversarial, attack.threat),
            inside(lr, saved, attack.threat, name="inside the ball as 8-bit file"),
        ]
    flags = {v.name: v.detail for v in verdicts if not v.ok}
    settings = spec.settings() | {"note": spec.note}
    return Attacked(adversarial, lr, clean_sr, settings, flags)


def super_resolve(model: SRModel, lr: Tensor, tile: int | None) -> Tensor:
    """The model's output for one image, whole or in tiles."""
    from srbench.zoo.tiling import tiled

    sr: Tensor = model(lr) if tile is None else tiled(model, lr, tile)
    return sr


def _psnr(a: Tensor, b: Tensor) -> float:
    """In dB; 100 for images that are equal to ten digits, so that every record holds a number."""
    mse = float((a.double() - b.double()).square().mean())
    return min(100.0, -10 * math.log10(mse)) if mse > 0 else 100.0
