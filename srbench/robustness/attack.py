"""``srbench attack``: one model, several attacks and radii, as a plan of cells that runs like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput
from srbench.run.options import MeasuringOptions
from srbench.support.scales import checked_scale

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.attacks import AttackSpec
    from srbench.attacks.natural import Corruption
    from srbench.attacks.recipe import AttackRecipe
    from srbench.attacks.transfer import Transfer
    from srbench.datasets.base import DataSet
    from srbench.run.image import Measured
    from srbench.run.outcome import Outcome
    from srbench.run.plan import Cell
    from srbench.run.prepared import PreparedRun
    from srbench.store.record import Record
    from srbench.zoo import ModelRef

RANDOM = "random"
"""The preset that stands beside every attack: damage that noise of the same radius does too is no attack."""


@dataclass(frozen=True)
class AttackRequest(MeasuringOptions):
    """What to attack and how, and how to run it; see ``srbench attack --help``."""

    model: str = ""
    dataset: str = "ntire"
    presets: tuple[str, ...] = ("rsr",)
    eps: tuple[str, ...] = ("14",)
    changes: tuple[tuple[str, Any], ...] = ()
    norm: str = "linf"
    target: str = ""
    transfer_to: tuple[str, ...] = ()
    corruptions: bool = False
    metrics: tuple[str, ...] | None = None


@dataclass
class AttackRun:
    """A checked request; nothing was attacked yet.

    Attributes:
        run: the plan, ready to run.
        model: the model under attack.
        recipes: by radius in units of the range, the attacks by name, random noise first.
        transfers: attacks made on one model and measured on another, at the largest radius.
        targets: the models transferred noise is measured on.
        corruptions: natural corruptions of the clean image.
        made: by hash of an attack, the first image of this run with its attacked LR (1,3,H,W), as it was
            measured: checks need not attack it again.
    """

    run: PreparedRun
    model: ModelRef
    recipes: dict[float, dict[str, AttackRecipe]]
    transfers: list[Transfer] = field(default_factory=list)
    targets: list[ModelRef] = field(default_factory=list)
    corruptions: list[Corruption] = field(default_factory=list)
    made: dict[str, tuple[str, Tensor]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The attacks, random noise left out."""
        return [name for name in self.strongest if name != RANDOM]

    @property
    def strongest(self) -> dict[str, AttackRecipe]:
        """The attacks at the largest radius."""
        return self.recipes[max(self.recipes)]

    @property
    def dataset(self) -> DataSet:
        """The data set."""
        return self.run.plan[0].dataset

    @property
    def images(self) -> list[str]:
        """The images that every attack was measured on."""
        return [record.image for record in records(self).get("", [])]


def prepare(
    request: AttackRequest,
    on_measured: Callable[[Measured], None] | None = None,
    again: Callable[[Cell, str], bool] = lambda cell, image: False,
) -> AttackRun:
    """Check every input; the plan holds the clean input, and noise and attacks at every radius.

    Args:
        on_measured, again: as for :class:`srbench.run.engine.Engine`.

    Raises:
        BadInput: an unknown name, a bad radius, a broken file, …
    """
    from srbench import attacks, datasets, protocols, zoo
    from srbench.attacks import natural
    from srbench.run.plan import make_plan
    from srbench.run.prepared import prepare_run

    scale = checked_scale(request.scale)
    protocol = protocols.protocol(request.protocol, scale)
    recipes = _recipes(request)
    models = zoo.resolve([request.model], scale, stand_in=request.stand_in)
    sets, notices = datasets.resolve([request.dataset], track=request.track, scale=scale)
    if len(models) != 1 or len(sets) != 1:
        raise BadInput("srbench attack takes one model and one data set; srbench evaluate takes many")
    if models[0].outputs is not None:
        raise BadInput(f"{models[0].name} is SR images made elsewhere: there is no network to attack")
    corruptions = natural.parse(natural.ALL) if request.corruptions else []
    strongest = recipes[max(recipes)]
    sources, targets = _transfer(request.transfer_to, models[0], scale, request.stand_in)

    def cells(model: ModelRef, specs: Iterable[AttackSpec]) -> list[Cell]:
        return make_plan(
            [model],
            sets,
            [attacks.NONE, *specs],
            protocol,
            precision=request.precision,
            tile=request.fixed_tile,
            halo=request.halo,
            limit=request.limit,
        )

    own = [recipe for named in recipes.values() for recipe in named.values()]
    plan, transfers = cells(models[0], [*own, *corruptions]), []
    for target in targets:
        foreign = _foreign(strongest, [source for source in sources if source.name != target.name])
        transfers += foreign
        plan += cells(target, [*strongest.values(), *foreign])
    made: dict[str, tuple[str, Tensor]] = {}

    def measured(image: Measured) -> None:
        if image.record.model == models[0].name:
            made.setdefault(image.record.attack_hash, (image.record.image, image.attacked.lr))
        if on_measured is not None:
            on_measured(image)

    run = prepare_run(
        list({cell.path: cell for cell in plan}.values()),
        protocol,
        request,
        metrics=request.metrics,
        on_measured=measured,
        again=again,
    )
    notes = [ref.note for ref in (*models, *targets) if ref.note]
    notes += [recipe.note for recipe in strongest.values() if recipe.note]
    run.notices[:] = [*notices, *run.notices, *dict.fromkeys(notes)]
    transferred = list({spec.hash: spec for spec in transfers}.values())
    return AttackRun(run, models[0], recipes, transferred, targets, corruptions, made)


