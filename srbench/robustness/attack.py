"""``srbench attack``: one model, a few attacks, several radii: what is run, and where its records are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput
from srbench.evaluation import default_store, pick_device
from srbench.run.engine import Engine, Settings
from srbench.run.memory_fit import HALO, Tile, fit
from srbench.run.memory_fit import run as run_fitting

if TYPE_CHECKING:
    from srbench.attacks import AttackSpec
    from srbench.attacks.natural import Corruption
    from srbench.attacks.presets import Recipe
    from srbench.attacks.transfer import Transfer
    from srbench.run.engine import Measured, Outcome
    from srbench.run.instruments import Missing
    from srbench.run.plan import Cell
    from srbench.store.record import Record
    from srbench.zoo import ModelRef

RANDOM = "random"


@dataclass(frozen=True)
class Request:
    """What to attack and how; see ``srbench attack --help``."""

    model: str
    dataset: str = "ntire"
    presets: tuple[str, ...] = ("rsr",)
    eps: tuple[str, ...] = ("14",)
    changes: tuple[tuple[str, Any], ...] = ()
    norm: str = "linf"
    transfer_to: tuple[str, ...] = ()
    corruptions: bool = False
    tile: Tile = "auto"
    halo: int = HALO
    memory: float | None = None
    limit: int | None = None
    device: str = "auto"
    workers: int = 0
    store: Path | None = None


@dataclass
class Prepared:
    """A checked request; nothing was attacked yet.

    Attributes:
        model: the model under attack.
        recipes: by radius in units of the range, the attacks by name, random noise first.
        transfers: attacks made on one model and measured on another, at the largest radius.
        targets: the models transferred noise is measured on.
        corruptions: natural corruptions of the clean image.
        retry: halo of the smaller tiles that are tried, changing the plan, where memory runs out; or None.
    """

    plan: list[Cell]
    engine: Engine
    model: ModelRef
    recipes: dict[float, dict[str, Recipe]]
    notices: list[str]
    missing_metrics: list[Missing]
    store: Path
    transfers: list[Transfer] = field(default_factory=list)
    targets: list[ModelRef] = field(default_factory=list)
    corruptions: list[Corruption] = field(default_factory=list)
    retry: int | None = None

    @property
    def names(self) -> list[str]:
        """The attacks, random noise left out."""
        return [name for name in next(iter(self.recipes.values())) if name != RANDOM]

    @property
    def strongest(self) -> dict[str, Recipe]:
        """The attacks at the largest radius."""
        return self.recipes[max(self.recipes)]


def prepare(
    request: Request,
    on_measured: Callable[[Measured], None] | None = None,
    again: Callable[[Cell, str], bool] = lambda cell, image: False,
) -> Prepared:
    """Check every input; the plan holds the clean input, and noise and attacks at every radius.

    Raises:
        BadInput: an unknown name, a bad radius, a broken file, …
    """
    from srbench import attacks, datasets, protocols, zoo
    from srbench.attacks import natural
    from srbench.run.instruments import Instruments
    from srbench.run.plan import make_plan
    from srbench.store.folder import Store

    protocol = protocols.protocol("rsr")
    recipes = _recipes(request)
    models = zoo.resolve([request.model])
    sets, notices = datasets.resolve([request.dataset])
    if len(models) != 1 or len(sets) != 1:
        raise BadInput("srbench attack takes one model and one data set; srbench evaluate takes many")
    model = models[0]
    corruptions = natural.parse(natural.ALL) if request.corruptions else []
    specs: list[AttackSpec] = [attacks.NONE]
    for group in (*(tuple(named.values()) for named in recipes.values()), corruptions):
        specs += [spec for spec in group if spec not in specs]
    tile = None if request.tile == "auto" else request.tile
    plan = make_plan(models, sets, specs, protocol, limit=request.limit, tile=tile, halo=request.halo)
    sources, targets = _transfer(request.transfer_to, model)
    strongest = recipes[max(recipes)]
    transfers = []
    for target in targets:
        made_elsewhere = _foreign(strongest, [source for source in sources if source.name != target.name])
        transfers += [spec for spec in made_elsewhere if spec not in transfers]
        specs = [attacks.NONE, *strongest.values(), *made_elsewhere]
        cells = make_plan([target], sets, specs, protocol, limit=request.limit, tile=tile, halo=request.halo)
        plan += [cell for cell in cells if cell not in plan]
    device = pick_device(request.device)
    if request.tile == "auto":
        plan, tiled = fit(plan, device, request.memory, request.halo)
        notices += tiled
    instruments = Instruments(protocol, None, device)
    store = Store(request.store or default_store())
    settings = Settings(device=device, workers=request.workers, memory=request.memory)
    engine = Engine(store, instruments, settings, on_measured=on_measured, again=again)
    notices += list(dict.fromkeys(recipe.note for recipe in strongest.values() if recipe.note))
    return Prepared(
        plan,
        engine,
        model,
        recipes,
        notices,
        instruments.missing,
        store.root,
        transfers,
        targets,
        corruptions,
        request.halo if request.tile == "auto" else None,
    )


def _recipes(request: Request) -> dict[float, dict[str, Recipe]]:
    """By radius, the attacks by name. What the user changed holds for all but random noise."""
    from srbench.attacks.presets import preset
    from srbench.attacks.threat import parse_eps

    chosen = {name: preset(name) for name in (RANDOM, *request.presets)}
    if any("@" in name for name in chosen):
        raise BadInput("give radii with --eps, as in --eps 2,4,8,14")
    changes = dict(request.changes)
    chosen = {
        name: (recipe if name == RANDOM or not changes else recipe.with_(**changes)).in_norm(request.norm)
        for name, recipe in chosen.items()
    }
    # Blocks of noise are compared at the same size.
    if "structure" in changes:
        chosen[RANDOM] = chosen[RANDOM].with_(structure=changes["structure"])
    radii = sorted({parse_eps(text) for text in request.eps})
    if not radii or radii[-1] == 0:
        raise BadInput("--eps 0 is the clean input: name a radius above 0, such as 14")
    return {eps: {name: recipe.with_(eps=eps) for name, recipe in chosen.items()} for eps in radii if eps > 0}


def _transfer(names: tuple[str, ...], model: ModelRef) -> tuple[list[ModelRef], list[ModelRef]]:
    """Models noise is made on, and models it is measured on; with ``all`` every pair."""
    from srbench import zoo

    if not names:
        return [], []
    others = [ref for ref in zoo.resolve(names) if ref.name != model.name]
    if not others:
        raise BadInput(f"--transfer-to names no model but {model.name} itself: name another")
    return ([model, *others], [model, *others]) if "all" in names else ([model], others)


def _foreign(recipes: dict[str, Recipe], sources: list[ModelRef]) -> list[Transfer]:
    from srbench.attacks.transfer import Transfer

    # Random noise is the same whatever model it was drawn for.
    chosen = [recipe for name, recipe in recipes.items() if name != RANDOM]
    return [Transfer(recipe=recipe, source=source) for recipe in chosen for source in sources]


def run(prepared: Prepared) -> Outcome:
    """Attack and measure what the store lacks."""
    return run_fitting(prepared.engine, prepared.plan, prepared.retry)


def records(prepared: Prepared, model: str | None = None) -> dict[str, list[Record]]:
    """Stored records of a model (the attacked one by default) by hash of the attack, in image order.

    Only attacks all of whose images are there.
    """
    from srbench.store.folder import Store

    store = Store(prepared.store)
    found = {}
    for cell in prepared.plan:
        if cell.model.name != (model or prepared.model.name):
            continue
        by_image = {record.image: record for record in store.read(cell.path)}
        rows = [by_image[image] for image in cell.images if image in by_image]
        if len(rows) == len(cell.images):
            found[cell.attack.hash] = rows
    return found
