"""Whether an attack was strong: checks on the records of all images, and on the first image directly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING

from srbench.metrics import metric
from srbench.robustness.attack import RANDOM, records
from srbench.robustness.curves import values
from srbench.robustness.direct import check_directly

if TYPE_CHECKING:
    from srbench.attacks.verdicts import Verdict
    from srbench.robustness.attack import AttackRun
    from srbench.store.record import Record

DAMAGE = ("psnr", "lpips", "lpips-lite", "ssim")


@dataclass(frozen=True)
class Strength:
    """What the checks of an attack found.

    Attributes:
        skipped: checks that were left out, as they would have taken more than the attack itself.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def check_strength(
    attack: AttackRun,
    *,
    thorough: bool = False,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> Strength:
    """Check every attack, and the model.

    Args:
        thorough: run every check; else, in the order of what they tell, those that together take no more
            passes through the network than the attack took.
        progress: called with the passes that are done and those there will be.
    """
    from srbench.attacks.verdicts import Verdict

    rows_by_hash = records(attack)
    verdicts: list[Verdict] = []
    for name in attack.names:
        verdicts += [replace(v, name=f"{name}: {v.name}") for v in _by_records(attack, rows_by_hash, name)]
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
    direct, skipped = check_directly(attack, thorough, progress)
    return Strength(verdicts + direct, skipped)


def _by_records(attack: AttackRun, rows_by_hash: dict[str, list[Record]], name: str) -> list[Verdict]:
    from srbench.attacks import verdicts as check

    verdicts = []
    strongest = attack.strongest
    needed = [recipes[each].hash for recipes in attack.recipes.values() for each in (name, RANDOM)]
    if not rows_by_hash.keys() >= {"", *needed}:
        return []  # some could not be measured, which the run has said
    measured = [m for m in DAMAGE if all(values(rows, m) for rows in rows_by_hash.values())]
    if "lpips" in measured:
        measured = [m for m in measured if m != "lpips-lite"]
    for measure in measured:
        lower = metric(measure).higher_is_better

        def found(rows: Sequence[Record], measure: str = measure) -> list[float]:
            return values(rows, measure)

        attacked = found(rows_by_hash[strongest[name].hash])
        noisy = found(rows_by_hash[strongest[RANDOM].hash])
        verdict = check.beats_random(attacked, noisy, lower_is_worse=lower)
        verdicts.append(replace(verdict, name=f"{verdict.name} ({measure})"))
        by_eps = {0.0: fmean(found(rows_by_hash[""]))} | {
            eps * 255: fmean(found(rows_by_hash[recipes[name].hash]))
            for eps, recipes in attack.recipes.items()
        }
        if len(by_eps) > 2:
            verdict = check.monotone("eps", by_eps, lower_is_worse=lower)
            verdicts.append(replace(verdict, name=f"{verdict.name} ({measure})"))
        for spec in attack.transfers:
            if spec.recipe.hash == strongest[name].hash and spec.hash in rows_by_hash:
                foreign = found(rows_by_hash[spec.hash])
                verdict = check.white_box_wins(attacked, foreign, lower_is_worse=lower)
                against = f"{verdict.name} over {spec.source.name} ({measure})"
                verdicts.append(replace(verdict, name=against))
    return verdicts
