"""Check attacks on one image directly: what a record does not say, and what takes passes of its own.

A check is worth at most about what the attack took that it is about. Each says what it takes, in forward
passes over the image, before any runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from srbench.attacks.base import SRAttack
    from srbench.attacks.passes import AttackPasses
    from srbench.attacks.recipe import AttackRecipe
    from srbench.attacks.verdicts import Verdict
    from srbench.robustness.attack import AttackRun
    from srbench.zoo import SRModel

QUERIES = 40
"""The black-box search that an attack with gradients is held against has so many queries."""
CORNER = 32
"""Whether the model is deterministic is seen on a corner of so many LR pixels a side."""
MEASURED = 3
"""Beside its attack an image takes so many passes: SR as it is, attacked, and of the attacked file."""


@dataclass(frozen=True)
class Check:
    """One check, or one part of it.

    Attributes:
        name: what is said of it where it is left out.
        passes: what it takes, in forward passes; a gradient is two.
    """

    name: str
    passes: float
    run: Callable[[], list[Verdict]]


def check_directly(
    attack: AttackRun, thorough: bool, progress: Callable[[float, float], None]
) -> tuple[list[Verdict], list[str]]:
    """Check the model and every attack on the first image.

    Args:
        attack, thorough, progress: see :func:`srbench.robustness.strength.check_strength`.

    Returns:
        What was found, and the names of the checks that were left out for what they take.
    """
    image = _Image(attack)
    chosen, skipped = [image.determinism()], list[str]()
    for name in attack.names:
        recipe = attack.strongest[name]
        if recipe.fitted:
            skipped.append(f"{name}: all of one image, as it is found on a set")
            continue
        left = len(attack.images) * image.tiles * (_cost(recipe.passes()) + MEASURED)
        for check in _Attacked(image, name, recipe).checks():
            if thorough or check.passes <= left:
                left -= check.passes
                chosen.append(check)
            else:
                skipped.append(f"{name}: {check.name}")
    return image.run(chosen, progress), skipped


def _cost(passes: AttackPasses) -> float:
    return passes.forwards + 2 * passes.gradients


class _Image:
    """The first image, or the part of it that a tile is, with the model on it."""

    def __init__(self, attack: AttackRun) -> None:
        from srbench.run.image import as_tensor

        cell, device = attack.run.plan[0], attack.run.local.device
        self.model: SRModel = cell.model.load(device)
        self.id = attack.images[0]
        loaded = cell.dataset.load(self.id)
        lr = as_tensor(loaded.lr).to(device)
        self._scale = cell.scale
        self._hr = None if loaded.hr is None else as_tensor(loaded.hr).to(device)
        self._made = {} if cell.tile is not None else attack.made
        self.lr, self.hr = lr, self._hr
        if cell.tile is not None:
            self.lr, self.hr = self._part(lr, cell.tile)
        self.tiles = lr.numel() / self.lr.numel()

    def _part(self, lr: Tensor, side: int) -> tuple[Tensor, Tensor | None]:
        large = side * self._scale
        return lr[..., :side, :side], None if self._hr is None else self._hr[..., :large, :large]

    def made(self, recipe: AttackRecipe) -> Tensor | None:
        """The attacked LR, where the run has just made it."""
        image, lr = self._made.get(recipe.hash, ("", self.lr))
        return lr.to(self.lr.device) if image == self.id else None

    def determinism(self) -> Check:
        import torch

        from srbench.attacks import verdicts as check

        lr, _ = self._part(self.lr, CORNER)

        def run() -> list[Verdict]:
            with torch.no_grad():
                return [check.deterministic(self.model(lr), self.model(lr))]

        return Check("deterministic model", 2 * lr.numel() / self.lr.numel(), run)

    def run(self, checks: list[Check], progress: Callable[[float, float], None]) -> list[Verdict]:
        """Run the checks, and say at every pass how far they are."""
        total, done = sum(check.passes for check in checks), 0.0

        def count(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal done
            share = inputs[0].numel() / self.lr.numel()
            done = min(done + share * (2 if inputs[0].requires_grad else 1), total)
            progress(done, total)

        found: dict[str, Verdict] = {}
        with self.model.register_forward_pre_hook(count):
            for check in checks:
                # Of one name the later knows more.
                found |= {verdict.name: verdict for verdict in check.run()}
        progress(total, total)
        return list(found.values())


class _Attacked:
    """One attack on the image; what several checks need is made once."""

    def __init__(self, image: _Image, name: str, recipe: AttackRecipe) -> None:
        self._image, self._name, self._recipe = image, name, recipe
        self._attack: SRAttack | None = None
        self._adversarial: Tensor | None = image.made(recipe)
        self._by_steps: dict[float, float] = {}
        self._own: float | None = None

    def checks(self) -> list[Check]:
        """The checks of this attack, those that tell most first."""
        own = _cost(self._recipe.passes())
        again = own if self._adversarial is None else 0
        checks = [Check("share at bound", again, self._share)]
        if self._recipe.needs_gradient:
            checks.append(Check("usable gradient", 2 * self._recipe.samples, self._gradient))
        checks.append(Check("eps 0 is clean", 0, self._zero))  # nothing is asked of the network
        options = dict(self._recipe.options)
        steps = options.get("steps")
        if isinstance(steps, int) and steps > 1:
            checks.append(self._fewer_steps(steps))
        if self._recipe.needs_gradient and self._recipe.norm == "linf":
            passes = self._recipe.samples * (QUERIES + 2) + 1
            checks.append(Check(f"{QUERIES} black-box queries", passes, self._black_box))
        if isinstance(steps, int):
            checks.append(self._more_steps(steps))
        return checks

    @property
    def attack(self) -> SRAttack:
        if self._attack is None:
            self._attack = self._recipe.build(self._image.model)
        return self._attack

    @property
    def adversarial(self) -> Tensor:
        if self._adversarial is None:
            self._adversarial = self._made_by(self._recipe)
        return self._adversarial

    @property
    def reached(self) -> float:
        """The objective under the attack."""
        if self._own is None:
            self._own = self._objective(self.adversarial)
        return self._own

    def _made_by(self, recipe: AttackRecipe) -> Tensor:
        # What it lacked is judged by itself: a warning would say it twice.
        image = self._image
        return recipe.build(image.model).examined(image.lr, image.hr, ids=[image.id])[0]

    def _objective(self, lr: Tensor) -> float:
        return float(self.attack.loss(self._image.lr, lr, self._image.hr).mean())

    def _of(self, verdict: Verdict, more: str = "") -> list[Verdict]:
        return [replace(verdict, name=f"{self._name}: {verdict.name}{more}")]

    def _share(self) -> list[Verdict]:
        from srbench.attacks import verdicts as check

        return self._of(check.share_at_bound(self._image.lr, self.adversarial, self.attack.threat))

    def _gradient(self) -> list[Verdict]:
        from srbench.attacks import verdicts as check

        gradient = self.attack.gradient(self._image.lr, self.adversarial, self._image.hr)
        return self._of(check.usable_gradient(gradient))

    def _zero(self) -> list[Verdict]:
        from srbench.attacks import verdicts as check

        lr = self._image.lr
        return self._of(check.zero_is_clean(lr, self._made_by(self._recipe.with_(eps=0.0))))

    def _fewer_steps(self, steps: int) -> Check:
        one = self._recipe.with_(steps=1)
        return Check("one step", _cost(one.passes()) + 2, lambda: self._steps(steps, 1))

    def _more_steps(self, steps: int) -> Check:
        twice = self._recipe.with_(steps=2 * steps)
        return Check("twice the steps", _cost(twice.passes()) + 2, lambda: self._steps(steps, 2 * steps))

    def _steps(self, steps: int, other: int) -> list[Verdict]:
        """Compare the objective after other steps; each speaks of all that are known by then."""
        from srbench.attacks import verdicts as check

        self._by_steps[steps] = self.reached
        self._by_steps[other] = self._objective(self._made_by(self._recipe.with_(steps=other)))
        return self._of(check.monotone("steps", self._by_steps))

    def _black_box(self) -> list[Verdict]:
        from srbench.attacks import SquareSearch
        from srbench.attacks import verdicts as check

        image, recipe = self._image, self._recipe
        blind = SquareSearch(
            image.model, eps=recipe.eps, objective=self.attack.objective, queries=QUERIES, seed=recipe.seed
        )
        searched = self._objective(blind(image.lr, image.hr, ids=[image.id]))
        verdict = check.white_box_wins([self.reached], [searched])
        return self._of(verdict, f" over {QUERIES} black-box queries")
