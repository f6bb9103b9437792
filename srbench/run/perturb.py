"""One LR image under attack, and what the attack did to it and to the model's output."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.attacks import AttackSpec
    from srbench.attacks.threat import ThreatModel
    from srbench.support.cache import Cache
    from srbench.zoo import SRModel


@dataclass(frozen=True)
class Made:
    """What an attack made of one image.

    Attributes:
        lr: the perturbed LR, (1,3,H,W) in [0,1].
        goal: what the output was steered towards, (1,3,sH,sW) in [0,1]; None where the attack is for damage.
        lacked: what the attack lacked, one line; empty where nothing. It goes with noise that is transferred.
    """

    lr: Tensor
    lacked: str = ""
    goal: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Size of the pixels, for the cache that keeps noise."""
        return self.lr.nbytes


@dataclass(frozen=True)
class Perturbation:
    """An attack spec made ready for a model.

    Attributes:
        apply: from LR (1,3,H,W), HR (1,3,sH,sW) or None and the image's id to what the attack made.
        settings: every setting that could move a number, for the record.
        threat: the ball it has to stay in; None for a natural corruption.
        origin: identity of what decides the noise apart from the image: equal origins, equal noise.
    """

    apply: Callable[[Tensor, Tensor | None, str], Made]
    settings: dict[str, Any]
    threat: ThreatModel | None
    origin: tuple[str, ...]


@dataclass(frozen=True)
class Attacked:
    """The LR image a model is measured on.

    Attributes:
        lr: (1,3,H,W) in [0,1]: the clean image, or the attacked one.
        clean: the clean image.
        saved: the attacked image after saving as an 8-bit file and reading back; None where that is ``lr``.
        clean_sr: the model's output for the clean image; None where nothing was attacked.
        settings: every setting of the attack; None where there was none.
        flags: checks that failed, each with the finding.
        goal: what the output was steered towards, (1,3,sH,sW); None where nothing was.
    """

    lr: Tensor
    clean: Tensor
    saved: Tensor | None = None
    clean_sr: Tensor | None = None
    settings: dict[str, Any] | None = None
    flags: dict[str, str] = field(default_factory=dict)
    goal: Tensor | None = None

    @property
    def as_file(self) -> Tensor:
        """The LR image as an 8-bit file holds it, inside the ball too."""
        return self.lr if self.saved is None else self.saved

    def effect(self, sr: Tensor) -> dict[str, float]:
        """Compute :attr:`srbench.store.record.Record.effect`; empty where nothing was attacked."""
        if self.clean_sr is None:
            return {}
        found = {
            "lr_psnr": _psnr(self.clean, self.lr),
            "sr_psnr": _psnr(self.clean_sr.clamp(0, 1), sr.clamp(0, 1)),
            "lr_max": round(float((self.lr - self.clean).abs().max()) * 255, 6),
        }
        if self.goal is not None:
            goal = self.goal.to(sr.device)
            found["target_psnr"] = _psnr(goal, sr.clamp(0, 1))
            found["target_psnr_clean"] = _psnr(goal, self.clean_sr.clamp(0, 1))
        return found


