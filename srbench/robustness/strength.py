"""Whether an attack was strong: checks on the records of all images, and on the first image directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from srbench.robustness.attack import RANDOM, records
from srbench.robustness.curves import values

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.attacks.base import SRAttack
    from srbench.attacks.recipe import AttackRecipe
    from srbench.attacks.verdicts import Verdict
    from srbench.robustness.attack import AttackRun
    from srbench.store.record import Record
    from srbench.zoo import SRModel

DAMAGE = ("psnr", "lpips", "ssim")
QUERIES = 40


def check_strength(attack: AttackRun) -> list[Verdict]:
    """Run every check of every attack, and of the model."""
    from srbench.attacks.verdicts import Verdict

    rows_by_hash = records(attack)
    verdicts: list[Verdict] = []
    for name in attack.names:
        verdicts += [_of(name, verdict) for verdict in _by_records(attack, rows_by_hash, name)]
    flags = {name: why for rows in rows_by_hash.values() for row in rows for name, why in row.flags.items()}
    left = sorted(name for name in flags if name.startswith("inside"))
    if left:
        verdicts.append(Verdict("inside the ball", False, ", ".join(left)))
    for name in sorted(flags.keys() - set(left)):
        images = {row.image for rows in rows_by_hash.values() for row in rows if name in row.flags}
        verdicts.append(Verdict(f"{name} in records", False, f"{len(images)} images; {flags[name]}"))
    if not left:
        count = sum(len(rows) for rows in rows_by_hash.values())
        verdicts.append(Verdict("inside the ball", True, f"{count} images, as float and as 8-bit file"))
    return verdicts + _direct(attack)


def _of(attack: str, verdict: Verdict) -> Verdict:
    return replace(verdict, name=f"{attack}: {verdict.name}")


def _by_records(attack: AttackRun, rows_by_hash: dict[str, list[Record]], name: str) -> list[Verdict]:
    from srbench.attacks import verdicts as check

    verdicts = []
    strongest = attack.strongest
    needed = [recipes[each].hash for recipes in attack.recipes.values() for each in (name, RANDOM)]
    if not rows_by_hash.keys() >= {"", *needed}:
        return []  # some could not be measured, which the run has said
    for metric in [m for m in DAMAGE if all(values(rows, m) for rows in rows_by_hash.values())]:
        sign = 1.0 if metric == "lpips" else -1.0

        def damage(rows: Sequence[Record], metric: str = metric, sign: float = sign) -> list[float]:
            return [sign * value for value in values(rows, metric)]

        attacked = damage(rows_by_hash[strongest[name].hash])
        verdict = check.beats_random(attacked, damage(rows_by_hash[strongest[RANDOM].hash]))
        verdicts.append(replace(verdict, name=f"{verdict.name} ({metric})"))
        by_eps = {0.0: fmean(damage(rows_by_hash[""]))} | {
            eps * 255: fmean(damage(rows_by_hash[recipes[name].hash]))
            for eps, recipes in attack.recipes.items()
        }
        if len(by_eps) > 2:
            verdict = check.monotone("eps", by_eps)
            verdicts.append(replace(verdict, name=f"{verdict.name} ({metric})"))
        for spec in attack.transfers:
            if spec.recipe.hash == strongest[name].hash and spec.hash in rows_by_hash:
                verdict = check.white_box_wins(attacked, damage(rows_by_hash[spec.hash]))
                against = f"{verdict.name} over {spec.source.name} ({metric})"
                verdicts.append(replace(verdict, name=against))
    return verdicts


def _direct(attack: AttackRun) -> list[Verdict]:
    import torch

    from srbench.attacks import verdicts as check
    from srbench.run.image import as_tensor

    cell, device = attack.run.plan[0], attack.run.local.device
    model = cell.model.load(device)
    image = attack.images[0]
    loaded = cell.dataset.load(image)
    lr = as_tensor(loaded.lr).to(device)
    hr = None if loaded.hr is None else as_tensor(loaded.hr).to(device)
    with torch.no_grad():
        verdicts = [check.deterministic(model(lr), model(lr))]
    for name in attack.names:
        verdicts += [_of(name, v) for v in _of_one_image(attack.strongest[name], model, lr, hr, image)]
    return verdicts


def _of_one_image(
    recipe: AttackRecipe, model: SRModel, lr: Tensor, hr: Tensor | None, image: str
) -> list[Verdict]:
    from srbench.attacks import SquareSearch
    from srbench.attacks import verdicts as check

    attack = recipe.build(model)
    # What it lacked is judged below: a warning would say it twice.
    adversarial, _ = attack.examined(lr, hr, ids=[image])
    verdicts = [check.share_at_bound(lr, adversarial, attack.threat)]
    if recipe.needs_gradient:
        verdicts.append(check.usable_gradient(attack.gradient(lr, adversarial, hr)))
    zero = recipe.with_(eps=0.0).build(model)(lr, hr, ids=[image])
    verdicts.append(check.zero_is_clean(lr, zero))
    reached = _objective(attack, lr, adversarial, hr)
    steps = dict(recipe.options).get("steps")
    if isinstance(steps, int):
        by_steps = {float(steps): reached}
        for other in {1, 2 * steps} - {steps}:
            longer = recipe.with_(steps=other).build(model)
            by_steps[float(other)] = _objective(attack, lr, longer.examined(lr, hr, ids=[image])[0], hr)
        verdicts.append(check.monotone("steps", by_steps))
    if recipe.needs_gradient and recipe.norm == "linf":
        blind = SquareSearch(
            model, eps=recipe.eps, objective=attack.objective, queries=QUERIES, seed=recipe.seed
        )
        searched = _objective(attack, lr, blind(lr, hr, ids=[image]), hr)
        verdict = check.white_box_wins([reached], [searched])
        verdicts.append(replace(verdict, name=f"{verdict.name} over {QUERIES} black-box queries"))
    return verdicts


def _objective(attack: SRAttack, lr: Tensor, adversarial: Tensor, hr: Tensor | None) -> float:
    return float(attack.loss(lr, adversarial, hr).mean())