def _recipes(request: AttackRequest) -> dict[float, dict[str, AttackRecipe]]:
    """By radius, the attacks by name. What the user changed holds for all but random noise."""
    from srbench.attacks.presets import preset
    from srbench.attacks.threat import parse_eps

    if not request.presets:
        raise BadInput("--attacks names no attack: name one such as rsr")
    chosen = {name: preset(name) for name in (RANDOM, *request.presets)}
    if any("@" in name for name in chosen):
        raise BadInput("give radii with --eps, as in --eps 2,4,8,14")
    changes = dict(request.changes)
    chosen = {
        name: (recipe if name == RANDOM or not changes else recipe.with_(**changes)).in_norm(request.norm)
        for name, recipe in chosen.items()
    }
    if request.target:
        goal = Path(request.target).expanduser()
        chosen = {n: recipe if n == RANDOM else recipe.towards(goal) for n, recipe in chosen.items()}
    # Blocks of noise are compared at the same size.
    if "structure" in changes:
        chosen[RANDOM] = chosen[RANDOM].with_(structure=changes["structure"])
    radii = sorted({parse_eps(text) for text in request.eps})
    if not radii or radii[-1] == 0:
        raise BadInput("--eps 0 is the clean input: name a radius above 0, such as 14")
    return {eps: {name: recipe.with_(eps=eps) for name, recipe in chosen.items()} for eps in radii if eps > 0}


def _transfer(
    names: tuple[str, ...], model: ModelRef, scale: int, stand_in: bool
) -> tuple[list[ModelRef], list[ModelRef]]:
    """Models noise is made on, and models it is measured on; with ``all`` every pair."""
    from srbench import zoo

    if not names:
        return [], []
    others = [ref for ref in zoo.resolve(names, scale, stand_in=stand_in) if ref.name != model.name]
    if made := [ref.name for ref in others if ref.outputs is not None]:
        raise BadInput(f"--transfer-to {made[0]}: these are SR images made elsewhere, which see no noise")
    if not others:
        raise BadInput(f"--transfer-to names no model but {model.name} itself: name another")
    return ([model, *others], [model, *others]) if "all" in names else ([model], others)


def _foreign(recipes: dict[str, AttackRecipe], sources: list[ModelRef]) -> list[Transfer]:
    from srbench.attacks.transfer import Transfer

    # Random noise is the same whatever model it was drawn for.
    chosen = [recipe for name, recipe in recipes.items() if name != RANDOM]
    return [Transfer(recipe=recipe, source=source) for recipe in chosen for source in sources]


def run(attack: AttackRun) -> Outcome:
    """Attack and measure what the store lacks.

    Raises:
        RunFailed: the store cannot be written.
    """
    return attack.run.run()


def measure_here(attack: AttackRun, lacks: Callable[[Cell, str], bool]) -> None:
    """Measure again in this process what workers elsewhere have measured and this process lacks.

    Args:
        lacks: whether it lacks what an image of a cell gives.

    Raises:
        RunFailed: an image cannot be measured, or what it gives cannot be written.
    """
    if attack.run.runner is not attack.run.local:
        attack.run.local.run([cell for cell in attack.run.plan if any(lacks(cell, i) for i in cell.images)])


def records(attack: AttackRun, model: str | None = None) -> dict[str, list[Record]]:
    """Return a model's stored records by hash of the attack, in image order.

    Attacks are only comparable on the same images, so these are the images that have a record under every
    attack that was measured at all; an image that could not be attacked is left out everywhere.

    Args:
        model: the attacked one if None.
    """
    from srbench.store.address import open_store

    store = open_store(attack.run.store)
    by_attack: dict[str, dict[str, Record]] = {}
    images: list[str] = []
    for cell in attack.run.plan:
        if cell.model.name == (model or attack.model.name):
            images = list(cell.images)
            rows = {record.image: record for record in store.read(cell.path) if record.image in images}
            if rows:
                by_attack[cell.attack.hash] = rows
    shared = [image for image in images if all(image in rows for rows in by_attack.values())]
    return {hashed: [rows[image] for image in shared] for hashed, rows in by_attack.items() if shared}
