"""Named attacks with every setting fixed, each identified by a hash. Nothing heavy loads before ``build``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from srbench.attacks.objectives_text import canonical, parse_terms
from srbench.attacks.spec import AttackSpec, settings_hash
from srbench.attacks.threat import eps_text, parse_eps
from srbench.errors import BadInput, unknown

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.attacks.base import SRAttack
    from srbench.attacks.objectives import Objective

Options = tuple[tuple[str, Any], ...]
Choose = Callable[[list[str]], tuple[str, str]]
"""From objectives, the best first, to the one that is used and a note; see :func:`first_available`."""


@dataclass(frozen=True, kw_only=True)
class Recipe(AttackSpec):
    """An attack with every setting that can move a number.

    Attributes:
        name: the preset's name, with what was changed: ``rsr``, ``rsr@8``, ``rsr(steps=10)``.
        hash: sha256 over the canonical JSON of the settings; names and notes are no part of it.
        kind: class name in ``srbench.attacks``.
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
        note: one line where the preset could not be had as published; empty otherwise.
    """

    hash: str = field(init=False, default="")
    preset: str
    kind: str
    eps: float
    rounded: bool = False
    objective: str = ""
    options: Options = ()
    parts: tuple[Recipe, ...] = ()
    measures: tuple[str, ...] = ()
    seed: str | int = 0
    precision: str = "fp32"
    norm: str = "linf"
    samples: int = 1
    note: str = ""
    changed: Options = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", settings_hash(self.settings()))

    def settings(self) -> dict[str, Any]:
        """Every setting, as JSON types: what :attr:`hash` is taken over."""
        # Settings that came later are left out at their defaults, so that older records keep their hashes.
        later = {"norm": (self.norm, "linf"), "samples": (self.samples, 1)}
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

    def with_(self, **changes: Any) -> Recipe:
        """The same attack with other settings; its name says which.

        Args:
            **changes: ``eps``, ``rounded``, ``seed``, ``precision``, ``samples``, ``objective``, or an
                option of the attack such as ``steps``. An ensemble hands the first five to its parts and
                has no others.

        Raises:
            BadInput: no such setting.
        """
        options = dict(self.options)
        common = ["eps", "rounded", "seed", "precision", "samples"]
        known = [*common, *(["objective"] if self.objective else []), *options]
        for key in changes:
            if key not in known:
                raise BadInput(f"attack {self.preset} has no setting '{key}': it has {', '.join(known)}")
        if "objective" in changes:
            changes["objective"] = canonical(changes["objective"])
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

    def _changed(self, changes: dict[str, Any]) -> dict[str, Any]:
        changed = {**dict(self.changed), **changes}
        if changed.get("eps") == EPS[self.preset]:
            del changed["eps"]
        return changed

    def in_norm(self, norm: str) -> Recipe:
        """The attack in another norm: structured PGD becomes PGD in l2 from the same noise, same step.

        Raises:
            BadInput: an unknown norm, or a preset that has no counterpart in it.
        """
        if norm not in ("linf", "l2"):
            raise BadInput(f"'{norm}' is not a norm: choose linf or l2")
        if norm == self.norm:
            return self
        if self.kind not in ("StructuredPGD", "RandomNoise") or norm != "l2":
            raise BadInput(
                f"attack {self.preset} is bounded in {self.norm} only: random and rsr have an l2 form"
            )
        changed = self._changed({"norm": norm})
        kept = dict(self.options)
        options: Options = self.options
        if self.kind == "StructuredPGD":
            # A step of 1/255 in every value is one of 1/255 in root mean square; the start keeps its noise.
            shared = {name: kept[name] for name in ("alpha", "steps", "structure", "restarts")}
            options = (*shared.items(), ("start", "random"))
        return replace(
            self,
            name=_label(self.preset, changed),
            kind={"StructuredPGD": "PGDL2"}.get(self.kind, self.kind),
            norm=norm,
            options=options,
            changed=tuple(changed.items()),
        )

    def build(self, model: Callable[[Tensor], Tensor]) -> SRAttack:
        """The attack on a model.

        Raises:
            BadInput: a setting out of range.
            Unavailable: the objective's weights are not installed.
        """
        return self._build(model, {})

    def _build(self, model: Callable[[Tensor], Tensor], loaded: dict[str, Objective]) -> SRAttack:
        import srbench.attacks
        from srbench.attacks.objectives import parse_objective

        def objective(text: str) -> Objective:
            return loaded.setdefault(text, loaded.get(text) or parse_objective(text))

        settings: dict[str, Any] = {
            "precision": self.precision,
            "samples": self.samples,
            **dict(self.options),
        }
        if self.parts:
            settings["attacks"] = [part._build(model, loaded) for part in self.parts]
            settings["measures"] = [objective(text) for text in self.measures]
        else:
            settings |= {"eps": self.eps, "rounded": self.rounded, "seed": self.seed}
            if self.norm != "linf" and self.kind != "PGDL2":
                settings["norm"] = self.norm
        if self.objective:
            settings["objective"] = objective(self.objective)
        made: SRAttack = getattr(srbench.attacks, self.kind)(model, **settings)
        return made


def preset(text: str) -> Recipe:
    """A preset by name, at its own radius or another: ``rsr``, ``rsr@8``, ``rsr@8/255``.

    A preset whose perceptual term needs weights that are not installed, and cannot be fetched now, uses
    the first of its other objectives that can be had; ``objective``, ``hash`` and ``note`` say so.

    Raises:
        BadInput: no such preset, or a radius that is none.
    """
    name, at, radius = text.partition("@")
    if name not in PRESETS:
        from srbench.attacks.corruptions import CORRUPTIONS

        known = ["none", *PRESETS, *CORRUPTIONS, "corruptions"]
        raise unknown("attack", name, known, "srbench evaluate --help")
    recipe = PRESETS[name](first_available)
    return recipe.with_(eps=parse_eps(radius)) if at else recipe


def _random(_choose: Choose) -> Recipe:
    """Structured noise, no steps: the row every attack is read against."""
    options = (("structure", 1.5), ("restarts", 1))
    return Recipe("random", preset="random", kind="RandomNoise", eps=EPS["random"], options=options)


def _rsr(name: str, weight: str, choose: Choose) -> Recipe:
    objective, note = choose(
        [f"{weight}l1+vgg19", f"{weight}l1+lpips-alex", f"{weight}l1+lpips-squeeze", f"{weight}l1+lpips-lite"]
    )
    return Recipe(
        name,
        preset=name,
        kind="StructuredPGD",
        eps=EPS[name],
        objective=objective,
        options=(("alpha", 1 / 255), ("steps", 2), ("structure", 1.5), ("restarts", 1), ("momentum", 0.0)),
        note=note,
    )


def _ifgsm_choi(_choose: Choose) -> Recipe:
    """Choi et al. 2019: 50 steps of eps/50 from zero, squared error against HR."""
    return Recipe(
        "ifgsm-choi",
        preset="ifgsm-choi",
        kind="IFGSM",
        eps=EPS["ifgsm-choi"],
        objective="mse",
        options=(("alpha", None), ("steps", 50), ("start", "auto")),
    )


def _strong(choose: Choose) -> Recipe:
    """Random noise, ``rsr``, adaptive PGD on several objectives and structures, and a black-box search.

    Chosen by squared error and LPIPS together, so that it damages each image at least as much as ``rsr``
    in both; see :class:`~srbench.attacks.ensemble.Ensemble`. Without LPIPS weights lpips-lite stands in.
    """
    perceptual, note = choose(["lpips-alex", "lpips-squeeze", "lpips-lite"])
    # Of a natural image's damage 0.01 is squared error and 0.4 LPIPS: the first weight follows LPIPS, the
    # second squared error, both without losing the other.
    both, pixels = (f"{weight}*mse+{perceptual}" for weight in (10, 100))
    rsr = _rsr("rsr", "0.01*", choose)

    def part(kind: str, objective: str, **options: Any) -> Recipe:
        return Recipe(
            kind.lower(),
            preset="strong",
            kind=kind,
            eps=EPS["strong"],
            objective=objective,
            options=tuple(options.items()),
        )

    adaptive = {"start": "random", "restarts": 1}
    return Recipe(
        "strong",
        preset="strong",
        kind="Ensemble",
        eps=EPS["strong"],
        options=(("references", 2),),
        parts=(
            rsr,
            _random(choose),
            part("APGD", both, steps=20, structure=1.5, **adaptive),
            part("APGD", pixels, steps=10, structure=1.0, **adaptive),
            part("SquareSearch", both, queries=20, share=0.8),
        ),
        measures=("mse", perceptual),
        note="; ".join(filter(None, [rsr.note, note])),
    )


EPS = {
    "random": 14 / 255,
    "rsr": 14 / 255,
    "rsr-paper": 14 / 255,
    "ifgsm-choi": 8 / 255,
    "strong": 14 / 255,
}
PRESETS: dict[str, Callable[[Choose], Recipe]] = {
    "random": _random,
    "rsr": lambda choose: _rsr("rsr", "0.01*", choose),
    "rsr-paper": lambda choose: _rsr("rsr-paper", "", choose),
    "ifgsm-choi": _ifgsm_choi,
    "strong": _strong,
}


def first_available(wanted: list[str]) -> tuple[str, str]:
    """The first objective whose weights are here or can be fetched, and a note where it is not the first.

    Args:
        wanted: objectives; the last needs nothing that can be missing.
    """
    from srbench.attacks.perceptual import locate
    from srbench.install.fetch import Unavailable

    missing: dict[str, str] = {}
    for text in wanted:
        terms = [term for _, term in parse_terms(text)]
        for term in terms:
            if term not in (*missing, "l1", "mse"):
                try:
                    locate(term)
                except Unavailable as error:
                    missing[term] = str(error)
        if missing.keys().isdisjoint(terms):
            break
    if text == wanted[0]:
        return canonical(text), ""
    lacking = next(iter(missing))
    used = f"objective {canonical(text)} in place of {canonical(wanted[0])}"
    return canonical(text), f"{lacking} is not installed, {used}: {missing[lacking]}"


def _label(name: str, changed: dict[str, Any]) -> str:
    rest = {key: value for key, value in changed.items() if key != "eps"}
    shown = [f"{k}={eps_text(v) if k == 'alpha' and v is not None else v}" for k, v in rest.items()]
    at = f"@{eps_text(changed['eps']).removesuffix('/255')}" if "eps" in changed else ""
    return f"{name}{at}" + (f"({','.join(shown)})" if shown else "")