def make_perturbation(
    spec: AttackSpec,
    model: SRModel,
    device: str,
    tile: int | None,
    halo: int | None = None,
    first: Callable[[int], Iterable[tuple[Tensor, Tensor | None]]] = lambda count: (),
) -> Perturbation | None:
    """Make an attack ready for a model, with the weights its objective needs; None for the clean input.

    Args:
        device: where the source model of a transferred attack is loaded.
        tile, halo: attack in LR tiles of this side with that much around them; None for the whole image.
        first: gives so many images of the data set, LR (1,3,H,W) and HR, for an attack that is fitted.

    Raises:
        BadInput: an attack that is fitted on whole images, in tiles.
    """
    if not spec.hash:
        return None
    from srbench.attacks.natural import Corruption
    from srbench.attacks.recipe import AttackRecipe
    from srbench.attacks.tiles import examine_in_tiles
    from srbench.attacks.transfer import Transfer

    if isinstance(spec, Corruption):
        corrupted = spec.apply
        return Perturbation(
            lambda lr, hr, image: Made(corrupted(lr, image)), spec.settings(), None, (spec.hash,)
        )
    assert isinstance(spec, AttackRecipe | Transfer)
    if isinstance(spec, Transfer):
        attack: Any = spec.build(device)
        recipe, source = spec.recipe, spec.source
        origin = (recipe.hash, source.name, source.weights_sha256)
    else:
        attack, recipe = spec.build(model), spec
        origin = (spec.hash, model.name, model.weights_sha256)

    if recipe.fitted:
        if tile is not None:
            raise BadInput(f"attack {recipe.name} is one noise for whole images: use --tile whole")
        attack.fit(first(dict(recipe.options)["images"]))

    def apply(lr: Tensor, hr: Tensor | None, image: str) -> Made:
        goal = None
        if recipe.target:
            goal = hr = recipe.target.image(image, (model.scale * lr.shape[-2], model.scale * lr.shape[-1]))
        if tile is not None:
            adversarial, lacked = examine_in_tiles(attack, lr, hr, image, tile, halo or 0)
        else:
            adversarial, lacked = attack.examined(lr, hr, ids=[image])
        return Made(adversarial, lacked, goal)

    tiling = {"tile": tile} | ({} if tile is None else {"halo": halo})
    asked = getattr(attack.model, "adaptive", {})
    adapted = {"adapted": asked if recipe.adaptive else {}} if asked and spec.needs_gradient else {}
    settings = spec.settings() | adapted | {"note": spec.note} | tiling
    return Perturbation(apply, settings, attack.threat, origin)


def attack_image(
    perturbation: Perturbation | None,
    lr: Tensor,
    hr: Tensor | None,
    image: str,
    data: tuple[str, ...],
    noise: Cache[Any],
    clean: Callable[[], Tensor],
) -> Attacked:
    """Apply an attack to one image; without one, the clean image.

    Args:
        perturbation: what :func:`make_perturbation` made.
        lr, hr: (1,3,H,W) and (1,3,sH,sW) in [0,1]; without HR the model's own clean output is the target.
        image: its id, which seeds the noise.
        data: identity of the data set the image is from, and of how the model is run.
        noise: what attacks already :class:`Made`, by what made it.
        clean: gives the model's output for the clean image.
    """
    if perturbation is None:
        return Attacked(lr, lr)
    import torch

    from srbench.attacks.verdicts import inside

    made: Made = noise.get((*perturbation.origin, *data, image), lambda: perturbation.apply(lr, hr, image))
    adversarial, saved = made.lr, None
    flags: dict[str, str] = {}
    with torch.inference_mode():
        clean_sr = clean()
        if threat := perturbation.threat:
            as_file = threat.to_8bit(lr, adversarial)
            verdicts = [
                inside(lr, adversarial, threat),
                inside(lr, as_file, threat, name="inside the ball as 8-bit file"),
            ]
            flags = {v.name: v.detail for v in verdicts if not v.ok}
            if made.lacked:
                flags["usable gradient"] = made.lacked
            saved = None if threat.rounded else as_file
    return Attacked(adversarial, lr, saved, clean_sr, perturbation.settings, flags, made.goal)


def super_resolve(model: SRModel, lr: Tensor, tile: int | None, halo: int | None = None) -> Tensor:
    """Compute the model's output for one image, whole or in tiles with a halo."""
    from srbench.zoo.tiling import tiled

    sr: Tensor = model(lr) if tile is None else tiled(model, lr, tile, halo or 0)
    return sr


def _psnr(a: Tensor, b: Tensor) -> float:
    """In dB; 100 for images that are equal to ten digits, so that every record holds a number."""
    mse = float((a.double() - b.double()).square().mean())
    return min(100.0, -10 * math.log10(mse)) if mse > 0 else 100.0
