"""Fix every setting of an attack, and identify it by a hash of them; nothing heavy loads before ``build``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.attacks.checked import at_least, flag, is_whole, one_of, step_length, whole
from srbench.attacks.objectives_text import canonical
from srbench.attacks.preset_entry import Options
from srbench.attacks.registry import attack_class, presets
from srbench.attacks.spec import AttackSpec, settings_hash
from srbench.attacks.target import Target
from srbench.attacks.threat import Norm, eps_text
from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.attacks.base import SRAttack
    from srbench.attacks.objectives import Objective
    from srbench.attacks.passes import AttackPasses


@dataclass(frozen=True, kw_only=True)
class AttackRecipe(AttackSpec):
    """Holds an attack with every setting that can move a number.

    Attributes:
        name: the preset's name, with what was changed: ``rsr``, ``rsr@8``, ``rsr(steps=10)``.
        hash: sha256 over the canonical JSON of the settings; names and notes are no part of it.
        preset: the preset's name.
        kind: the name of the attack's class.
        eps: radius in units of the range [0,1].
        rounded: whether the attacked LR is 8 bit.
        objective: canonical text of what is made large; empty where the attack has none of its own.
        options: the class's own options, as pairs.
        parts: the attacks of an ensemble; the first is the one it never falls behind.
        measures: what an ensemble chooses by.
        seed: with the image ids decides the noise.
        precision: ``fp32`` or ``bf16``, of model and objective during the attack.
        norm: ``linf`` or ``l2``; see :meth:`in_norm`.
        samples: forwards averaged per loss, for a model that is random itself.
        straight_through: whether gradients pass through rounding and clipping inside the model.
        adaptive: whether it takes on what a defence around the model asks for; see :meth:`adapted`.
        target: what the outputs are steered towards; see :meth:`towards`. None for damage.
        note: one line where the preset could not be had as published; empty otherwise.
        changed: what sets it apart from its preset, as pairs.

    >>> import torch
    >>> from srbench import attacks
    >>> recipe = attacks.preset("ifgsm-choi").with_(steps=3)
    >>> recipe.name, recipe.needs_gradient, recipe.passes()
    ('ifgsm-choi(steps=3)', True, AttackPasses(forwards=0, gradients=3))
    >>> attack = recipe.build(torch.nn.Upsample(scale_factor=4))
    >>> attack.threat.eps * 255, attack.objective
    (8.0, <objective mse>)
    """

    hash: str = field(init=False, default="")
    preset: str
    kind: str
    eps: float
    rounded: bool = False
    objective: str = ""
    options: Options = ()
    parts: tuple[AttackRecipe, ...] = ()
    measures: tuple[str, ...] = ()
    seed: str | int = 0
    precision: str = "fp32"
    norm: Norm = "linf"
    samples: int = 1
    straight_through: bool = False
    adaptive: bool = True
    target: Target | None = None
    note: str = ""
    changed: Options = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", settings_hash(self.settings()))

    @property
    def needs_gradient(self) -> bool:
        """Return whether it asks for gradients of the model; an ensemble does if one of its parts does."""
        if self.parts:
            return any(part.needs_gradient for part in self.parts)
        return attack_class(self.kind).needs_gradient

    @property
    def is_noise(self) -> bool:
        """Return whether it is random noise, which attacks are read against."""
        return attack_class(self.kind).is_noise

    @property
    def fitted(self) -> bool:
        """Return whether it has to see images of a set before it attacks one."""
        return attack_class(self.kind).fitted

    def settings(self) -> dict[str, Any]:
        """Return every setting, as JSON types: what :attr:`hash` is taken over."""
        # Settings that came later are left out at their defaults, so that older records keep their hashes.
        later: dict[str, tuple[Any, Any]] = {
            "norm": (self.norm, "linf"),
            "samples": (self.samples, 1),
            "straight_through": (self.straight_through, False),
            "adaptive": (self.adaptive, True),
            "target": (self.target.sha256 if self.target else None, None),
            "edition": (attack_class(self.kind).edition, 1),
        }
        return {key: value for key, (value, default) in later.items() if value != default} | {
            "version": 1,
            "kind": self.kind,
            "eps": self.eps,
            "rounded": self.rounded,
            "objective": self.objective,
            "options": dict(self.options),
            "parts": [part.settings() for part in self.parts],
            "measures": list(self.measures),
            "seed": self.seed,
            "precision": self.precision,
        }

    def with_(self, **changes: Any) -> AttackRecipe:
        """Return the same attack with other settings; its name says which.

        Args:
            **changes: ``eps``, ``rounded``, ``seed``, ``precision``, ``samples``, ``straight_through``,
                ``adaptive``, ``objective``, or an option of the attack such as ``steps``. An ensemble hands
                the first seven to its parts and has no others. A whole number may be written as 2.0.

        Raises:
            BadInput: no such setting, or one that is of another kind or out of range.

        >>> from srbench import attacks
        >>> attacks.preset("random").with_(eps=4 / 255, structure=2.0).name
        'random@4(structure=2.0)'
        """
        options = dict(self.options)
        common = ["eps", "rounded", "seed", "precision", "samples", "straight_through", "adaptive"]
        known = [*common, *(["objective"] if self.objective else []), *options]
        for key in changes:
            if key not in known:
                raise BadInput(f"attack {self.preset} has no setting '{key}': it has {', '.join(known)}")
        changes = {key: _as_kept(key, value, options.get(key)) for key, value in changes.items()}
        changed = self._changed(changes)
        return replace(
            self,
            **{key: value for key, value in changes.items() if key not in options},
            name=_label(self.preset, changed),
            options=tuple((key, changes.get(key, value)) for key, value in options.items()),
            parts=tuple(part.with_(**changes) for part in self.parts),
            note="" if "objective" in changes else self.note,
            changed=tuple(changed.items()),
        )

    def adapted(self, samples: int = 1, straight_through: bool = False) -> AttackRecipe:
        """Return the attack as it has to be against a defence: with as many samples, and surrogate gradients.

        What it has already stays. Without gradients, or where it is not ``adaptive``, it is itself.

        >>> from srbench import attacks
        >>> attacks.preset("ifgsm-choi").adapted(samples=8, straight_through=True).name
        'ifgsm-choi(samples=8,straight_through=True)'
        """
        more: dict[str, Any] = {"samples": samples} if samples > self.samples else {}
        more |= {"straight_through": True} if straight_through and not self.straight_through else {}
        return self.with_(**more) if more and self.adaptive and self.needs_gradient else self

    def towards(self, path: Path) -> AttackRecipe:
        """Return the attack that steers the output towards an image, in place of away from HR.

        Args:
            path: an image file, or a folder of images by the ids of the data set.

        Raises:
            BadInput: no such file or folder, or an attack that is one by comparing damage, as noise and
                ensembles are.
        """
        if self.is_noise or self.parts:
            raise BadInput(f"attack {self.preset} goes towards no target: it is chosen by the damage it does")
        target = Target(path)
        changed = self._changed({"target": path.name})
        name = _label(self.preset, changed)
        return replace(self, name=name, target=target, changed=tuple(changed.items()))

    def in_norm(self, norm: str) -> AttackRecipe:
        """Return the attack in another norm, as its class translates it; see :meth:`SRAttack.l2_form`.

        Raises:
            BadInput: an unknown norm, or a preset that has no counterpart in it.

        >>> from srbench import attacks
        >>> attacks.preset("rsr").in_norm("l2").kind
        'PGDL2'
        """
        if norm == self.norm:
            return self
        if norm not in ("linf", "l2"):
            raise BadInput(f"'{norm}' is not a norm: choose linf or l2")
        if norm == "linf":
            raise BadInput(f"attack {self.preset} is bounded in l2 only: say --norm l2, or name another")
        form = _l2_form(self.kind, self.options)
        if form is None:
            able = [name for name, entry in presets().items() if _l2_form(entry.kind, entry.options)]
            raise BadInput(
                f"attack {self.preset} is bounded in {self.norm} only: {', '.join(able)} have an l2 form"
            )
        kind, options = form
        changed = self._changed({"norm": norm})
        return replace(
            self,
            name=_label(self.preset, changed),
            kind=kind,
            norm="l2",
            options=tuple(options.items()),
            changed=tuple(changed.items()),
        )

    def build(self, model: Callable[[Tensor], Tensor]) -> SRAttack:
        """Make the attack on a model, (N,3,H,W) in [0,1] to (N,3,4H,4W), adapted to a defence around it.

        Raises:
            BadInput: a setting out of range.
            Unavailable: the objective's weights are not installed.
        """
        from srbench.attacks.objectives_from_text import parse_objective

        # Parts share an objective of one text, and with it the features of HR.
        return self.adapted(**getattr(model, "adaptive", {}))._build(model, functools.cache(parse_objective))

    def passes(self) -> AttackPasses:
        """Return the passes one image takes, see :meth:`SRAttack.passes`; no weights are loaded."""
        from srbench.attacks.objectives import L1

        return self._build(lambda lr: lr, lambda text: L1()).passes()

    def _build(self, model: Callable[[Tensor], Tensor], objective: Callable[[str], Objective]) -> SRAttack:
        known = attack_class(self.kind)
        settings: dict[str, Any] = {
            "precision": self.precision,
            "samples": self.samples,
            **dict(self.options),
        } | ({"straight_through": True} if self.straight_through else {})
        if self.parts:
            settings["attacks"] = [part._build(model, objective) for part in self.parts]
            settings["measures"] = [objective(text) for text in self.measures]
        else:
            settings |= {"eps": self.eps, "rounded": self.rounded, "seed": self.seed}
            if len(known.norms) > 1:
                settings["norm"] = self.norm
        if self.target:
            settings["targeted"] = True
        if self.objective:
            settings["objective"] = objective(self.objective)
        return known.load()(model, **settings)

    def _changed(self, changes: dict[str, Any]) -> dict[str, Any]:
        changed = {**dict(self.changed), **changes}
        if changed.get("eps") == presets()[self.preset].eps:
            del changed["eps"]
        return changed


def _as_kept(key: str, value: Any, usual: Any) -> Any:
    """Return a setting as hashes are taken over it, one text for one value; refuse what JSON cannot hold.

    Args:
        usual: the option's value in the preset; None for settings that all attacks have.
    """
    if key == "objective":
        if not isinstance(value, str):
            raise BadInput(
                f"objective is {value!r}: a preset takes text such as 0.01*l1+mse; a class takes both"
            )
        return canonical(value)
    if key in ("rounded", "straight_through", "adaptive"):
        return flag(key, value)
    if key == "samples" or (isinstance(usual, int) and not isinstance(usual, bool)):
        # How small it may be is the class's affair.
        return int(value) if is_whole(value) else whole(key, value)
    if key == "alpha" and value is not None:
        return step_length(value, 0)
    if key == "start":
        one_of(key, value, ("auto", "zero", "random"))
    elif key == "eps" or isinstance(usual, float):
        at_least(key, value, 0)
        return float(value) if isinstance(usual, float) or key == "eps" else value
    if not isinstance(value, str | int | float | bool | None):
        raise BadInput(f"{key} is {value!r}: it has to be a number or text")
    return value


def _l2_form(kind: str, options: Options) -> tuple[str, dict[str, Any]] | None:
    return attack_class(kind).load().l2_form(dict(options))


def _label(name: str, changed: dict[str, Any]) -> str:
    rest = {key: value for key, value in changed.items() if key != "eps"}
    shown = [f"{k}={eps_text(v) if k == 'alpha' and v is not None else v}" for k, v in rest.items()]
    at = f"@{eps_text(changed['eps']).removesuffix('/255')}" if "eps" in changed else ""
    return f"{name}{at}" + (f"({','.join(shown)})" if shown else "")
