"""Attack the LR input. An attack is one axis of the evaluation plan; ``none`` is the clean input.

>>> import torch
>>> from srbench.attacks import StructuredPGD
>>> model = torch.nn.Upsample(scale_factor=4)
>>> lr, hr = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 32, 32)
>>> attack = StructuredPGD(model, eps=14 / 255, objective="l1")
>>> bool((attack(lr, hr) - lr).abs().max() <= 14.001 / 255)
True

Importing this package costs nothing: torch and torchattacks load with the first class that is asked for.
Every public class and function of its modules can be imported from here, also those of a file that is put
beside them: it needs no line here.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from srbench.attacks import registry
from srbench.attacks.spec import NONE as NONE
from srbench.attacks.spec import AttackSpec as AttackSpec

if TYPE_CHECKING:
    # Type checkers do not run __getattr__ and take what it gives for Any. So that users of the shipped
    # attacks have their types, these are written out; nothing else depends on the list.
    from srbench.attacks.apgd import APGD as APGD
    from srbench.attacks.band_pgd import BandPGD as BandPGD
    from srbench.attacks.base import SRAttack as SRAttack
    from srbench.attacks.base import ZeroGradient as ZeroGradient
    from srbench.attacks.cospgd import CosMSE as CosMSE
    from srbench.attacks.ensemble import Ensemble as Ensemble
    from srbench.attacks.fgsm import FGSM as FGSM
    from srbench.attacks.ifgsm import IFGSM as IFGSM
    from srbench.attacks.mifgsm import MIFGSM as MIFGSM
    from srbench.attacks.natural import Corruption as Corruption
    from srbench.attacks.objectives import L1 as L1
    from srbench.attacks.objectives import MSE as MSE
    from srbench.attacks.objectives import Objective as Objective
    from srbench.attacks.objectives import WeightedSum as WeightedSum
    from srbench.attacks.objectives_from_text import parse_objective as parse_objective
    from srbench.attacks.perceptual import LPIPS as LPIPS
    from srbench.attacks.perceptual import VGG19 as VGG19
    from srbench.attacks.pgd_l2 import PGDL2 as PGDL2
    from srbench.attacks.presets import preset as preset
    from srbench.attacks.random_noise import RandomNoise as RandomNoise
    from srbench.attacks.recipe import AttackRecipe as AttackRecipe
    from srbench.attacks.registry import is_noise as is_noise
    from srbench.attacks.square import SquareSearch as SquareSearch
    from srbench.attacks.structured_pgd import StructuredPGD as StructuredPGD
    from srbench.attacks.threat import ThreatModel as ThreatModel
    from srbench.attacks.threat import parse_eps as parse_eps
    from srbench.attacks.transfer import Transfer as Transfer
    from srbench.attacks.universal import UniversalPerturbation as UniversalPerturbation


def __getattr__(name: str) -> Any:
    module = None if name.startswith("_") else registry.homes().get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *registry.homes()})


def names() -> list[str]:
    """Return the names of all attack presets, ``none`` first.

    >>> from srbench import attacks
    >>> attacks.names()[:2]
    ['none', 'random']
    """
    return [NONE.name, *registry.presets()]


def resolve(specs: Sequence[str]) -> list[AttackSpec]:
    """Return attack specs by name, in order, without duplicates.

    Args:
        specs: ``none``, a preset such as ``rsr``, a preset at another radius such as ``rsr@8`` (8 of 255
            levels) or with other settings such as ``rsr(steps=10)``; a natural corruption such as ``jpeg:3``
            (severity 3), ``jpeg`` (all five severities), or ``corruptions`` (all of them); or a certificate
            such as ``certified@0.1`` (l2 radius 0.1).

    Returns:
        ``NONE``, a :class:`srbench.attacks.recipe.AttackRecipe`, a
        :class:`srbench.attacks.natural.Corruption` or a
        :class:`srbench.attacks.certificate.Certificate` for each.

    Raises:
        BadInput: no such attack (the nearest names are listed), or a radius that is none.

    >>> from srbench import attacks
    >>> [spec.name for spec in attacks.resolve(["none", "random@8", "jpeg:3", "none"])]
    ['none', 'random@8', 'jpeg:3']
    """
    resolved: list[AttackSpec] = []
    for text in specs:
        resolved += [NONE] if text == NONE.name else _resolve(text)
    return list({spec.name: spec for spec in resolved}.values())


def _resolve(text: str) -> Sequence[AttackSpec]:
    from srbench.attacks import certificate
    from srbench.attacks.presets import preset

    if text.partition("@")[0] == certificate.NAME:
        return [certificate.parse(text)]
    if text.partition("(")[0].partition("@")[0] not in registry.presets():
        from srbench.attacks.natural import is_corruption, parse

        if is_corruption(text):
            return parse(text)
    return [preset(text)]
