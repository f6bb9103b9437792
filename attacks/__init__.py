"""Attacks on the LR input. An attack is one axis of the evaluation plan; ``none`` is the clean input.

    from srbench.attacks import StructuredPGD

    attack = StructuredPGD(model, eps=14 / 255, objective="0.01*l1+vgg19")
    adversarial = attack(lr, hr)

Importing this package costs nothing: torch and torchattacks load with the first class that is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from srbench.attacks.spec import NONE, AttackSpec

if TYPE_CHECKING:
    from srbench.attacks.apgd import APGD
    from srbench.attacks.base import SRAttack
    from srbench.attacks.ensemble import Ensemble
    from srbench.attacks.fgsm import FGSM
    from srbench.attacks.ifgsm import IFGSM
    from srbench.attacks.mifgsm import MIFGSM
    from srbench.attacks.natural import Corruption
    from srbench.attacks.objectives import L1, MSE, Objective, WeightedSum, parse_objective
    from srbench.attacks.perceptual import LPIPS, VGG19
    from srbench.attacks.pgd_l2 import PGDL2
    from srbench.attacks.presets import Recipe, preset
    from srbench.attacks.random_noise import RandomNoise
    from srbench.attacks.square import SquareSearch
    from srbench.attacks.structured_pgd import StructuredPGD
    from srbench.attacks.threat import ThreatModel, parse_eps
    from srbench.attacks.transfer import Transfer
    from srbench.attacks.universal import UniversalPerturbation

_HOME = {
    "APGD": "apgd",
    "Corruption": "natural",
    "Ensemble": "ensemble",
    "FGSM": "fgsm",
    "IFGSM": "ifgsm",
    "L1": "objectives",
    "LPIPS": "perceptual",
    "MIFGSM": "mifgsm",
    "MSE": "objectives",
    "Objective": "objectives",
    "PGDL2": "pgd_l2",
    "RandomNoise": "random_noise",
    "Recipe": "presets",
    "SRAttack": "base",
    "SquareSearch": "square",
    "StructuredPGD": "structured_pgd",
    "Transfer": "transfer",
    "ThreatModel": "threat",
    "UniversalPerturbation": "universal",
    "VGG19": "perceptual",
    "WeightedSum": "objectives",
    "parse_eps": "threat",
    "parse_objective": "objectives",
    "preset": "presets",
}

__all__ = [  # noqa: RUF022 - what every run needs first, then the classes
    "AttackSpec",
    "NONE",
    "names",
    "resolve",
    "APGD",
    "Corruption",
    "Ensemble",
    "FGSM",
    "IFGSM",
    "L1",
    "LPIPS",
    "MIFGSM",
    "MSE",
    "Objective",
    "PGDL2",
    "RandomNoise",
    "Recipe",
    "SRAttack",
    "SquareSearch",
    "StructuredPGD",
    "ThreatModel",
    "Transfer",
    "UniversalPerturbation",
    "VGG19",
    "WeightedSum",
    "parse_eps",
    "parse_objective",
    "preset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def names() -> list[str]:
    """The names of all attack presets, ``none`` first."""
    from srbench.attacks.presets import PRESETS

    return [NONE.name, *PRESETS]


def resolve(specs: Sequence[str]) -> list[AttackSpec]:
    """Attack specs by name, in order, without duplicates.

    Args:
        specs: ``none``, a preset such as ``rsr``, or a preset at another radius such as ``rsr@8``
            (8 of 255 levels); a natural corruption such as ``jpeg:3`` (severity 3), ``jpeg`` (all five
            severities), or ``corruptions`` (all of them).

    Returns:
        ``NONE``, a :class:`srbench.attacks.presets.Recipe` or a
        :class:`srbench.attacks.natural.Corruption` for each.

    Raises:
        BadInput: no such attack (the nearest names are listed), or a radius that is none.
    """
    from srbench.attacks.presets import PRESETS, preset

    found: list[AttackSpec] = []
    for spec in specs:
        if spec == NONE.name:
            found.append(NONE)
        elif spec.partition("@")[0] in PRESETS:
            found.append(preset(spec))
        else:
            found += _corruptions(spec) or [preset(spec)]
    return list({spec.name: spec for spec in found}.values())


def _corruptions(spec: str) -> list[AttackSpec]:
    from srbench.attacks.natural import is_corruption, parse

    return [*parse(spec)] if is_corruption(spec) else []
