"""``srbench attack``: one model, one attack, several radii: records, a robustness table, strength checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from srbench.engine import Engine, Rerun, Settings
from srbench.errors import BadInput
from srbench.evaluate import default_store, pick_device

if TYPE_CHECKING:
    from srbench.attacks.checks import Verdict
    from srbench.attacks.presets import Recipe
    from srbench.engine import Measured, Outcome
    from srbench.measure import Missing
    from srbench.plan import Cell
    from srbench.records import Record

DAMAGE = ("psnr", "lpips", "ssim")


@dataclass(frozen=True)
class Request:
    """What to attack and how; see ``srbench attack --help``."""

    model: str
    dataset: str = "ntire"
    preset: str = "rsr"
    eps: tuple[str, ...] = ("14",)
    changes: tuple[tuple[str, Any], ...] = ()
    limit: int | None = None
    device: str = "auto"
    workers: int = 0
    store: Path | None = None
    again: bool = False


@dataclass
class Prepared:
    """A checked request; nothing was attacked yet."""

    plan: list[Cell]
    engine: Engine
    recipes: dict[float, tuple[Recipe, Recipe]]
    notices: list[str]
    missing_metrics: list[Missing]
    store: Path


@dataclass(frozen=True)
class Point:
    """Means over the images at one radius: clean, random noise and attack, in that order.

    Attributes:
        eps: radius in levels of 255.
        metrics: by metric, the three means.
        lr_psnr, sr_psnr: dB; clean against perturbed LR, and SR of the one against SR of the other.
        gain: SR damage per LR damage, sqrt(MSE of SR / MSE of LR).
    """

    eps: float
    metrics: dict[str, tuple[float, float, float]]
    lr_psnr: tuple[float, float]
    sr_psnr: tuple[float, float]
    gain: tuple[float, float]


def prepare(request: Request, on_measured: Callable[[Measured], None] | None = None) -> Prepared:
    """Check every input; the plan holds the clean input, and noise and attack at every radius.

    Raises:
        BadInput: an unknown name, a bad radius, a broken file, …
    """
    from srbench import attacks, datasets, protocols, zoo
    from srbench.attacks.presets import preset
    from srbench.attacks.threat import parse_eps
    from srbench.measure import Instruments
    from srbench.plan import make_plan
    from srbench.store import Store

    protocol = protocols.protocol("rsr")
    chosen = preset(request.preset)
    if request.changes:
        chosen = chosen.with_(**dict(request.changes))
    noise = preset("random")
    radii = sorted({parse_eps(text) for text in request.eps})
    if not radii or radii[0] == 0 == radii[-1]:
        raise BadInput("--eps 0 is the clean input: name a radius above 0, such as 14")
    recipes = {eps: (noise.with_(eps=eps), chosen.with_(eps=eps)) for eps in radii if eps > 0}
    models = zoo.resolve([request.model])
    sets, notices = datasets.resolve([request.dataset])
    if len(models) != 1 or len(sets) != 1:
        raise BadInput("srbench attack takes one model and one data set; srbench evaluate takes many")
    specs = [attacks.NONE]
    for pair in recipes.values():
        specs += [spec for spec in pair if spec not in specs]
    plan = make_plan(models, sets, specs, protocol, limit=request.limit)
    device = pick_device(request.device)
    instruments = Instruments(protocol, None, device)
    store = Store(request.store or default_store())
    rerun: Rerun = "always" if request.again else "only-missing"
    settings = Settings(device=device, rerun=rerun, workers=request.workers)
    engine = Engine(store, instruments, settings, on_measured=on_measured)
    notices += [chosen.note] if chosen.note else []
    return Prepared(plan, engine, recipes, notices, instruments.missing, store.root)


def run(prepared: Prepared) -> Outcome:
    """Attack and measure what the store lacks."""
    return prepared.engine.run(prepared.plan)


def records(prepared: Prepared) -> dict[str, list[Record]]:
    """Stored records of the plan by hash of the attack, in image order."""
    from srbench.store import Store

    store = Store(prepared.store)
    found = {}
    for cell in prepared.plan:
        by_image = {record.image: record for record in store.read(cell.path)}
        found[cell.attack.hash] = [by_image[image] for image in cell.images if image in by_image]
    return found


def points(prepared: Prepared, found: dict[str, list[Record]]) -> list[Point]:
    """The robustness curve: one point per radius whose cells are complete."""
    curve = []
    total = len(prepared.plan[0].images)
    for eps, (noise, attack) in prepared.recipes.items():
        rows = [found[""], found[noise.hash], found[attack.hash]]
        if any(len(row) < total for row in rows):
            continue
        names = [m for m in rows[0][0].metrics if all(_values(row, m) for row in rows)]
        effects = [(_effect(row, "lr_psnr"), _effect(row, "sr_psnr")) for row in rows[1:]]
        curve.append(
            Point(
                eps=eps * 255,
                metrics={m: tuple(fmean(_values(row, m)) for row in rows) for m in names},  # type: ignore[misc]
                lr_psnr=(effects[0][0], effects[1][0]),
                sr_psnr=(effects[0][1], effects[1][1]),
                gain=(_gain(*effects[0]), _gain(*effects[1])),
            )
        )
    return curve


def area_under_curve(curve: Sequence[Point], metric: str) -> float | None:
    """Mean of an attacked metric over the radii from 0 to the largest, by the trapezoidal rule."""
    if not curve or metric not in curve[0].metrics:
        return None
    xs = [0.0] + [point.eps for point in curve]
    ys = [curve[0].metrics[metric][0]] + [point.metrics[metric][2] for point in curve]
    area = sum((b - a) * (p + q) / 2 for a, b, p, q in zip(xs, xs[1:], ys, ys[1:], strict=False))
    return area / xs[-1]


def checks(prepared: Prepared, found: dict[str, list[Record]]) -> list[Verdict]:
    """Attack-strength checks: on the records of all images, and on the first image directly."""
    from srbench.attacks import checks as check

    cell = prepared.plan[0]
    largest = max(prepared.recipes)
    noise, recipe = prepared.recipes[largest]
    verdicts = []
    for name in [m for m in DAMAGE if all(_values(row, m) for row in found.values())]:
        sign = 1.0 if name == "lpips" else -1.0
        attacked, random = ([sign * v for v in _values(found[spec.hash], name)] for spec in (recipe, noise))
        verdict = check.beats_random(attacked, random)
        verdicts.append(check.Verdict(f"{verdict.name} ({name})", verdict.ok, verdict.detail))
        by_eps = {
            eps * 255: sign * fmean(_values(found[spec.hash], name))
            for eps, (_, spec) in prepared.recipes.items()
        }
        if len(by_eps) > 1:
            by_eps[0.0] = sign * fmean(_values(found[""], name))
            verdict = check.monotone("eps", by_eps)
            verdicts.append(check.Verdict(f"{verdict.name} ({name})", verdict.ok, verdict.detail))
    if failed := sorted({name for row in found.values() for r in row for name in r.flags}):
        verdicts.append(check.Verdict("inside the ball", False, ", ".join(failed)))
    else:
        count = sum(len(row) for row in found.values())
        verdicts.append(check.Verdict("inside the ball", True, f"{count} images, as float and as 8-bit file"))
    return verdicts + _direct_checks(cell, recipe, prepared.engine.device)


def _direct_checks(cell: Cell, recipe: Recipe, device: str) -> list[Verdict]:
    import torch

    from srbench.attacks import checks as check
    from srbench.engine import as_tensor

    model = cell.model.load(device)
    loaded = cell.dataset.load(cell.images[0])
    lr = as_tensor(loaded.lr).to(device)
    hr = None if loaded.hr is None else as_tensor(loaded.hr).to(device)
    attack = recipe.build(model)
    adversarial = attack(lr, hr, ids=[cell.images[0]])
    with torch.no_grad():
        twice = check.deterministic(model(lr), model(lr))
    return [
        check.share_at_bound(lr, adversarial, attack.threat),
        check.usable_gradient(attack.gradient(lr, adversarial, hr)),
        twice,
        check.zero_is_clean(lr, recipe.with_(eps=0.0).build(model)(lr, hr, ids=[cell.images[0]])),
    ]


def _values(row: Sequence[Record], metric: str) -> list[float]:
    """The metric of every image, or nothing where one is undefined."""
    found = [value for record in row if (value := record.metrics.get(metric)) is not None]
    return found if len(found) == len(row) else []


def _effect(row: Sequence[Record], name: str) -> float:
    return fmean(record.effect[name] for record in row)


def _gain(lr_psnr: float, sr_psnr: float) -> float:
    return float(10 ** ((lr_psnr - sr_psnr) / 20))
